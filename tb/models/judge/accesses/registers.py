"""Judges accesses to BAR0: the legacy registers and the device configuration behind them."""

from __future__ import annotations

from tb.models.config_space import COMMAND_IO
from tb.models.events import DeviceReset, Notify
from tb.models.judge.accesses.access import LANES, Access
from tb.models.judge.accesses.names import register_name
from tb.models.judge.completions import Completions, Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.snapshots import register_snapshot
from tb.pcie.tlp import Tlp, TlpType

_ISR_DW, _ISR_LANE = 0x10, 3
# A change of the device configuration shows in the registers within this time.
CONFIG_LATENCY_NS = 500


class RegisterAccesses:
    """The legacy registers."""

    def __init__(
        self, facts: Facts, access: Access, completions: Completions, interrupts: Interrupts
    ) -> None:
        self._facts = facts
        self._access = access
        self._completions = completions
        self._interrupts = interrupts
        self._old_config: tuple[int, bytes] = (-1, b"")

    def request(self, tlp: Tlp) -> bool:
        """An I/O request was accepted; False when no register answers it."""
        config = self._facts.model.config
        base = config.bar_base(0)
        size = config.bar0_size
        offset = tlp.address - base
        on = config.command & COMMAND_IO
        if not (on and 0 <= offset < size and 0 < base < 0x1_0000_0000 - size):
            return False
        if tlp.type is TlpType.IO_READ:
            self._read(tlp, offset)
        else:
            self._write(tlp, offset)
        return True

    def _read(self, tlp: Tlp, dw: int) -> None:
        enables = tlp.first_be
        model = self._facts.model
        where = register_name("config" if dw < 0 else "bar0", dw, enables)
        if dw == _ISR_DW and enables & 8:
            self._access.done(tlp, [self._isr_word(enables, where)])
            return
        value = model.io_read_enabled(dw, enables)
        word = Word(value, LANES[enables], where, "VPCI-REG-01")
        if dw >= 0x14 and self._old_config[1]:
            self._old_configuration(word, dw, enables)
        self._access.done(tlp, [word])

    def _isr_word(self, enables: int, where: str) -> Word:
        """A read with the ISR's byte enabled: the model says whether it reads the ISR, not what."""
        model, order = self._facts.model, self._access.order
        model.registers.isr = 0xFF
        value = model.io_read_enabled(_ISR_DW, enables)
        reads_isr = model.registers.isr == 0
        model.registers.isr = 0
        word = Word(value, LANES[enables], where, "VPCI-INT-02")
        if reads_isr:
            word.mask &= 0x00FF_FFFF
            self._interrupts.read_isr(order, order)
            word.observe = lambda seen: self._interrupts.check_read(order, seen >> 8 * _ISR_LANE)
        return word

    def _write(self, tlp: Tlp, dw: int) -> None:
        before = self._facts.snapshots.latest
        value = int.from_bytes(tlp.data, "little")
        model = self._facts.model
        events = model.io_write_enabled(dw, tlp.first_be, value)
        if len(events) == 1 and isinstance(events[0], Notify):
            self._access.tell(events, before)
        else:
            resets = sum(isinstance(event, DeviceReset) for event in events)
            self._access.change(before, events, register_snapshot(model, before, resets=resets))
        self._access.done(tlp)

    # --- the device configuration's own changes

    def configuration_changed(self, old: bytes) -> None:
        """The device configuration was `old` until now; a read under way may still see it."""
        self._old_config = (self._facts.record.time_ns + CONFIG_LATENCY_NS, old)
        for expected in self._completions.waiting.values():
            tlp = expected.tlp
            if tlp.type is TlpType.IO_READ and expected.words:
                dw = tlp.address - self._facts.model.config.bar_base(0)
                if dw >= 0x14:
                    self._also_new(expected.words[0], dw, tlp.first_be)

    def _also_new(self, word: Word, dw: int, enables: int) -> None:
        word.others.append(self._facts.model.io_read_enabled(dw, enables))

    def _old_configuration(self, word: Word, dw: int, enables: int) -> None:
        """For a short while after a change the old value is right, too."""
        until, old = self._old_config
        if self._facts.record.time_ns > until:
            self._old_config = (-1, b"")
            return
        base = self._facts.model.registers.config_base
        other = 0
        for lane in range(4):
            place = dw + lane - base
            byte = old[place] if 0 <= place < len(old) else 0xFF
            other |= byte << 8 * lane
        word.others.append(other)
