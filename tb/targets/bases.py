"""Where a function's BARs lie, as whoever makes its configuration accesses can see."""

from __future__ import annotations

BAR0 = 0x10
_REGISTERS = 6
_IO_MASK, _MEMORY_MASK = 0xFFFF_FFFC, 0xFFFF_FFF0
_KIND, _WIDE = 7, 4


class BarBases:
    """Follows the guest's reads and writes of the BARs: the bases are those written last."""

    def __init__(self) -> None:
        self._written = [0] * _REGISTERS
        self._wide = [False] * _REGISTERS

    @property
    def io(self) -> int:
        """Base of BAR0 in I/O space."""
        return self._written[0] & _IO_MASK

    def memory(self, bar: int) -> int:
        """Base of a memory BAR, of 64 bits where its register says so."""
        base = self._written[bar] & _MEMORY_MASK
        return base | self._written[bar + 1] << 32 if self._wide[bar] else base

    def read(self, offset: int, size: int, value: int) -> None:
        """A configuration read returned `value`: the low bits of a BAR tell its kind."""
        index = (offset - BAR0) >> 2
        if 0 <= index < _REGISTERS - 1 and offset & 3 == 0 and not self._upper(index):
            self._wide[index] = value & _KIND == _WIDE

    def write(self, offset: int, size: int, value: int) -> None:
        """A configuration write was made."""
        index = (offset - BAR0) >> 2
        if not 0 <= index < _REGISTERS:
            return
        lane = 8 * (offset & 3)
        mask = ((1 << 8 * size) - 1) << lane
        self._written[index] = self._written[index] & ~mask | value << lane & mask

    def _upper(self, index: int) -> bool:
        """Whether a register is the upper half of the BAR before it."""
        return index > 0 and self._wide[index - 1]
