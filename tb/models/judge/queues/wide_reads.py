"""Reads that take more than one thing at once, or more than is needed, where the profile says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tb.models.judge.facts import Deliver, TakesParts
from tb.models.judge.queues.available import AvailableRing
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.state import QueueState
from tb.models.judge.queues.table import TableCopies

# What takes bytes of a chain from an address, or a place in its readable stream, on.
Taker = Callable[[JudgedChain, int], Deliver]
# What takes the bytes from the first place up to the second one; None when they may not be read so.
Ask = Callable[[int, int], Deliver | None]


@dataclass(slots=True, frozen=True)
class Part:
    """Bytes from `first` up to `last` that belong to something of the queue."""

    first: int
    last: int
    ask: Ask


class WideReads:
    """Cuts a read into the parts that belong to something; the rest must share an aligned block with them."""

    __slots__ = ("_available", "_buffer", "_copies", "_descriptor", "_granule", "_others", "_queue")

    def __init__(
        self,
        queue: QueueState,
        available: AvailableRing,
        copies: TableCopies | None,
        *,
        descriptor: Taker,
        buffer: Taker,
    ) -> None:
        profile = queue.facts.profile
        self._queue = queue
        self._available = available
        self._copies = copies
        self._descriptor = descriptor
        self._buffer = buffer
        self._granule = profile.read_granule
        self._others = profile.other_reads

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a read that no single thing of the queue explains; None when its parts do not either."""
        last = address + count
        parts = sorted(self._parts(address, last), key=lambda part: part.first)
        if not parts or not self._is_covered(address, last, parts):
            return None
        takers: list[tuple[int, int, Deliver]] = []
        for part in parts:
            deliver = part.ask(part.first, part.last - part.first)
            if deliver is None:
                return None
            takers.append((part.first - address, part.last - address, deliver))

        return _Spread(takers)

    def flush(self, address: int) -> bool:
        """Whether `address`, which a read of no byte names, lies in anything of the queue."""
        layout = self._queue.layout
        if layout.descriptors <= address < layout.end:
            return True
        chains = self._queue.chains
        return any(c.covers(address) or c.stream.locate(address, 1) is not None for c in chains)

    def _is_covered(self, first: int, last: int, parts: list[Part]) -> bool:
        """Whether each byte between the parts lies in one aligned block with a byte of a part."""
        place = first
        known = first  # end of the block that the last part ends in
        for part in parts:
            if part.first > place and part.first // self._granule * self._granule > max(place, known):
                return False
            place = max(place, part.last)
            known = -(-place // self._granule) * self._granule
        return known >= last

    # --- what the bytes belong to

    def _parts(self, first: int, last: int) -> Iterator[Part]:
        queue = self._queue
        layout = queue.layout
        if self._copies is not None:
            yield from _cut(first, last, layout.descriptors, layout.available, self._copies.read)
        yield from _cut(first, last, layout.available, layout.used_event + 2, self._available.read)
        if "used_ring" in self._others:
            yield from _cut(first, last, layout.used, layout.end, _ask_nothing)
        for chain in queue.chains:
            yield from self._parts_of(chain, first, last)

    def _parts_of(self, chain: JudgedChain, first: int, last: int) -> Iterator[Part]:
        for offset, start, end in chain.stream.within(first, last):
            yield Part(start, end, self._asker(chain, offset))
        for start, end in chain.open_tables(ahead=self._copies is not None):
            yield from _cut(first, last, start, end, self._descriptor_asker(chain))
        if "writable_buffers" in self._others and chain.chain is not None:
            for segment in chain.chain.writable:
                end = segment.address + segment.length
                yield from _cut(first, last, segment.address, end, _ask_nothing)

    def _asker(self, chain: JudgedChain, offset: int) -> Ask:
        def ask(_address: int, _count: int) -> Deliver:
            return self._buffer(chain, offset)

        return ask

    def _descriptor_asker(self, chain: JudgedChain) -> Ask:
        def ask(address: int, count: int) -> Deliver | None:
            if self._copies is None:
                if not chain.wants_descriptor(address, count):
                    return None
                chain.ask_descriptor(address, count)
            return self._descriptor(chain, address)

        return ask


class _Spread:
    """Gives each taker its bytes of one read: (first place in it, end, taker)."""

    __slots__ = ("_takers",)

    def __init__(self, takers: list[tuple[int, int, Deliver]]) -> None:
        self._takers = takers

    def __call__(self, data: bytes | None) -> None:
        for start, end, deliver in self._takers:
            deliver(None if data is None else data[start:end])

    def part(self, data: bytes) -> None:
        """The first bytes have come, and perhaps no more will."""
        for start, end, deliver in self._takers:
            if start < len(data) and isinstance(deliver, TakesParts):
                deliver.part(data[start:end])


def _cut(first: int, last: int, start: int, end: int, ask: Ask) -> Iterator[Part]:
    """The part of `start` up to `end` that a read from `first` up to `last` touches, if it does."""
    start, end = max(first, start), min(last, end)
    if start < end:
        yield Part(start, end, ask)


def _ask_nothing(_address: int, _count: int) -> Deliver:
    return _nothing


def _nothing(data: bytes | None) -> None:
    """Takes bytes that tell the function nothing new."""
