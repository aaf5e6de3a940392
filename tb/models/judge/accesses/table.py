"""Judges accesses to BAR1: the MSI-X table and its pending bits."""

from __future__ import annotations

from dataclasses import replace

from tb.models.config_space import BAR1_SIZE, COMMAND_MEMORY, MSIX_PBA_OFFSET
from tb.models.judge.accesses.access import LANES, Access
from tb.models.judge.accesses.names import register_name
from tb.models.judge.completions import Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.snapshots import table_entries
from tb.pcie.tlp import Tlp, TlpType


class TableAccesses:
    """The MSI-X table."""

    def __init__(self, facts: Facts, access: Access, interrupts: Interrupts) -> None:
        self._facts = facts
        self._access = access
        self._interrupts = interrupts

    def request(self, tlp: Tlp) -> bool:
        """A memory request was accepted; False when the table does not answer it."""
        config = self._facts.model.config
        base = config.bar_base(1)
        offset = tlp.address - base
        on = config.has_msix and config.command & COMMAND_MEMORY
        inside = offset >= 0 and offset + 4 * tlp.length <= BAR1_SIZE
        if not (on and inside and 0 < base < 0x1_0000_0000 - BAR1_SIZE):
            return False
        if tlp.type is TlpType.MEMORY_READ:
            self._access.done(tlp, [self._word(tlp, offset, place) for place in range(tlp.length)])
        else:
            self._write(tlp, offset)
        return True

    @staticmethod
    def _enables(tlp: Tlp, place: int) -> int:
        if place == 0:
            return tlp.first_be
        return tlp.last_be if place == tlp.length - 1 else 0xF

    def _word(self, tlp: Tlp, offset: int, place: int) -> Word:
        enables = self._enables(tlp, place)
        dw = offset + 4 * place
        mask = LANES[enables]
        where = register_name("bar1", dw, enables)
        pending_end = MSIX_PBA_OFFSET + 8 * (-(-self._facts.model.msix.entries // 64))
        if not MSIX_PBA_OFFSET <= dw < pending_end:
            return Word(self._facts.model.mem_read_enabled(dw, enables), mask, where, "PCI-MSIX-03")
        if enables != 0xF and self._facts.model.profile.msix_partial_read == "zero":
            return Word(0, mask, where, "PCI-MSIX-05")
        order, key = self._access.order, self._access.order << 10 | place
        self._interrupts.read_pending(order, key, 8 * (dw - MSIX_PBA_OFFSET), mask)
        return Word(0, 0, where, "PCI-MSIX-04", lambda seen: self._interrupts.check_read(key, seen & mask))

    def _write(self, tlp: Tlp, offset: int) -> None:
        """A posted write changes the table one DW after the other."""
        self._facts.record.accesses_scored += 1
        for place in range(tlp.length):
            before = self._facts.snapshots.latest
            value = int.from_bytes(tlp.data[4 * place : 4 * place + 4], "little")
            self._facts.model.mem_write_enabled(offset + 4 * place, self._enables(tlp, place), value)
            entries = table_entries(self._facts.model)
            if entries != before.entries:
                self._access.change(before, (), replace(before, entries=entries))
