"""Judges accesses to configuration space."""

from __future__ import annotations

from tb.models.config_space import CAPABILITY_PCIE
from tb.models.judge.accesses.access import LANES, Access
from tb.models.judge.accesses.errors import DEVICE_STATUS_ERRORS, STATUS_ERRORS, Errors
from tb.models.judge.accesses.names import register_name
from tb.models.judge.accesses.parts import config_parts
from tb.models.judge.completions import Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.snapshots import config_snapshot
from tb.pcie.tlp import Tlp, TlpType

_STATUS_DW = 0x04
_INTERRUPT_STATUS = 1 << 19
_TRANSACTIONS_PENDING = 1 << 21


class ConfigurationAccesses:
    """Configuration space, with the bits that change behind the guest's back."""

    def __init__(self, facts: Facts, access: Access, interrupts: Interrupts, errors: Errors) -> None:
        self._facts = facts
        self._access = access
        self._interrupts = interrupts
        self._errors = errors
        capability = facts.model.config.capabilities.get(CAPABILITY_PCIE)
        self._device_control = None if capability is None else capability + 8
        self._size = facts.model.config.size

    def request(self, tlp: Tlp) -> None:
        """A configuration request to this function was accepted."""
        if tlp.type is TlpType.CONFIG_READ:
            self._read(tlp)
        else:
            self._write(tlp)

    def _read(self, tlp: Tlp) -> None:
        dw, enables = tlp.address, tlp.first_be
        mask = LANES[enables]
        value = self._facts.model.config_read_enabled(dw, enables) if dw < self._size else 0
        where = f"configuration {register_name('config', dw, enables)}"
        word = Word(value, mask, where, "PCI-CFG-01", config_parts(self._facts.model.config, dw))
        if dw == _STATUS_DW:
            self._command_and_status(word, enables)
        elif dw == self._device_control:
            self._device_status(word)
        self._access.done(tlp, [word])

    def _command_and_status(self, word: Word, enables: int) -> None:
        """Interrupt Status and the error bits are not the guest's to know beforehand."""
        order = self._access.order
        if enables & 4:
            self._interrupts.read_level(order, order)
        lanes, errors = word.mask, self._errors
        word.observed = word.mask & (_INTERRUPT_STATUS | STATUS_ERRORS)
        word.mask &= ~word.observed

        def observe(seen: int) -> set[int] | None:
            if enables & 4:
                levels = self._interrupts.check_read(order, seen >> 19 & 1)
                if levels is not None:
                    return {level << 19 for level in levels}
            return errors.check(errors.status, seen, lanes)

        word.observe = observe

    def _device_status(self, word: Word) -> None:
        lanes, errors = word.mask, self._errors
        pending_before = self._facts.reads_awaited
        word.observed = word.mask & (DEVICE_STATUS_ERRORS | _TRANSACTIONS_PENDING)
        word.mask &= ~word.observed

        def observe(seen: int) -> set[int] | None:
            busy = pending_before and self._facts.reads_awaited
            if busy and lanes & _TRANSACTIONS_PENDING and not seen & _TRANSACTIONS_PENDING:
                return {_TRANSACTIONS_PENDING}
            if self._facts.reads_missing:
                errors.device_possible()  # a completion timeout is an error at a time of its own
            return errors.check(errors.device, seen, lanes)

        word.observe = observe

    def _write(self, tlp: Tlp) -> None:
        dw, enables = tlp.address, tlp.first_be
        value = int.from_bytes(tlp.data, "little")
        before = self._facts.snapshots.latest
        if dw < self._size:
            ones = value & LANES[enables]
            if dw == _STATUS_DW:
                self._errors.status.clear(ones)
            elif dw == self._device_control:
                self._errors.device.clear(ones)
            events = self._facts.model.config_write_enabled(dw, enables, value)
            self._access.change(before, events, config_snapshot(self._facts.model, before))
        self._access.done(tlp)
