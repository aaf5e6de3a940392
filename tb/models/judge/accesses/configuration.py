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
from tb.models.judge.outstanding import Reads
from tb.models.judge.snapshots import config_snapshot
from tb.pcie.tlp import Tlp, TlpType

_STATUS_DW = 0x04
_INTERRUPT_STATUS = 1 << 19
_TRANSACTIONS_PENDING = 1 << 21


class ConfigurationAccesses:
    """Configuration space, with the bits that change behind the guest's back."""

    def __init__(
        self, facts: Facts, access: Access, interrupts: Interrupts, errors: Errors, reads: Reads
    ) -> None:
        self._facts = facts
        self._access = access
        self._interrupts = interrupts
        self._errors = errors
        self._reads = reads
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
        order, accepted_ns = self._access.order, self._facts.record.time_ns
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
            return errors.status.check(order, accepted_ns, seen, lanes)

        word.observe = observe

    def _device_status(self, word: Word) -> None:
        lanes, device = word.mask, self._errors.device
        order, accepted_ns = self._access.order, self._facts.record.time_ns
        word.observed = word.mask & (DEVICE_STATUS_ERRORS | _TRANSACTIONS_PENDING)
        word.mask &= ~word.observed

        def observe(seen: int) -> set[int] | None:
            word.parts = None  # the bits of one register, each with a rule of its own
            right = self._pending(accepted_ns)
            if lanes & _TRANSACTIONS_PENDING and right is not None and seen & _TRANSACTIONS_PENDING != right:
                word.observed = _TRANSACTIONS_PENDING
                word.where, word.rule = "Device Status (Transactions Pending)", "PCI-FLR-07"
                return {right}
            word.observed = lanes & DEVICE_STATUS_ERRORS
            word.where, word.rule = "Device Status (error bits)", "PCI-CFG-05"
            return device.check(order, accepted_ns, seen, lanes)

        word.observe = observe

    def _pending(self, accepted_ns: int) -> int | None:
        """What Transactions Pending is in a read accepted then and answered now; None when it may be either.

        It is 1 while a read is outstanding, and 0 soon after the last one has ended (PCI-FLR-07).
        """
        facts = self._facts
        if self._reads.certainly_open(accepted_ns):
            return _TRANSACTIONS_PENDING
        ended_ns = facts.reads_ended_ns + facts.profile.transactions_pending_ns
        return 0 if not facts.reads and ended_ns <= accepted_ns and facts.at_rest else None

    def _write(self, tlp: Tlp) -> None:
        dw, enables = tlp.address, tlp.first_be
        value = int.from_bytes(tlp.data, "little")
        before = self._facts.snapshots.latest
        if dw < self._size:
            ones = value & LANES[enables]
            if dw == _STATUS_DW:
                self._errors.status.cleared(self._access.order, ones)
            elif dw == self._device_control:
                self._errors.device.cleared(self._access.order, ones)
            events = self._facts.model.config_write_enabled(dw, enables, value)
            self._access.change(before, events, config_snapshot(self._facts.model, before))
        self._access.done(tlp)
