"""Guest memory as the actor sees it: flat RAM regions; outside them reads give zeros and writes are lost."""

from __future__ import annotations

from mmap import mmap
from typing import Protocol

from tb.models.virtqueue import Chain


class Memory(Protocol):
    """What the actor performs DMA on."""

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes from ``address`` on."""

    def write(self, address: int, data: bytes) -> None:
        """Store ``data`` from ``address`` on."""


class Mapping(Protocol):
    """A machine that maps a request's buffers before it is served, and may be unable to."""

    def map(self, chain: Chain) -> None:
        """Called for each chain taken. Raises ``ChainError`` for one whose buffers cannot be mapped."""

    def map_table(self, address: int, length: int) -> None:
        """Called for each indirect table before it is read. Raises ``ChainError`` likewise."""

    def unmap(self, chain: Chain) -> None:
        """Called when a chain mapped before is given back."""


class Ram:
    """RAM in ``regions`` of (first address, length in bytes), which do not overlap.

    Anonymous mappings hold it: pages that nobody touches cost nothing.
    """

    __slots__ = ("_regions",)

    def __init__(self, regions: tuple[tuple[int, int], ...]) -> None:
        self._regions = tuple((base, base + length, mmap(-1, length)) for base, length in regions)

    def read(self, address: int, length: int) -> bytes:
        for base, end, content in self._regions:
            if base <= address and address + length <= end:
                return content[address - base : address - base + length]
        return self._read_across(address, length)

    def _read_across(self, address: int, length: int) -> bytes:
        """An access that is not inside one region."""
        out = bytearray(length)
        for base, end, content in self._regions:
            first, last = max(base, address), min(end, address + length)
            if first < last:
                out[first - address : last - address] = content[first - base : last - base]
        return bytes(out)

    def write(self, address: int, data: bytes) -> None:
        for base, end, content in self._regions:
            first, last = max(base, address), min(end, address + len(data))
            if first < last:
                content[first - base : last - base] = data[first - address : last - address]

    def fill(self, address: int, length: int, byte: int) -> None:
        """Set ``length`` bytes from ``address`` on to ``byte``, those outside RAM aside."""
        for base, end, content in self._regions:
            first, last = max(base, address), min(end, address + length)
            if first < last:
                content[first - base : last - base] = bytes((byte,)) * (last - first)
