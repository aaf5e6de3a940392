"""Block requests cut into buffers anywhere (ANY_LAYOUT): any split, any address, any alignment.

A request is two byte streams: what the device reads (header, data) and what it writes (data, status).
`Cutter` cuts a stream into buffers and puts them somewhere; `LooseDriver` sends such requests through a
driver's queue.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tb.guest.block import MOST_NOTICES, BlockDriver
from tb.guest.block_request import STATUS_POISON, BlockRequest
from tb.guest.errors import DeviceTimeoutError, InterruptError
from tb.guest.host_bus import HostMemory
from tb.guest.turns import turns
from tb.guest.virtqueue import Piece

WINDOW = 1 << 20
"""Bytes of address space that one request in flight may use in each region."""
DATA_POISON = 0xC7
REGIONS = {
    "low": 0x4000_0000,
    "border": 0x1_0000_0000,
    "high": 0x25_0000_0000,
    "top": (1 << 64) - 128 * WINDOW,
}
"""Where buffers may lie: below 4 GiB, across it (one window), above it, at the very end."""
FOUR_GIB = 1 << 32
BORDER_WINDOW = 1


@dataclass(slots=True)
class Cutter:
    """Chooses buffers by chance. `pieces` bounds their number, `region` says where (None: anywhere)."""

    rng: random.Random
    pieces: int = 6
    region: str | None = None
    gap: int = 100

    def cut(self, length: int, window: int, *, most: int | None = None) -> list[Piece]:
        """At most `most` buffers of `length` bytes together, in the address window of that number."""
        count = min(length, self.rng.randint(1, most or self.pieces))
        borders = sorted(self.rng.sample(range(1, length), count - 1)) if count > 1 else []
        sizes = [stop - start for start, stop in zip([0, *borders], [*borders, length], strict=True)]
        region = self.region or self.rng.choice(("low", "low", "high", "border", "top"))
        at = REGIONS[region] + window * WINDOW
        at += self.rng.choice((0, 4096 - self.rng.randrange(64), self.rng.randrange(4096)))
        if region == "border" and window == BORDER_WINDOW:
            at = FOUR_GIB - self.rng.randrange(1, length + 1)
        placed = []
        for size in sizes:
            at += self.rng.choice((0, 1, 2, 3, self.rng.randrange(self.gap + 1)))
            placed.append((at, size))
            at += size
        return placed


def exact(sizes: Sequence[int], start: int, gap: int = 64) -> list[Piece]:
    """Buffers of given sizes one after the other from `start`, `gap` bytes apart."""
    placed = []
    for size in sizes:
        placed.append((start, size))
        start += size + gap
    return placed


def scatter(memory: HostMemory, pieces: Iterable[Piece], data: bytes) -> None:
    """Write a stream into its buffers."""
    done = 0
    for address, length in pieces:
        memory.write(address, data[done : done + length])
        done += length


def gather(memory: HostMemory, pieces: Iterable[Piece]) -> bytes:
    """Read a stream back from its buffers."""
    return b"".join(memory.read(address, length) for address, length in pieces)


@dataclass(slots=True)
class Loose:
    """One request in flight: its buffers and the window they lie in."""

    request: BlockRequest
    writable: list[Piece]
    window: int


Done = Callable[[BlockRequest], None]


@dataclass(slots=True)
class LooseDriver:
    """Sends requests through `driver`'s queue with buffers of its own choice. At most `windows` in flight."""

    driver: BlockDriver
    windows: int = 16
    _free: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._free = list(range(self.windows))

    def submit(self, request: BlockRequest, readable: list[Piece], writable: list[Piece]) -> None:
        """Add one request with these buffers; writable ones are poisoned first."""
        self._add(Loose(request, writable, -1), readable)

    def submit_cut(self, request: BlockRequest, cutter: Cutter) -> bool:
        """Cut a request by chance and add it. False when the ring or the windows have no room now."""
        if not self._free:
            return False
        window = self._free[-1]
        queue = self.driver.queue
        room = queue.free_descriptors
        request.indirect = request.indirect or queue.chooses_indirect(2, wanted=False)
        most = cutter.pieces if request.indirect else max(1, min(cutter.pieces, room // 2))
        if room < (1 if request.indirect else 2):
            return False
        out_stream = 16 + len(request.data)
        in_stream = request.length + 1
        readable = cutter.cut(out_stream, 2 * window, most=most)
        writable = cutter.cut(in_stream, 2 * window + 1, most=most)
        if _overlap(readable, writable):
            writable = exact([in_stream], REGIONS["low"] + (2 * window + 1) * WINDOW + 1)
        self._free.pop()
        self._add(Loose(request, writable, window), readable)
        return True

    def collect(self, done: Done | None = None) -> int:
        """Take back what is done; returns how many."""
        count = 0
        while fresh := self.driver.queue.collect():
            for completion in fresh:
                self._finish(completion.token, completion.length)
                if done is not None:
                    done(completion.token.request)
                count += 1
        return count

    async def finish_all(self, done: Done | None = None) -> None:
        """Wait for interrupts until nothing is outstanding. DeviceTimeoutError when none comes.

        InterruptError when they come for ever.
        """
        for _ in turns(MOST_NOTICES, _only_interrupts):
            if not self.driver.queue.outstanding:
                return
            await self.wait(done)

    async def wait(self, done: Done | None = None) -> None:
        """Wait for one interrupt and collect. DeviceTimeoutError when none comes."""
        notice = await self.driver.interrupts.wait(self.driver.timeout_ns)
        if notice is None:
            left = self.driver.queue.outstanding
            raise DeviceTimeoutError("BAD-DEV-11", f"{left} requests are not done and no interrupt came")
        self.collect(done)

    async def do(self, request: BlockRequest, readable: list[Piece], writable: list[Piece]) -> BlockRequest:
        """One request alone, with these buffers."""
        self.submit(request, readable, writable)
        await self.driver.kick()
        await self.finish_all()
        return request

    def forget(self) -> None:
        """After a reset nothing is in flight any more."""
        self._free = list(range(self.windows))

    def _add(self, loose: Loose, readable: list[Piece]) -> None:
        memory = self.driver.transport.bus.memory
        scatter(memory, readable, loose.request.header + loose.request.data)
        for address, length in loose.writable:
            memory.write(address, bytes((DATA_POISON,)) * length)
        if loose.writable:
            address, length = loose.writable[-1]
            memory.write(address + length - 1, bytes((STATUS_POISON,)))
        queue = self.driver.queue
        pieces = len(readable) + len(loose.writable)
        indirect = queue.chooses_indirect(pieces, wanted=loose.request.indirect)
        queue.add(readable, loose.writable, loose, indirect=indirect)

    def _finish(self, loose: Loose, used_length: int) -> None:
        stream = gather(self.driver.transport.bus.memory, loose.writable)
        loose.request.used_length = used_length
        if stream:
            loose.request.answer, loose.request.status = stream[:-1], stream[-1]
        if loose.window >= 0:
            self._free.append(loose.window)


def _only_interrupts() -> InterruptError:
    return InterruptError("BAD-DEV-10", f"{MOST_NOTICES} interrupts came, and requests are still not done")


def _overlap(first: Sequence[Piece], second: Sequence[Piece]) -> bool:
    """Whether two streams' address ranges touch."""
    low = max(first[0][0], second[0][0])
    high = min(first[-1][0] + first[-1][1], second[-1][0] + second[-1][1])
    return low < high
