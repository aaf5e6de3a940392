"""Judges accesses to BAR0: the legacy registers and the device configuration behind them."""

from __future__ import annotations

from tb.models.config_space import COMMAND_IO
from tb.models.events import DeviceReset, Notify
from tb.models.judge.accesses.access import LANES, Access
from tb.models.judge.accesses.device_config import FIRST_DW, DeviceConfig
from tb.models.judge.accesses.names import register_name
from tb.models.judge.accesses.parts import RegisterHistory, bar0_parts
from tb.models.judge.completions import Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.snapshots import register_snapshot
from tb.pcie.tlp import Tlp, TlpType

_ISR_DW, _ISR_LANE = 0x10, 3
_ISR_BITS = 0xFF << 8 * _ISR_LANE


class RegisterAccesses:
    """The legacy registers; `device_config` judges what lies behind them."""

    def __init__(self, facts: Facts, access: Access, interrupts: Interrupts) -> None:
        self._facts = facts
        self._access = access
        self._interrupts = interrupts
        self.device_config = DeviceConfig(facts)
        self._history = RegisterHistory(facts.model)

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
        word = Word(value, LANES[enables], where, "VPCI-REG-01", bar0_parts(self._history, model, dw))
        if dw >= FIRST_DW:
            self.device_config.read(self._access.order, word, dw)
        self._access.done(tlp, [word])

    def _isr_word(self, enables: int, where: str) -> Word:
        """A read with the ISR's byte enabled: the model says whether it reads the ISR, not what."""
        model, order = self._facts.model, self._access.order
        model.registers.isr = 0xFF
        value = model.io_read_enabled(_ISR_DW, enables)
        reads_isr = model.registers.isr == 0
        model.registers.isr = 0
        parts = bar0_parts(self._history, model, _ISR_DW)
        word = Word(value, LANES[enables], where, "VPCI-INT-02", parts)
        if reads_isr:
            word.mask &= ~_ISR_BITS
            word.observed = _ISR_BITS
            self._interrupts.read_isr(order, order)

            def observe(seen: int) -> set[int] | None:
                self.device_config.isr(order, seen >> 8 * _ISR_LANE)
                values = self._interrupts.check_read(order, seen >> 8 * _ISR_LANE)
                return None if values is None else {value << 8 * _ISR_LANE for value in values}

            word.observe = observe
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
            self._history.written(dw, tlp.first_be)
            if resets:
                self._history.reset()
            after = register_snapshot(model, before, resets=resets)
            self.device_config.registers_written(before, after)
            self._access.change(before, events, after)
        self._access.done(tlp)
