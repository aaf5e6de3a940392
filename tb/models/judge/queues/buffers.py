"""The two byte streams of a chain: what the function read of one, what it owes to the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from tb.models.virtqueue import Segment


class ReadableStream:
    """The readable segments a function has learnt of, and the bytes it has read from them."""

    __slots__ = ("_bases", "_chunks", "_hint", "_length", "_segments", "_starts", "read_bytes")

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._bases: list[int] = []
        self._length = 0
        self._starts: list[int] = []
        self._chunks: dict[int, bytes] = {}
        self._hint = 0
        self.read_bytes = 0

    @property
    def segments(self) -> int:
        """Number of segments known."""
        return len(self._segments)

    def add(self, segment: Segment) -> None:
        """The walk has come to a further readable segment."""
        self._segments.append(segment)
        self._bases.append(self._length)
        self._length += segment.length

    def locate(self, address: int, count: int) -> int | None:
        """Stream offset of `count` bytes at `address`, None when they do not lie in one segment.

        Where buffers overlap, a place that was not read yet is preferred, looking from the last one on.
        """
        found: int | None = None
        segments = self._segments
        for turn in range(len(segments)):
            index = self._hint + turn
            if index >= len(segments):
                index -= len(segments)
            segment = segments[index]
            into = address - segment.address
            if into >= 0 and into + count <= segment.length:
                offset = self._bases[index] + into
                if offset not in self._chunks:
                    self._hint = index
                    return offset
                if found is None:
                    found = offset
        return found

    def locate_across(self, address: int, count: int) -> int | None:
        """As `locate`, for bytes of neighbours in the chain that are neighbours in memory too."""
        for first, segment in enumerate(self._segments):
            into = address - segment.address
            if not 0 <= into < segment.length:
                continue
            end = segment.address + segment.length
            for other in self._segments[first + 1 :]:
                if other.address != end:
                    break
                end += other.length
            if address + count <= end:
                return self._bases[first] + into
        return None

    def within(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """(stream offset, first byte, end) of each part of a segment that lies from `first` up to `last`."""
        for base, segment in zip(self._bases, self._segments, strict=True):
            start, end = max(first, segment.address), min(last, segment.address + segment.length)
            if start < end:
                yield base + start - segment.address, start, end

    def asked(self, offset: int) -> None:
        """The function has asked for the bytes at `offset`; keeps the place for `locate`."""
        self._chunks.setdefault(offset, b"")

    def was_asked(self, offset: int) -> bool:
        """Whether a read that began at `offset` was asked for."""
        return offset in self._chunks

    def store(self, offset: int, data: bytes) -> None:
        """The function has got `data`, the bytes at stream `offset`; of bytes read twice the first count."""
        place = bisect_right(self._starts, offset)
        if place:
            start = self._starts[place - 1]
            known = start + len(self._chunks[start]) - offset
            if known > 0:
                offset, data = offset + known, data[known:]
        while data:
            after = self._starts[place] if place < len(self._starts) else offset + len(data)
            part = data[: after - offset]
            if part:
                self._starts.insert(place, offset)
                self._chunks[offset] = part
                self.read_bytes += len(part)
                place += 1
            if after >= offset + len(data):
                return
            known = after + len(self._chunks[after])
            offset, data = known, data[max(0, known - offset) :]
            place += 1

    def gather(self, offset: int, length: int) -> bytes | None:
        """`length` bytes from stream `offset` on, None when the function has not read all of them."""
        if self.read_bytes < length:
            return None
        data = self.leading(offset, length)
        return data if len(data) == length else None

    def leading(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from stream `offset` on, up to the first one that was not read."""
        parts: list[bytes] = []
        place, end = offset, offset + length
        index = max(0, bisect_right(self._starts, place) - 1)
        while place < end and index < len(self._starts):
            start = self._starts[index]
            chunk = self._chunks[start]
            if start > place:
                break
            if start + len(chunk) > place:
                part = chunk[place - start : end - start]
                parts.append(part)
                place += len(part)
            index += 1
        return b"".join(parts)


@dataclass(slots=True)
class Owed:
    """Bytes still to be written at `address`; `turn` is the place of their effect in the order."""

    address: int
    data: memoryview
    turn: int


def owed_writes(writable: tuple[Segment, ...], writes: tuple[tuple[int, bytes], ...]) -> list[Owed]:
    """Guest memory writes that the effects of a request come to, in order."""
    owed: list[Owed] = []
    for turn, (offset, data) in enumerate(writes):
        owed.extend(
            Owed(address, part, turn) for address, part in _placed(writable, offset, memoryview(data))
        )
    return owed


def _placed(writable: tuple[Segment, ...], offset: int, data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(guest address, bytes) of `data` at `offset` of the writable stream."""
    taken = 0
    for segment in writable:
        if taken == len(data):
            return
        if offset >= segment.length:
            offset -= segment.length
            continue
        part = data[taken : taken + segment.length - offset]
        yield segment.address + offset, part
        taken += len(part)
        offset = 0
    if taken < len(data):
        raise ValueError(f"A device model writes {len(data) - taken} bytes past the end of its chain.")
