"""The client's memory map: which bus addresses are guest RAM, and where their bytes are.

A range with a file descriptor is mapped into this process; one without is reached by messages to the client
(`DmaChannel`). Every access is checked against the map: what strays gives a `DmaError`, never a crash.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Protocol

from tb.vfio_user.function import DmaError
from tb.vfio_user.protocol import DmaFlag, ProtocolError

ADDRESS_LIMIT = 1 << 64


class DmaChannel(Protocol):
    """Guest memory reached by messages; DmaError when the client refuses or cannot be asked now."""

    def dma_read(self, address: int, length: int) -> bytes: ...

    def dma_write(self, address: int, data: bytes) -> None: ...


@dataclass(slots=True, frozen=True)
class DmaRange:
    """One mapped range: bus addresses [address, address + size), `flags` as the client gave them.

    `mapping` holds the bytes from index `start` on; None when the range is reached by messages.
    """

    address: int
    size: int
    flags: int
    mapping: mmap.mmap | None = None
    start: int = 0

    @property
    def end(self) -> int:
        return self.address + self.size

    def part(self, address: int, end: int) -> DmaRange:
        """The piece of this range between two bus addresses inside it."""
        return replace(self, address=address, size=end - address, start=self.start + address - self.address)


class DmaMap:
    """Implements `GuestMemory` over the ranges a client has mapped."""

    def __init__(self, channel: DmaChannel | None = None) -> None:
        self._ranges: list[DmaRange] = []
        self._starts: list[int] = []
        self._channel = channel

    @property
    def ranges(self) -> tuple[DmaRange, ...]:
        """The mapped ranges in address order."""
        return tuple(self._ranges)

    def map(self, address: int, size: int, flags: int, offset: int = 0, fd: int | None = None) -> None:
        """Add a range. Takes no ownership of `fd`.

        ProtocolError: EINVAL for an empty range, one past 64 bits, or one the file does not hold; EEXIST when
        it overlaps another; the system's errno when the file cannot be mapped.
        """
        if size == 0 or address + size > ADDRESS_LIMIT:
            raise ProtocolError(errno.EINVAL, f"{size} bytes at {address:#x} are not a range of addresses")
        for other in self._overlapping(address, address + size):
            raise ProtocolError(
                errno.EEXIST,
                f"{address:#x} to {address + size:#x} overlaps {other.address:#x} to {other.end:#x}",
            )
        mapping, start = (None, 0) if fd is None else _map_file(fd, offset, size, flags)
        self._store([*self._ranges, DmaRange(address, size, flags, mapping, start)])

    def unmap(self, address: int, size: int) -> int:
        """Forget every address in it, also parts of ranges; returns how many bytes were mapped there."""
        end = address + size
        removed = 0
        kept: list[DmaRange] = []
        for range_ in self._ranges:
            low, high = max(range_.address, address), min(range_.end, end)
            if low >= high:
                kept.append(range_)
                continue
            removed += high - low
            if range_.address < low:
                kept.append(range_.part(range_.address, low))
            if high < range_.end:
                kept.append(range_.part(high, range_.end))
        self._store(kept)
        return removed

    def clear(self) -> None:
        """Forget everything."""
        self._store([])

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes of guest memory; DmaError when any of them is not the function's to read."""
        range_ = self._find(address, DmaFlag.READ, "read")
        if address + length <= range_.end:
            return self._read_part(range_, address, length)
        here = range_.end - address
        return self._read_part(range_, address, here) + self.read(range_.end, length - here)

    def write(self, address: int, data: bytes) -> None:
        """Store `data`; DmaError, with nothing stored, when any byte of it is not the function's to write."""
        pieces: list[tuple[DmaRange, int, bytes]] = []
        while data:
            range_ = self._find(address, DmaFlag.WRITE, "write")
            piece = data[: range_.end - address]
            pieces.append((range_, address, piece))
            address, data = address + len(piece), data[len(piece) :]
        for range_, start, piece in pieces:
            self._write_part(range_, start, piece)

    def _find(self, address: int, needed: DmaFlag, verb: str) -> DmaRange:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._ranges[index].end:
            raise DmaError(f"a DMA {verb} at {address:#x} is outside the guest's memory")
        range_ = self._ranges[index]
        if not range_.flags & needed:
            raise DmaError(f"a DMA {verb} at {address:#x} is not allowed by the guest's memory map")
        return range_

    def _read_part(self, range_: DmaRange, address: int, length: int) -> bytes:
        if range_.mapping is None:
            return self._by_messages(address, "read").dma_read(address, length)
        start = range_.start + address - range_.address
        return range_.mapping[start : start + length]

    def _write_part(self, range_: DmaRange, address: int, data: bytes) -> None:
        if range_.mapping is None:
            self._by_messages(address, "write").dma_write(address, data)
            return
        start = range_.start + address - range_.address
        range_.mapping[start : start + len(data)] = data

    def _by_messages(self, address: int, verb: str) -> DmaChannel:
        if self._channel is None:
            raise DmaError(f"a DMA {verb} at {address:#x} reaches memory that came without a file descriptor")
        return self._channel

    def _overlapping(self, address: int, end: int) -> list[DmaRange]:
        return [range_ for range_ in self._ranges if range_.address < end and address < range_.end]

    def _store(self, ranges: list[DmaRange]) -> None:
        still_used = {id(range_.mapping) for range_ in ranges}
        for range_ in self._ranges:
            if range_.mapping is not None and id(range_.mapping) not in still_used:
                with contextlib.suppress(BufferError):  # someone still reads: freed with the last reader
                    range_.mapping.close()
                still_used.add(id(range_.mapping))
        self._ranges = sorted(ranges, key=lambda range_: range_.address)
        self._starts = [range_.address for range_ in self._ranges]


def _map_file(fd: int, offset: int, size: int, flags: int) -> tuple[mmap.mmap, int]:
    """Map `size` bytes of a file from `offset` on; the mapping and the index of the first byte in it."""
    # Touching a mapping beyond the end of its file would kill this process, so the file must hold the range.
    if offset + size > os.fstat(fd).st_size:
        raise ProtocolError(errno.EINVAL, f"the file does not hold {size} bytes from {offset:#x} on")
    start = offset % mmap.ALLOCATIONGRANULARITY
    access = mmap.ACCESS_WRITE if flags & DmaFlag.WRITE else mmap.ACCESS_READ
    try:
        return mmap.mmap(fd, size + start, offset=offset - start, access=access), start
    except (OSError, OverflowError, ValueError) as reason:
        number = getattr(reason, "errno", None) or errno.EINVAL
        raise ProtocolError(number, f"the file cannot be mapped: {reason}") from reason
