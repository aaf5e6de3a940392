"""Predicts the answer of every access of the host, and tells the other judges what it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tb.models.config_space import (
    BAR1_SIZE,
    COMMAND_INTX_DISABLE,
    COMMAND_IO,
    COMMAND_MEMORY,
    MSIX_PBA_OFFSET,
)
from tb.models.events import DeviceReset, Events, Notify
from tb.models.function import FunctionModel
from tb.models.judge.completions import Completions, Expected, Word
from tb.models.judge.errors import ErrorBits
from tb.models.judge.interrupts import Interrupts
from tb.models.judge.names import register_name
from tb.models.judge.record import Record
from tb.models.judge.snapshots import NO_VECTOR, Entry, Snapshot, Snapshots
from tb.models.registers import STATUS_DRIVER_OK
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType

_LANES = tuple(sum(0xFF << 8 * lane for lane in range(4) if be >> lane & 1) for be in range(16))
_SUCCESS = CompletionStatus.SUCCESS
_UNSUPPORTED = CompletionStatus.UNSUPPORTED_REQUEST
_ISR_DW, _ISR_LANE = 0x10, 3
_STATUS_DW = 0x04
_INTERRUPT_STATUS = 1 << 19
_STATUS_ERRORS = 0xF900_0000
_DEVICE_STATUS_ERRORS = 0x000F_0000
_TRANSACTIONS_PENDING = 1 << 21
_POISONED = 1 << 31
_RECEIVED_MASTER_ABORT = 1 << 29
_RECEIVED_TARGET_ABORT = 1 << 28
_DATA_PARITY = 1 << 24
_PARITY_RESPONSE = 1 << 6
_UNSUPPORTED_BIT = 1 << 19
_ANY_DEVICE_ERROR = _DEVICE_STATUS_ERRORS
# A change of the device configuration shows in the registers within this time.
CONFIG_LATENCY_NS = 500
EventTaker = Callable[[int, Events, Snapshot], None]


class Accesses:
    """The register side of the function.

    `events` takes what a write causes, with the number of the access and the registers before it;
    `reads_pending` tells whether a DMA read is outstanding now, `reads_missing` whether one gets no answer.
    """

    def __init__(
        self,
        record: Record,
        model: FunctionModel,
        interrupts: Interrupts,
        snapshots: Snapshots,
        completions: Completions,
        events: EventTaker,
        reads_pending: Callable[[], bool],
        reads_missing: Callable[[], bool],
    ) -> None:
        self._record = record
        self._model = model
        self._interrupts = interrupts
        self._snapshots = snapshots
        self._completions = completions
        self._events = events
        self._reads_pending = reads_pending
        self._reads_missing = reads_missing
        self._order = 0
        self._ids: tuple[int, ...] = (0,)
        self._captured = 0
        self._status_errors = ErrorBits(_STATUS_ERRORS)
        self._device_errors = ErrorBits(_DEVICE_STATUS_ERRORS)
        self._device_control = model.profile.pcie_capability + 8 if model.profile.pcie_capability else None
        self._old_config: tuple[int, bytes] = (-1, b"")
        self._kinds = {
            TlpType.CONFIG_READ: self._config,
            TlpType.CONFIG_WRITE: self._config,
            TlpType.IO_READ: self._io,
            TlpType.IO_WRITE: self._io,
            TlpType.MEMORY_READ: self._memory,
            TlpType.MEMORY_WRITE: self._memory,
        }

    @property
    def function_ids(self) -> tuple[int, ...]:
        """The ids the function may go by now: bus and device of the configuration requests."""
        return self._ids

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        if len(self._ids) > 1 and order >= self._captured:
            self._ids = self._ids[-1:]

    def request(self, tlp: Tlp) -> None:
        """The function has accepted a request of the host."""
        self._order += 1
        handler = self._kinds.get(tlp.type)
        if handler is not None and not (tlp.poisoned and tlp.data):
            handler(tlp)
            return
        if tlp.poisoned and tlp.data:
            self._status_errors.set(_POISONED)
            self._device_errors.suspect(_ANY_DEVICE_ERROR)
        if tlp.type not in _IGNORED:
            self._unsupported(tlp)

    def _unsupported(self, tlp: Tlp) -> None:
        """A request that no register answers: UR, or dropped when it is posted."""
        if tlp.poisoned:
            self._device_errors.suspect(_ANY_DEVICE_ERROR)
        else:
            self._device_errors.set(_UNSUPPORTED_BIT)
            self._device_errors.suspect(_ANY_DEVICE_ERROR)
        if tlp.posted:
            self._record.accesses_scored += 1
            return
        self._expect(tlp, _UNSUPPORTED, [])

    def _expect(self, tlp: Tlp, status: CompletionStatus, words: list[Word]) -> None:
        self._completions.expect(Expected(self._order, tlp, self._record.time_ns, status, words, self._ids))

    # --- configuration space

    def _config(self, tlp: Tlp) -> None:
        captured = tlp.target_id & 0xFFF8
        if captured != self._ids[-1]:
            self._ids = (self._ids[-1], captured)
            self._captured = self._order
        if tlp.target_id & 7:
            self._unsupported(tlp)
        elif tlp.type is TlpType.CONFIG_READ:
            self._config_read(tlp)
        else:
            self._config_write(tlp)

    def _config_read(self, tlp: Tlp) -> None:
        dw, enables = tlp.address, tlp.first_be
        mask = _LANES[enables]
        value = self._model.config_read_enabled(dw, enables) if dw < 256 else 0
        word = Word(value, mask, f"Configuration {register_name('config', dw, enables)}", "PCI-CFG-01")
        if dw == _STATUS_DW:
            self._command_and_status(word, enables)
        elif dw == self._device_control:
            self._device_status(word)
        self._expect(tlp, _SUCCESS, [word])

    def _command_and_status(self, word: Word, enables: int) -> None:
        """Interrupt Status and the error bits are not the guest's to know beforehand."""
        order = self._order
        word.rule = "PCI-CFG-05"
        if enables & 4:
            self._interrupts.read_level(order, order)
        lanes = word.mask
        word.mask &= ~(_INTERRUPT_STATUS | _STATUS_ERRORS)

        def observe(seen: int) -> set[int] | None:
            if enables & 4:
                levels = self._interrupts.check_read(order, seen >> 19 & 1)
                if levels is not None:
                    return {level << 19 for level in levels}
            return self._errors(self._status_errors, seen, lanes)

        word.observe = observe

    def _device_status(self, word: Word) -> None:
        word.rule = "PCI-FLR-07"
        lanes = word.mask
        pending_before = self._reads_pending()
        word.mask &= ~(_DEVICE_STATUS_ERRORS | _TRANSACTIONS_PENDING)

        def observe(seen: int) -> set[int] | None:
            busy = pending_before and self._reads_pending()
            if busy and lanes & _TRANSACTIONS_PENDING and not seen & _TRANSACTIONS_PENDING:
                return {_TRANSACTIONS_PENDING}
            if self._reads_missing():
                self.device_error_possible()  # a completion timeout is an error at a time of its own
            return self._errors(self._device_errors, seen, lanes)

        word.observe = observe

    def _errors(self, bits: ErrorBits, seen: int, lanes: int) -> set[int] | None:
        if lanes & 0xFFFF_0000 != 0xFFFF_0000:
            return None
        wrong = bits.observe(self._record.time_ns, seen)
        return None if wrong is None else set(wrong)

    def _config_write(self, tlp: Tlp) -> None:
        dw, enables = tlp.address, tlp.first_be
        value = int.from_bytes(tlp.data, "little")
        before = self._snapshots.latest
        if dw < 256:
            ones = value & _LANES[enables]
            if dw == _STATUS_DW:
                self._status_errors.clear(ones)
            elif dw == self._device_control:
                self._device_errors.clear(ones)
            events = self._model.config_write_enabled(dw, enables, value)
            self._change(before, events, config_snapshot(self._model, before))
        self._expect(tlp, _SUCCESS, [])

    # --- BAR0

    def _io(self, tlp: Tlp) -> None:
        config = self._model.config
        base = config.bar_base(0)
        size = config.bar0_size
        offset = tlp.address - base
        on = config.command & COMMAND_IO
        if not (on and 0 <= offset < size and 0 < base < 0x1_0000_0000 - size):
            self._unsupported(tlp)
        elif tlp.type is TlpType.IO_READ:
            self._io_read(tlp, offset)
        else:
            self._io_write(tlp, offset)

    def _io_read(self, tlp: Tlp, dw: int) -> None:
        enables = tlp.first_be
        model = self._model
        where = register_name("config" if dw < 0 else "bar0", dw, enables)
        if dw == _ISR_DW and enables & 8:
            self._expect(tlp, _SUCCESS, [self._isr_word(enables, where)])
            return
        value = model.io_read_enabled(dw, enables)
        word = Word(value, _LANES[enables], where, "VPCI-REG-01")
        if dw >= 0x14 and self._old_config[1]:
            self._old_configuration(word, dw, enables)
        self._expect(tlp, _SUCCESS, [word])

    def _isr_word(self, enables: int, where: str) -> Word:
        """A read with the ISR's byte enabled: the model says whether it reads the ISR, not what."""
        model, order = self._model, self._order
        model.registers.isr = 0xFF
        value = model.io_read_enabled(_ISR_DW, enables)
        reads_isr = model.registers.isr == 0
        model.registers.isr = 0
        word = Word(value, _LANES[enables], where, "VPCI-INT-02")
        if reads_isr:
            word.mask &= 0x00FF_FFFF
            self._interrupts.read_isr(order, order)
            word.observe = lambda seen: self._interrupts.check_read(order, seen >> 8 * _ISR_LANE)
        return word

    def _io_write(self, tlp: Tlp, dw: int) -> None:
        before = self._snapshots.latest
        value = int.from_bytes(tlp.data, "little")
        events = self._model.io_write_enabled(dw, tlp.first_be, value)
        if len(events) == 1 and isinstance(events[0], Notify):
            self._events(self._order, events, before)
        else:
            self._change(before, events, self._register_snapshot(before, events))
        self._expect(tlp, _SUCCESS, [])

    def _register_snapshot(self, before: Snapshot, events: Events) -> Snapshot:
        """The registers after a write to BAR0."""
        registers = self._model.registers
        vectors = registers.vectors
        resets = sum(isinstance(event, DeviceReset) for event in events)
        return replace(
            before,
            generation=before.generation + resets,
            bus_master=self._model.may_dma,
            config_vector=registers.config_vector,
            vectors=tuple(vectors.get(queue, NO_VECTOR) for queue in range(len(before.vectors))),
            driver_ok=bool(registers.status & STATUS_DRIVER_OK),
            features=registers.features,
        )

    # --- the device configuration's own changes

    def configuration_changed(self, old: bytes) -> None:
        """The device configuration was `old` until now; a read under way may still see it."""
        self._old_config = (self._record.time_ns + CONFIG_LATENCY_NS, old)
        for expected in self._completions.waiting.values():
            tlp = expected.tlp
            if tlp.type is TlpType.IO_READ and expected.words:
                dw = tlp.address - self._model.config.bar_base(0)
                if dw >= 0x14:
                    self._also_new(expected.words[0], dw, tlp.first_be)

    def _also_new(self, word: Word, dw: int, enables: int) -> None:
        word.others.append(self._model.io_read_enabled(dw, enables))

    def _old_configuration(self, word: Word, dw: int, enables: int) -> None:
        """For a short while after a change the old value is right, too."""
        until, old = self._old_config
        if self._record.time_ns > until:
            self._old_config = (-1, b"")
            return
        base = self._model.registers.config_base
        other = 0
        for lane in range(4):
            place = dw + lane - base
            byte = old[place] if 0 <= place < len(old) else 0xFF
            other |= byte << 8 * lane
        word.others.append(other)

    # --- BAR1

    def _memory(self, tlp: Tlp) -> None:
        config = self._model.config
        base = config.bar_base(1)
        offset = tlp.address - base
        on = config.has_msix and config.command & COMMAND_MEMORY
        inside = offset >= 0 and offset + 4 * tlp.length <= BAR1_SIZE
        if not (on and inside and 0 < base < 0x1_0000_0000 - BAR1_SIZE):
            self._unsupported(tlp)
        elif tlp.type is TlpType.MEMORY_READ:
            words = [self._table_word(tlp, offset, place) for place in range(tlp.length)]
            self._expect(tlp, _SUCCESS, words)
        else:
            self._memory_write(tlp, offset)

    @staticmethod
    def _enables(tlp: Tlp, place: int) -> int:
        if place == 0:
            return tlp.first_be
        return tlp.last_be if place == tlp.length - 1 else 0xF

    def _table_word(self, tlp: Tlp, offset: int, place: int) -> Word:
        enables = self._enables(tlp, place)
        dw = offset + 4 * place
        mask = _LANES[enables]
        where = register_name("bar1", dw, enables)
        pending_end = MSIX_PBA_OFFSET + 8 * (-(-self._model.msix.entries // 64))
        if not MSIX_PBA_OFFSET <= dw < pending_end:
            return Word(self._model.mem_read_enabled(dw, enables), mask, where, "PCI-MSIX-03")
        if enables != 0xF and self._model.profile.msix_partial_read == "zero":
            return Word(0, mask, where, "PCI-MSIX-05")
        order, key = self._order, self._order << 10 | place
        self._interrupts.read_pending(order, key, 8 * (dw - MSIX_PBA_OFFSET), mask)
        return Word(0, 0, where, "PCI-MSIX-04", lambda seen: self._interrupts.check_read(key, seen & mask))

    def _memory_write(self, tlp: Tlp, offset: int) -> None:
        """A posted write changes the table one DW after the other."""
        self._record.accesses_scored += 1
        for place in range(tlp.length):
            before = self._snapshots.latest
            value = int.from_bytes(tlp.data[4 * place : 4 * place + 4], "little")
            self._model.mem_write_enabled(offset + 4 * place, self._enables(tlp, place), value)
            entries = _entries(self._model)
            if entries != before.entries:
                self._change(before, (), replace(before, entries=entries))

    # --- what changes

    def _change(self, before: Snapshot, events: Events, after: Snapshot) -> None:
        """Tell the other judges what the access being judged changes."""
        if after != before:
            self._snapshots.push(self._order, after)
            self._interrupts.write(self._order, before, after)
        if events:
            self._events(self._order, events, before)

    # --- errors on the DMA side

    def dma_error(self, tlp: Tlp, *, expected: bool) -> None:
        """A completion from the host went wrong, or was not `expected` by anybody."""
        bits = 0
        if tlp.poisoned:
            parity = self._model.config.command & _PARITY_RESPONSE
            bits = _POISONED | (_DATA_PARITY if parity else 0)
        elif tlp.status == _UNSUPPORTED:
            bits = _RECEIVED_MASTER_ABORT
        elif tlp.status == CompletionStatus.ABORT:
            bits = _RECEIVED_TARGET_ABORT
        if expected:
            self._status_errors.happened(self._record.time_ns, bits)
        else:
            self._status_errors.suspect(bits)
        self.device_error_possible()

    def device_error_possible(self) -> None:
        """Something happened that may set a bit of the Device Status register."""
        self._device_errors.suspect(_ANY_DEVICE_ERROR)


_IGNORED = frozenset({
    TlpType.MESSAGE, TlpType.MESSAGE_DATA, TlpType.COMPLETION, TlpType.COMPLETION_DATA,
    TlpType.COMPLETION_LOCKED, TlpType.COMPLETION_DATA_LOCKED,
})  # fmt: skip


def config_snapshot(model: FunctionModel, before: Snapshot) -> Snapshot:
    """`before` with what configuration space holds now."""
    payload, request = 128, 512
    if model.profile.pcie_capability:
        control = model.config.read(model.profile.pcie_capability + 8, 2)
        largest = 128 << (model.config.read(model.profile.pcie_capability + 4, 1) & 7)
        payload = min(128 << (control >> 5 & 7), largest)
        request = min(128 << (control >> 12 & 7), 4096)
    return replace(
        before,
        bus_master=model.may_dma,
        max_payload=payload,
        max_read_request=request,
        intx_disable=bool(model.config.command & COMMAND_INTX_DISABLE),
        msix_enable=model.msix.enabled,
        function_mask=model.msix.function_masked,
        driver_ok=bool(model.registers.status & STATUS_DRIVER_OK),
    )


def first_snapshot(model: FunctionModel) -> Snapshot:
    """The registers after a cold reset."""
    queues = len(model.device.queue_sizes)
    return config_snapshot(model, Snapshot(vectors=(NO_VECTOR,) * queues, entries=_entries(model)))


def _entries(model: FunctionModel) -> tuple[Entry, ...]:
    """The MSI-X table."""
    entries = []
    for vector in range(model.msix.entries):
        low, high, data, control = model.msix.entry(vector)
        entries.append(Entry(high << 32 | low, data, bool(control & 1)))
    return tuple(entries)
