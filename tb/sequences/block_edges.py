"""Scenarios on the block device: every framing, every type, every length at the edges."""

from __future__ import annotations

from tb.guest.block import BlockDriver
from tb.guest.block_request import SECTOR, BlockRequest, BlockStatus, BlockType
from tb.guest.errors import RequestError
from tb.sequences.any_layout import LooseDriver, exact
from tb.sequences.scene import Scene

READABLE = 0x5100_0000
WRITABLE = 0x5200_0000
BARRIER = 1 << 31


async def move_data_at_every_offset(scene: Scene) -> None:
    """Reads and writes of several lengths at every byte offset of a DW and around a page (BAD-RING-39)."""
    _, loose = await _attach(scene)
    offsets = (*range(8), 60, 61, 62, 63, 64, 124, 127, 4096 - 513, 4096 - 512, 4096 - 511, 4095, 4096 - 18)
    for offset in offsets:
        for sectors in (1, 2, 8, 9):
            data = scene.rng.randbytes(sectors * SECTOR)
            sector = scene.rng.randrange(64)
            header = READABLE + scene.rng.randrange(4096)
            out = BlockRequest(BlockType.OUT, sector, data)
            await loose.do(out, [(header, 16), (READABLE + 0x10000 + offset, len(data))], [(WRITABLE, 1)])
            back = BlockRequest(BlockType.IN, sector, length=len(data))
            place = [(WRITABLE + 0x10000 + offset, len(data)), (WRITABLE + offset, 1)]
            await loose.do(back, [(header, 16)], place)
            _must_match(back, data)
    await loose.driver.stop()


async def cut_header_and_status(scene: Scene) -> None:
    """The header cut at every byte or merged with data, the status likewise (BAD-BLK-02, -03)."""
    _, loose = await _attach(scene)
    data = scene.rng.randbytes(SECTOR)
    for cut in range(1, 16):
        out = BlockRequest(BlockType.OUT, 3, data)
        await loose.do(out, exact([cut, 16 - cut + SECTOR], READABLE, cut), [(WRITABLE + cut, 1)])
        back = BlockRequest(BlockType.IN, 3, length=SECTOR)
        await loose.do(back, exact([cut, 16 - cut], READABLE, 5), [(WRITABLE + cut, SECTOR + 1)])
        _must_match(back, data)
    for cut in (1, 2, 3, 4, 255, 508, 509, 510, 511):
        back = BlockRequest(BlockType.IN, 3, length=SECTOR)
        await loose.do(back, [(READABLE, 16)], exact([cut, SECTOR - cut + 1], WRITABLE, 3))
        _must_match(back, data)
    await loose.do(
        BlockRequest(BlockType.OUT, 3, data), exact([1] * 16 + [SECTOR], READABLE), [(WRITABLE, 1)]
    )
    ones = BlockRequest(BlockType.IN, 3, length=SECTOR, indirect=True)
    await loose.do(ones, exact([1] * 16, READABLE, 1), exact([1] * 100 + [SECTOR - 100, 1], WRITABLE, 2))
    _must_match(ones, data)
    await loose.driver.stop()


async def try_every_type(scene: Scene) -> None:
    """Types 0 to 31, each high bit alone, with the barrier bit, with random reserved words (BAD-BLK-06)."""
    _, loose = await _attach(scene)
    types = [*range(32), *(1 << bit for bit in range(5, 32)), *(BARRIER | low for low in range(12))]
    types += [0x4000_0000 | BlockType.IN, 0x4000_0000 | BlockType.OUT, 0xFFFF_FFFF]
    for kind in types:
        for length in (0, SECTOR):
            request = BlockRequest(kind, 1, length=length, reserved=scene.rng.getrandbits(32))
            writable = [(WRITABLE, length), (WRITABLE + 0x1000, 1)] if length else [(WRITABLE, 1)]
            await loose.do(request, [(READABLE, 16)], writable)
        data = scene.rng.randbytes(SECTOR)
        await loose.do(BlockRequest(kind, 2, data), [(READABLE, 16 + SECTOR)], [(WRITABLE, 1)])
    await loose.driver.stop()


async def try_every_length(scene: Scene) -> None:
    """Data that are no whole sectors, no data at all, data in the wrong direction (BAD-BLK-04, -08, -10)."""
    _, loose = await _attach(scene)
    for length in (1, 2, 3, 4, 31, 32, 33, 256, 511, 513, 767, 1023, 1025, SECTOR * 2 - 4, SECTOR * 2 + 4):
        await _in_and_out(scene, loose, length)
    for kind in (BlockType.IN, BlockType.OUT, BlockType.FLUSH, BlockType.FLUSH_OUT):
        await loose.do(BlockRequest(kind, 0), [(READABLE, 16)], [(WRITABLE, 1)])
        await loose.do(BlockRequest(kind, 5), [(READABLE, 16)], [(WRITABLE, 1)])
    extra = scene.rng.randbytes(SECTOR)
    for kind in (BlockType.IN, BlockType.OUT, BlockType.FLUSH, BlockType.GET_ID, BlockType.DISCARD):
        both = BlockRequest(kind, 4, extra, length=SECTOR)
        await loose.do(both, [(READABLE, 16 + SECTOR)], [(WRITABLE, SECTOR + 1)])
    await loose.driver.stop()


async def ask_for_the_serial(scene: Scene) -> None:
    """GET_ID into 1 to 24 bytes and more, in one piece and in many (BAD-BLK-09, VBLK-14)."""
    _, loose = await _attach(scene)
    for length in (*range(1, 25), 64, SECTOR):
        whole = BlockRequest(BlockType.GET_ID, length=length)
        await loose.do(whole, [(READABLE, 16)], [(WRITABLE, length), (WRITABLE + 0x800, 1)])
        if length > 1:
            cut = BlockRequest(BlockType.GET_ID, length=length)
            await loose.do(cut, [(READABLE, 16)], exact([1, length - 1, 1], WRITABLE + 1, 1))
    await loose.do(BlockRequest(BlockType.GET_ID), [(READABLE, 16)], [(WRITABLE, 1)])
    await loose.driver.stop()


async def reach_for_the_end(scene: Scene) -> None:
    """Sectors at the end, past it, and where sector plus count wraps (BAD-BLK-05, VBLK-22)."""
    driver, loose = await _attach(scene)
    capacity = driver.config.capacity
    edges = [
        capacity - 2,
        capacity - 1,
        capacity,
        capacity + 1,
        2**32 - 1,
        2**32,
        2**32 + 1,
        2**55 - 1,
        2**55,
    ]
    edges += [
        2**63,
        2**64 - 1,
        2**64 - 2,
        *(capacity | 1 << bit for bit in range(capacity.bit_length(), 64, 5)),
    ]
    for sector in edges:
        for count in (1, 2, 3):
            request = BlockRequest(BlockType.IN, sector, length=count * SECTOR)
            await loose.do(request, [(READABLE, 16)], [(WRITABLE, count * SECTOR + 1)])
            expected = BlockStatus.OK if sector + count <= capacity else BlockStatus.IO_ERROR
            if request.status != expected:
                what = f"{count} sectors at {sector:#x} of {capacity} gave status {request.status}"
                raise RequestError("VBLK-12", what)
        data = scene.rng.randbytes(2 * SECTOR)
        await loose.do(
            BlockRequest(BlockType.OUT, sector, data), [(READABLE, 16 + len(data))], [(WRITABLE, 1)]
        )
    bits = capacity.bit_length() - 1
    for bit in range(bits):
        walked = BlockRequest(BlockType.IN, 1 << bit, length=SECTOR)
        await loose.do(walked, [(READABLE, 16)], [(WRITABLE, SECTOR + 1)])
    await driver.stop()


async def move_much(scene: Scene) -> None:
    """Requests far longer than any packet: up to 256 KiB in one buffer and in several."""
    _, loose = await _attach(scene)
    for kib in (4, 5, 12, 33, 64, 256):
        data = scene.rng.randbytes(kib * 1024)
        sector = scene.rng.randrange(64)
        third = len(data) // 3
        out = BlockRequest(BlockType.OUT, sector, data)
        await loose.do(out, exact([16, third, len(data) - third], READABLE + 1, 1), [(WRITABLE, 1)])
        back = BlockRequest(BlockType.IN, sector, length=len(data))
        await loose.do(back, [(READABLE, 16)], exact([len(data) - third, third, 1], WRITABLE + 2, 1))
        _must_match(back, data)
    await loose.driver.stop()


async def fail_the_media(scene: Scene) -> None:
    """The disk fails reads, writes and flushes; requests after it work (VBLK-10)."""
    driver, loose = await _attach(scene)
    data = scene.rng.randbytes(4 * SECTOR)
    for request in (
        BlockRequest(BlockType.IN, 1, length=4 * SECTOR),
        BlockRequest(BlockType.OUT, 1, data),
        BlockRequest(BlockType.FLUSH),
    ):
        await scene.host.fail_media()
        writable = [(WRITABLE, request.length), (WRITABLE + 0x8000, 1)] if request.length else [(WRITABLE, 1)]
        await loose.do(request, [(READABLE, 16 + len(request.data))], writable)
        if request.status != BlockStatus.IO_ERROR:
            raise RequestError("VBLK-10", f"a failed type {request.type} gave status {request.status}")
        await driver.read(0, SECTOR)
    await driver.stop()


async def write_a_read_only_disk(scene: Scene) -> None:
    """A disk that offers RO refuses writes and reads on (VBLK-13). For builds with `ReadOnly`."""
    driver, loose = await _attach(scene)
    before = await driver.read(7, SECTOR)
    for _ in range(2):
        out = BlockRequest(BlockType.OUT, 7, scene.rng.randbytes(SECTOR))
        await loose.do(out, [(READABLE, 16 + SECTOR)], [(WRITABLE, 1)])
        if out.status != BlockStatus.IO_ERROR:
            raise RequestError("VBLK-13", f"a write to a read-only disk gave status {out.status}")
        if await driver.read(7, SECTOR) != before:
            raise RequestError("VBLK-13", "a refused write has changed the disk")
    await driver.flush()
    await driver.stop()


async def _in_and_out(scene: Scene, loose: LooseDriver, length: int) -> None:
    data = scene.rng.randbytes(length)
    out = BlockRequest(BlockType.OUT, 9, data)
    await loose.do(out, [(READABLE, 16), (READABLE + 0x1001, length)], [(WRITABLE, 1)])
    back = BlockRequest(BlockType.IN, 9, length=length)
    await loose.do(back, [(READABLE, 16)], [(WRITABLE + 1, length), (WRITABLE + 0x2003, 1)])
    for request in (out, back):
        expected = BlockStatus.OK if length % SECTOR == 0 else BlockStatus.IO_ERROR
        if request.status != expected:
            raise RequestError("VBLK-12", f"{length} bytes of data gave status {request.status}")


async def _attach(scene: Scene) -> tuple[BlockDriver, LooseDriver]:
    driver = await scene.attach_block()
    return driver, LooseDriver(driver)


def _must_match(request: BlockRequest, data: bytes) -> None:
    if not request.ok or request.answer != data:
        what = f"{request.length} bytes at sector {request.sector} came back wrong, status {request.status}"
        raise RequestError("VBLK-06", what)
