"""Judges accesses to the memory BARs: the MSI-X table, its pending bits, and what else lies there."""

from __future__ import annotations

from dataclasses import replace

from tb.models.config_space import COMMAND_MEMORY, EXPANSION_ROM
from tb.models.judge.accesses.access import LANES, Access
from tb.models.judge.accesses.names import memory_name
from tb.models.judge.completions import Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.snapshots import table_entries
from tb.pcie.tlp import Tlp, TlpType

_ROM = -1
_ROM_ENABLE = 1


class TableAccesses:
    """The memory BARs, and the expansion ROM, whose content is the function's own."""

    def __init__(self, facts: Facts, access: Access, interrupts: Interrupts) -> None:
        self._facts = facts
        self._access = access
        self._interrupts = interrupts
        self._known = {facts.profile.msix_table[0], facts.profile.msix_pending[0]}

    def request(self, tlp: Tlp) -> bool:
        """A memory request was accepted; False when nothing decodes it."""
        found = self._decoded(tlp)
        if found is None:
            return False
        bar, offset = found
        if tlp.type is TlpType.MEMORY_READ:
            self._access.done(tlp, [self._word(tlp, bar, offset, place) for place in range(tlp.length)])
        else:
            self._write(tlp, bar, offset)
        return True

    def _decoded(self, tlp: Tlp) -> tuple[int, int] | None:
        """The BAR a packet lies in as a whole, and its offset there (PCI-BAR-05)."""
        config = self._facts.model.config
        if not config.command & COMMAND_MEMORY:
            return None
        for number, bar in config.bars.items():
            top = 1 << (64 if bar.wide else 32)
            base = config.bar_base(number)
            if 0 < base < top - bar.size and _inside(tlp, base, bar.size):
                return number, tlp.address - base
        size = self._facts.profile.expansion_rom
        rom = config.read(EXPANSION_ROM, 4) if size else 0
        if rom & _ROM_ENABLE and _inside(tlp, rom & -size, size):
            return _ROM, tlp.address - (rom & -size)
        return None

    @staticmethod
    def _enables(tlp: Tlp, place: int) -> int:
        if place == 0:
            return tlp.first_be
        return tlp.last_be if place == tlp.length - 1 else 0xF

    def _word(self, tlp: Tlp, bar: int, offset: int, place: int) -> Word:
        model = self._facts.model
        enables = self._enables(tlp, place)
        dw = offset + 4 * place
        mask = LANES[enables]
        where = memory_name(model, bar, dw, enables)
        if bar not in self._known:
            return Word(0, 0, where, "PCI-BAR-04")
        pending = model.pending_offset(bar, dw)
        if pending is None:
            rule = "PCI-MSIX-12" if model.table_offset(bar, dw) is None else "PCI-MSIX-03"
            return Word(model.mem_read_enabled(dw, enables, bar=bar), mask, where, rule)
        if enables != 0xF and model.profile.msix_partial_read == "zero":
            return Word(0, mask, where, "PCI-MSIX-05")
        order, key = self._access.order, self._access.order << 10 | place
        self._interrupts.read_pending(order, key, 8 * pending, mask)
        word = Word(0, 0, where, "PCI-MSIX-04", observed=mask)
        word.observe = lambda seen: self._interrupts.check_read(key, seen & mask)
        return word

    def _write(self, tlp: Tlp, bar: int, offset: int) -> None:
        """A posted write changes the table one DW after the other."""
        model = self._facts.model
        self._facts.record.accesses_scored += 1
        for place in range(tlp.length):
            before = self._facts.snapshots.latest
            value = int.from_bytes(tlp.data[4 * place : 4 * place + 4], "little")
            model.mem_write_enabled(offset + 4 * place, self._enables(tlp, place), value, bar=bar)
            entries = table_entries(model)
            if entries != before.entries:
                self._access.change(before, (), replace(before, entries=entries))


def _inside(tlp: Tlp, base: int, size: int) -> bool:
    return base <= tlp.address and tlp.address + 4 * tlp.length <= base + size
