"""The function's answers: requests of the host, executed in order, completed some time later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from tb.models.config_space import CAPABILITY_PCIE, COMMAND, COMMAND_IO, COMMAND_MEMORY, STATUS
from tb.models.events import NOTHING, Events
from tb.models.function import FunctionModel
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, completion_for
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock, Signal, Steps, Task
from tb.selfplay.lies import Liar
from tb.selfplay.player.answer_lies import spoil_completion, spoil_value, write_is_lost
from tb.selfplay.wire import Wire

_BOUNDARY = 64
_PARITY_ERROR, _MASTER_ABORT, _TARGET_ABORT, _DATA_PARITY = 1 << 15, 1 << 13, 1 << 12, 1 << 8
_PARITY_RESPONSE = 1 << 6
_TRANSACTIONS_PENDING = 1 << 5
_IGNORED = frozenset({
    TlpType.MESSAGE, TlpType.MESSAGE_DATA, TlpType.COMPLETION, TlpType.COMPLETION_DATA,
    TlpType.COMPLETION_LOCKED, TlpType.COMPLETION_DATA_LOCKED,
})  # fmt: skip
ERROR_NS = 800


class Following(Protocol):
    """The rest of the function, as far as an access reaches it."""

    def follow(self, events: Events) -> None:
        """A write has caused these events."""

    def before_completion(self) -> None:
        """A completion leaves next."""

    def reads_wait(self) -> bool:
        """Whether DMA reads are outstanding."""

    def long_idle(self) -> bool:
        """Whether no read has been outstanding for long."""

    def payload(self) -> int:
        """Max_Payload_Size now, bytes."""

    def captured(self, requester_id: int) -> None:
        """The function goes by this id from now on."""


class Answers:
    """Takes requests, executes them on the model, completes them."""

    def __init__(
        self, wire: Wire, clock: Clock, model: FunctionModel, settings: Settings, liar: Liar, rest: Following
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._model = model
        self._pcie = model.config.capabilities[CAPABILITY_PCIE]
        self._settings = settings
        self._liar = liar
        self._rest = rest
        self._inbox: deque[Tlp] = deque()
        self._arrived = Signal()
        self._due = 0
        self._life = 0
        self._waited = False
        self.completer_id = 0
        self._worker = Task(self._work())
        self._kinds: dict[int, Callable[[Tlp], None]] = {
            TlpType.CONFIG_READ: self._config,
            TlpType.CONFIG_WRITE: self._config,
            TlpType.IO_READ: self._io,
            TlpType.IO_WRITE: self._io,
            TlpType.MEMORY_READ: self._memory,
            TlpType.MEMORY_WRITE: self._memory,
        }

    def start(self) -> None:
        """Work on what comes, from now on."""
        self._worker = self._clock.spawn(self._work())

    def accept(self, tlp: Tlp) -> None:
        """The host has sent a request."""
        self._waited = self._rest.reads_wait()
        self._inbox.append(tlp)
        self._clock.fire(self._arrived)

    def _work(self) -> Steps[None]:
        while True:
            while not self._inbox:
                self._arrived = Signal()
                yield self._arrived
            yield self._settings.wait()
            self._execute(self._inbox.popleft())

    def _execute(self, tlp: Tlp) -> None:
        if tlp.type in _IGNORED:
            return
        handler = self._kinds.get(tlp.type)
        if tlp.poisoned and tlp.data:
            self._model.config.set_bits(STATUS, _PARITY_ERROR)
            self._refuse(tlp, "poisoned")
        elif handler is None:
            self._refuse(tlp)
        else:
            handler(tlp)

    # --- completions

    def _refuse(self, tlp: Tlp, why: str = "unsupported") -> None:
        kind = f"{why}_posted" if tlp.posted else f"{why}_non_posted"
        if not (self._would_show(kind) and self._liar.lies("request_error_missing")):
            self._set_device_bits(kind)
        if not tlp.posted:
            hidden = self._liar.lies("refusal_hidden")
            self._finish(tlp, b"" if not hidden else bytes(4 * tlp.length), refused=not hidden)

    def _finish(self, tlp: Tlp, data: bytes = b"", *, refused: bool = False) -> None:
        """Complete a request some time from now."""
        status = CompletionStatus.UNSUPPORTED_REQUEST if refused else CompletionStatus.SUCCESS
        completer, life = self.completer_id, self._life
        due = self._clock.now + self._settings.wait()
        if not self._settings.takes("completions_overtake"):
            due = self._due = max(due, self._due)

        def send() -> None:
            if life == self._life:
                self._rest.before_completion()
                self._send(tlp, self._at_last(tlp, data), status, completer)

        self._clock.call(due - self._clock.now, send)

    def _at_last(self, tlp: Tlp, data: bytes) -> bytes:
        """Transactions Pending is told as it is when the completion leaves."""
        if not data or not self._is_device_status(tlp) or self._settings.takes("pending_now"):
            return data
        bits = int.from_bytes(data, "little") & ~(_TRANSACTIONS_PENDING << 16)
        if self._told_pending() and tlp.first_be & 4:
            bits |= _TRANSACTIONS_PENDING << 16
        return bits.to_bytes(4, "little")

    def _told_pending(self) -> bool:
        waits = self._rest.reads_wait()
        if waits and self._waited and self._liar.lies("pending_clear"):
            return False
        if self._rest.long_idle() and self._liar.lies("pending_stuck"):
            return True
        return waits

    def _is_device_status(self, tlp: Tlp) -> bool:
        return tlp.type is TlpType.CONFIG_READ and tlp.address == self._pcie + 8

    def _send(self, tlp: Tlp, data: bytes, status: CompletionStatus, completer: int) -> None:
        start = 0
        while True:
            count = self._part(tlp, data, start)
            whole = data[start : start + count]
            answer = completion_for(
                tlp, whole, status=status, completer_id=completer, start=self._done(tlp, start)
            )
            if tlp.type is TlpType.MEMORY_READ_LOCKED:
                answer.type = TlpType.COMPLETION_LOCKED
            for packet, spoilt in spoil_completion(self._liar, answer):
                self._wire.complete(packet, spoilt=spoilt)
            start += count
            if start >= len(data):
                return

    @staticmethod
    def _done(tlp: Tlp, start: int) -> int:
        """Enabled bytes ahead of payload byte `start`."""
        lead = (tlp.first_be & -tlp.first_be).bit_length() - 1 if tlp.first_be else 0
        return start - lead if start else 0

    def _part(self, tlp: Tlp, data: bytes, start: int) -> int:
        """Payload bytes of the next part, which ends on a boundary or with the request."""
        rest = len(data) - start
        cut = _BOUNDARY - (tlp.address + start) % _BOUNDARY
        if cut < rest and self._liar.lies("completion_off_boundary"):
            return 4 if cut != 4 else 8
        if tlp.type is TlpType.MEMORY_READ and cut < rest and self._settings.takes("completion_parts"):
            return cut
        most = self._rest.payload()
        if rest > most:
            place = tlp.address + start
            return (place + most) // _BOUNDARY * _BOUNDARY - place
        return rest

    # --- what an access does

    def _config(self, tlp: Tlp) -> None:
        self._capture(tlp)
        if tlp.target_id & 7:
            self._refuse(tlp)
            return
        dw, model = tlp.address, self._model
        if tlp.type is TlpType.CONFIG_READ:
            if self._is_device_status(tlp):
                self._show_pending()
            value = model.config_read_enabled(dw, tlp.first_be) if dw < model.config.size else 0
            self._read(tlp, "config", dw, [value])
        elif dw < model.config.size:
            value = int.from_bytes(tlp.data, "little")
            self._written(tlp, lambda: model.config_write_enabled(dw, tlp.first_be, value))
        else:
            self._finish(tlp)

    def _capture(self, tlp: Tlp) -> None:
        if tlp.type is TlpType.CONFIG_WRITE or not self._settings.has("id_of_writes"):
            self.completer_id = tlp.target_id & 0xFFF8
            self._rest.captured(self.completer_id)

    def _show_pending(self) -> None:
        config = self._model.config
        if self._rest.reads_wait():
            config.set_bits(self._pcie + 10, _TRANSACTIONS_PENDING)
        else:
            config.clear_bits(self._pcie + 10, _TRANSACTIONS_PENDING)

    def _io(self, tlp: Tlp) -> None:
        model = self._model
        base, size = model.config.bar_base(0), model.config.bar0_size
        offset = tlp.address - base
        on = model.config.command & COMMAND_IO
        if not (on and 0 <= offset < size and 0 < base < 0x1_0000_0000 - size):
            self._refuse(tlp)
        elif tlp.type is TlpType.IO_READ:
            kept = model.registers.isr, model.registers.intx_pending
            value = model.io_read_enabled(offset, tlp.first_be)
            if kept[0] and not model.registers.isr and self._liar.lies("isr_kept"):
                model.registers.isr, model.registers.intx_pending = kept
            self._read(tlp, "io", offset, [value])
        else:
            value = int.from_bytes(tlp.data, "little")
            self._written(tlp, lambda: model.io_write_enabled(offset, tlp.first_be, value))

    def _memory(self, tlp: Tlp) -> None:
        model = self._model
        found = self._decoded(tlp)
        if found is None:
            self._refuse(tlp)
            return
        bar, offset = found
        if tlp.type is TlpType.MEMORY_READ:
            values = [
                model.mem_read_enabled(offset + 4 * place, _enables(tlp, place), bar=bar)
                for place in range(tlp.length)
            ]
            table, pending = model.table_offset(bar, offset), model.pending_offset(bar, offset)
            space = "table" if table is not None else "pending" if pending is not None else "memory"
            self._read(tlp, space, table or pending or 0, values)
        else:
            self._memory_write(tlp, bar, offset)

    def _decoded(self, tlp: Tlp) -> tuple[int, int] | None:
        """The memory BAR a packet lies in as a whole, and its offset there (PCI-BAR-05)."""
        config = self._model.config
        if not config.command & COMMAND_MEMORY:
            return None
        for number, bar in config.bars.items():
            base = config.bar_base(number)
            offset = tlp.address - base
            set_up = 0 < base < (1 << (64 if bar.wide else 32)) - bar.size
            if set_up and offset >= 0 and offset + 4 * tlp.length <= bar.size:
                return number, offset
        return None

    def _memory_write(self, tlp: Tlp, bar: int, offset: int) -> None:
        model = self._model
        for place in range(tlp.length):
            value = int.from_bytes(tlp.data[4 * place : 4 * place + 4], "little")
            enables = _enables(tlp, place)
            if not write_is_lost(self._liar, model, tlp, model.table_offset(bar, offset + 4 * place), value):
                self._rest.follow(model.mem_write_enabled(offset + 4 * place, enables, value, bar=bar))

    def _read(self, tlp: Tlp, space: str, offset: int, values: list[int]) -> None:
        first = spoil_value(self._liar, self._model, space, offset, tlp.first_be, values[0])
        self._finish(tlp, b"".join(value.to_bytes(4, "little") for value in (first, *values[1:])))

    def _written(self, tlp: Tlp, write: Callable[[], Events]) -> None:
        base = self._model.config.bar_base(0) if tlp.type is TlpType.IO_WRITE else 0
        value = int.from_bytes(tlp.data, "little")
        lost = write_is_lost(self._liar, self._model, tlp, tlp.address - base, value)
        self._rest.follow(NOTHING if lost else write())
        self._finish(tlp)

    # --- errors

    def dma_error(self, tlp: Tlp | None, awaited: bool) -> None:
        """A completion for a DMA read went wrong (None: it never came), or nobody has asked for it."""
        bits, kind = 0, ""
        if tlp is None:
            kind = "completion_timeout"
        elif not awaited:
            kind = "unexpected_completion"
        elif tlp.poisoned:
            parity = self._model.config.read(COMMAND, 2) & _PARITY_RESPONSE
            bits, kind = _PARITY_ERROR | (_DATA_PARITY if parity else 0), "poisoned_completion"
        elif tlp.status == CompletionStatus.UNSUPPORTED_REQUEST:
            bits = _MASTER_ABORT
        elif tlp.status == CompletionStatus.ABORT:
            bits = _TARGET_ABORT
        else:
            kind = "malformed_completion"
        if kind:
            self._set_device_bits(kind)
        if bits & ~self._model.config.read(STATUS, 2) and self._liar.lies("error_missing"):
            return
        self._set_late(bits)

    def _set_late(self, bits: int) -> None:
        config, life = self._model.config, self._life
        if not self._settings.takes("errors_show_late"):
            config.set_bits(STATUS, bits)
            return

        def show() -> None:
            if life == self._life:
                config.set_bits(STATUS, bits)

        self._clock.call(int(ERROR_NS * self._settings.rng.random()), show)

    def _would_show(self, kind: str) -> bool:
        """Whether an error sets a bit that is not set yet."""
        bits = self._model.profile.device_status_bits[kind]
        return bool(bits & ~self._model.config.read(self._pcie + 10, 2))

    def _set_device_bits(self, kind: str) -> None:
        self._model.config.set_bits(self._pcie + 10, self._model.profile.device_status_bits[kind])

    def power_cycle(self) -> None:
        """What was under way is lost."""
        self._inbox.clear()
        self._worker.alive = False
        self._life += 1
        self._due = 0
        self.completer_id = 0
        self.start()


def _enables(tlp: Tlp, place: int) -> int:
    if place == 0:
        return tlp.first_be
    return tlp.last_be if place == tlp.length - 1 else 0xF
