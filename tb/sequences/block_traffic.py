"""What a guest does with a block device, step by step: read an image, write and read back, provoke errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tb.guest.block import BlockDriver
from tb.guest.block_request import SECTOR, BlockFeature, BlockRequest, BlockStatus, BlockType, paged_framing
from tb.guest.errors import RequestError

PAGE = 4096
UNKNOWN_TYPE = 0x7E
"""A request type that nothing defines."""
Advance = Callable[[int], None]
"""Told how many bytes of a reading pass are done."""


@dataclass(slots=True, frozen=True)
class ReadResult:
    """One pass over the image: what came through the ring."""

    sha256: str
    requests: int
    direct: int
    indirect: int
    bytes: int


def read_requests(length: int, request_bytes: int, *, indirect: bool) -> Iterator[BlockRequest]:
    """Reads of the first `length` bytes in order; every second one indirect where that was negotiated."""
    for number, at in enumerate(range(0, length, request_bytes)):
        yield BlockRequest(
            BlockType.IN,
            at // SECTOR,
            length=min(request_bytes, length - at),
            indirect=indirect and bool(number & 1),
        )


async def read_image(
    driver: BlockDriver, length: int, *, depth: int, request_bytes: int, advance: Advance = lambda _done: None
) -> ReadResult:
    """Read the first `length` bytes (whole sectors) with `depth` requests in flight and hash them in order.

    RequestError when a read fails. Memory use is that of `depth` requests, whatever the length.
    """
    digest = hashlib.sha256()
    waiting: dict[int, bytes] = {}
    position = 0
    counts = {False: 0, True: 0}

    def done(request: BlockRequest) -> None:
        nonlocal position
        if not request.ok:
            raise RequestError("VBLK-10", f"a read of sector {request.sector} gave status {request.status}")
        counts[request.indirect] += 1
        waiting[request.sector * SECTOR] = request.answer
        while (piece := waiting.pop(position, None)) is not None:
            digest.update(piece)
            position += len(piece)
        advance(position)

    driver.framing = paged_framing(PAGE)
    driver.reserve(depth, request_bytes)
    requests = read_requests(length, request_bytes, indirect=driver.queue.indirect)
    await driver.run(requests, depth=depth, done=done)
    return ReadResult(digest.hexdigest(), sum(counts.values()), counts[False], counts[True], position)


async def write_and_read_back(driver: BlockDriver, sector: int, patterns: list[bytes]) -> None:
    """Write patterns one after the other from `sector`, flush, read back, then put the old content back.

    RequestError when anything differs.
    """
    places = []
    for pattern in patterns:
        places.append((sector, pattern))
        sector += len(pattern) // SECTOR
    driver.framing = paged_framing(PAGE)
    driver.reserve(max(2, len(patterns)), max(map(len, patterns)))
    before = [await driver.read(at, len(pattern)) for at, pattern in places]
    indirect = driver.queue.indirect
    writes = [
        BlockRequest(BlockType.OUT, at, pattern, indirect=indirect and bool(number & 1))
        for number, (at, pattern) in enumerate(places)
    ]
    await driver.run(writes, depth=len(writes), done=_must_be_ok)
    await driver.flush()
    for at, pattern in places:
        if await driver.read(at, len(pattern)) != pattern:
            raise RequestError("VBLK-17", f"sector {at} does not hold what was written to it")
    for (at, _), old in zip(places, before, strict=True):
        await driver.write(at, old)
    await driver.flush()


async def expect_status(driver: BlockDriver, request: BlockRequest, status: BlockStatus) -> None:
    """Do one request that must come back with `status`. RequestError otherwise."""
    await driver.do(request)
    if request.status != status:
        what = f"type {request.type} at sector {request.sector} gave status {request.status}, not {status}"
        raise RequestError("VBLK-11" if status == BlockStatus.UNSUPPORTED else "VBLK-12", what)


async def write_side(driver: BlockDriver) -> None:
    """Writes, flush, read-back and GET_ID; on a read-only device that a write is refused (VBLK-13)."""
    driver.reserve(4, 4 * PAGE)
    capacity = driver.config.capacity
    if driver.transport.with_feature(BlockFeature.READ_ONLY):
        await expect_status(driver, BlockRequest(BlockType.OUT, 0, bytes(SECTOR)), BlockStatus.IO_ERROR)
    else:
        patterns = [_pattern(salt, SECTOR * count) for salt, count in ((1, 1), (2, 7), (3, 16), (4, 2))]
        first = max(0, capacity - sum(map(len, patterns)) // SECTOR)
        await write_and_read_back(driver, first, patterns)
    await driver.get_id()


async def refused_requests(driver: BlockDriver) -> None:
    """An unsupported type, a sector past the end, a last sector that sticks out."""
    driver.reserve(2, 4 * SECTOR)
    capacity = driver.config.capacity
    unsupported = BlockRequest(UNKNOWN_TYPE, 0, length=SECTOR)
    await expect_status(driver, unsupported, BlockStatus.UNSUPPORTED)
    for sector, count in ((capacity, 1), (capacity - 1, 2), (2**64 - 1, 1)):
        request = BlockRequest(BlockType.IN, sector, length=count * SECTOR)
        await expect_status(driver, request, BlockStatus.IO_ERROR)
    await driver.read(capacity - 1, SECTOR)


def _must_be_ok(request: BlockRequest) -> None:
    if not request.ok:
        raise RequestError("VBLK-10", f"a write of sector {request.sector} gave status {request.status}")


def _pattern(salt: int, length: int) -> bytes:
    """Bytes in which a byte, a sector or a page out of place shows."""
    return hashlib.shake_128(salt.to_bytes(2, "little")).digest(length)
