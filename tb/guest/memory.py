"""Guest RAM: sparse pages over the whole 64-bit space, and a bump allocator.

A page exists once it has been written; everything else reads zero. So a ring may lie beyond 4 GiB, a queue of
32768 entries costs what it uses, and a buffer may be put at any address a test asks for.
"""

from __future__ import annotations

PAGE = 1 << 16
LOW_BASE = 0x0010_0000
HIGH_BASE = 0x1_0000_0000
LOW_LIMIT = 0xFEC0_0000
"""Low RAM ends below the interrupt message window."""


class OutOfMemoryError(MemoryError):
    """No room is left in the asked part of guest RAM."""


class SparseMemory:
    """Implements `HostMemory`. Addresses and lengths in bytes."""

    __slots__ = ("_base", "_next", "_pages")

    def __init__(self, base: int = LOW_BASE) -> None:
        self._pages: dict[int, bytearray] = {}
        self._base = base
        self._next = base

    def forget(self) -> None:
        """All bytes are zero again and nothing is allocated."""
        self._pages.clear()
        self._next = self._base

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`; never-written bytes are zero."""
        page, offset = divmod(address, PAGE)
        if offset + length <= PAGE:
            stored = self._pages.get(page)
            return bytes(length) if stored is None else bytes(stored[offset : offset + length])
        parts = []
        while length > 0:
            piece = min(length, PAGE - offset)
            parts.append(self.read(page * PAGE + offset, piece))
            length -= piece
            page, offset = page + 1, 0
        return b"".join(parts)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store `data` from `address` on."""
        page, offset = divmod(address, PAGE)
        length = len(data)
        if offset + length <= PAGE:
            stored = self._pages.get(page)
            if stored is None:
                stored = self._pages[page] = bytearray(PAGE)
            stored[offset : offset + length] = data
            return
        done = 0
        while done < length:
            piece = min(length - done, PAGE - offset)
            self.write(page * PAGE + offset, data[done : done + piece])
            done += piece
            page, offset = page + 1, 0

    def allocate(self, length: int, align: int = 16) -> int:
        """Reserve zeroed bytes below 4 GiB."""
        base = -(-self._next // align) * align
        if base + length > LOW_LIMIT:
            raise OutOfMemoryError(f"no {length} bytes are left below {LOW_LIMIT:#x}")
        self._next = base + length
        return base


class Arena:
    """A bump allocator over addresses of the caller's choice, for buffers that must lie somewhere special."""

    __slots__ = ("_limit", "_next")

    def __init__(self, base: int = HIGH_BASE, length: int = 1 << 40) -> None:
        self._next = base
        self._limit = base + length

    def allocate(self, length: int, align: int = 16) -> int:
        """Reserve `length` bytes at a multiple of `align`."""
        base = -(-self._next // align) * align
        if base + length > self._limit:
            raise OutOfMemoryError(f"no {length} bytes are left below {self._limit:#x}")
        self._next = base + length
        return base
