"""The function's interrupts: causes take effect some time later,
messages and INTx leave some time after that.
"""

from __future__ import annotations

from collections.abc import Callable

from tb.models.function import FunctionModel
from tb.models.msix import NO_VECTOR, Message
from tb.models.registers import ISR_QUEUE, STATUS_DRIVER_OK
from tb.pcie.tlp import MessageCode, intx_message, memory_write
from tb.selfplay.choices import LATENCY_NS, MODERATION_NS, Settings
from tb.selfplay.clock import Clock
from tb.selfplay.lies import Liar
from tb.selfplay.player.port import Port

LATE_NS = 2_000_000
_DEASSERT_NS = 500
_NOWHERE = 0x1000_0000


class Interrupter:
    """Follows the model's ISR, pending bits and line with packets."""

    def __init__(
        self, clock: Clock, model: FunctionModel, port: Port, settings: Settings, liar: Liar
    ) -> None:
        self._clock = clock
        self._model = model
        self._port = port
        self._settings = settings
        self._liar = liar
        self._line = False
        self._generation = 0
        self._more: dict[int, int] = {}
        self._held: set[int] = set()
        self._had_messages = False
        self._stalled: list[Callable[[], None]] = []

    # --- causes

    def queue_cause(self, queue: int) -> None:
        """The guest wants an interrupt for what `queue` has used."""
        if self._lost():
            return
        if not self._settings.takes("moderated"):
            self._later(lambda: self._fire(queue), self._latency())
        elif queue not in self._held:
            self._held.add(queue)
            self._later(lambda: self._release(queue), int(MODERATION_NS * self._settings.rng.random()))

    def _lost(self) -> bool:
        msix = self._model.msix.enabled
        name = "message_missing" if msix else "assert_missing"
        if self._liar.name == name and self._liar.told:
            return True
        return (msix or not self._line) and self._sends(msix) and self._liar.lies(name)

    def _sends(self, msix: bool) -> bool:
        """Whether an interrupt would leave now, for lies that would not be lies else."""
        model = self._model
        if not msix:
            return not model.intx_line
        table = model.msix
        vectors = range(table.entries)
        named = {*model.registers.vectors.values(), model.registers.config_vector}
        return (
            model.bus_master
            and all(v not in named or not table.is_masked(v) for v in vectors)
            and not table.pending
        )

    def _release(self, queue: int) -> None:
        self._held.discard(queue)
        self._fire(queue)

    def config_cause(self) -> None:
        """The device configuration has changed."""
        running = bool(self._model.registers.status & STATUS_DRIVER_OK)
        if running and self._sends(self._model.msix.enabled) and self._liar.lies("config_interrupt_missing"):
            return
        self._later(self._fire_config, self._latency())

    def _latency(self) -> int:
        if self._liar.name in ("message_late", "assert_late") and self._liar.lies(self._liar.name):
            return LATE_NS
        if self._settings.takes("interrupt_delayed"):
            return int(LATENCY_NS * self._settings.rng.random())
        return self._settings.wait()

    def _later(self, what: Callable[[], None], delay: int) -> None:
        generation = self._generation

        def run() -> None:
            if generation == self._generation:
                what()

        self._clock.call(delay, run)

    def _sneak(self) -> None:
        """Send what is pending behind a mask, as a lie."""
        pending = self._model.msix.pending
        vector = (pending & -pending).bit_length() - 1
        if (
            pending
            and self._model.msix.enabled
            and not self._may_send(vector)
            and self._liar.lies("message_masked")
        ):
            self._send(vector)

    def _fire(self, queue: int) -> None:
        if self._model.halted and self._model.msix.enabled:
            self._stalled.append(lambda: self._fire(queue))
        else:
            self._after(self._model.queue_interrupt(queue))
            self._tell_although_halted()

    def _fire_config(self) -> None:
        if self._model.halted and self._model.msix.enabled:
            self._stalled.append(self._fire_config)
        else:
            self._after(self._model.config_interrupt())
            self._tell_although_halted()

    def _tell_although_halted(self) -> None:
        """INTx is no DMA: it is told without bus master, too."""
        if self._model.halted and self._model.registers.isr:
            self._model.registers.intx_pending = True

    def _after(self, message: Message | None) -> None:
        if message is None:
            self._sneak()
            self._later(self._follow, self._settings.wait())
        elif self._model.bus_master or self._model.profile.msix_pending_without_bus_master == "pending":
            self._pend(message.vector)
            self._later(lambda: self._attempt(message.vector), self._settings.wait())

    def _pend(self, vector: int) -> None:
        """A message is under way until it is sent, and shows as pending."""
        table, settings = self._model.msix, self._settings
        if table.pending >> vector & 1:
            most = 99 if settings.takes("message_for_all") else 1 if settings.takes("message_each") else 0
            self._more[vector] = min(self._more.get(vector, 0) + 1, max(most, self._more.get(vector, 0)))
        table.pending |= 1 << vector

    # --- what leaves

    def due(self, message: Message) -> None:
        """The model has released a pending message."""
        if self._liar.lies("unmasked_lost"):
            return
        self._model.msix.pending |= 1 << message.vector
        if self._settings.takes("late_when_unmasked"):
            self._later(lambda: self._attempt(message.vector), LATENCY_NS)
        else:
            self._attempt(message.vector)

    def look(self) -> None:
        """Registers have changed: what may leave now leaves."""
        if not self._model.halted:
            stalled, self._stalled = self._stalled, []
            for fire in stalled:
                fire()
        pending = self._model.msix.pending
        vector = 0
        while pending >> vector:
            if pending >> vector & 1:
                self._attempt(vector)
            vector += 1
        if self._model.intx_line != self._line:
            self._follow()

    def _may_send(self, vector: int) -> bool:
        table = self._model.msix
        return table.enabled and self._model.bus_master and not table.is_masked(vector)

    def _attempt(self, vector: int) -> None:
        table = self._model.msix
        if not table.pending >> vector & 1:
            self._more.pop(vector, None)
            return
        if not self._may_send(vector):
            return
        more = self._more.get(vector, 0)
        if more:
            self._more[vector] = more - 1
            self._later(lambda: self._attempt(vector), self._settings.wait())
        else:
            table.pending &= ~(1 << vector)
        self._send(vector)

    def _send(self, vector: int) -> None:
        liar, table = self._liar, self._model.msix
        other = (vector + 1) % table.entries
        if liar.name == "message_vector" and not table.is_masked(other) and liar.lies(liar.name):
            vector = other
        low, high, data, _ = table.entry(vector)
        address = high << 32 | low
        if liar.lies("message_address"):
            address ^= _NOWHERE
        if liar.lies("message_data"):
            data ^= 0x100
        tlp = memory_write(address, data.to_bytes(4, "little"), requester_id=self._port.requester_id)
        if liar.lies("message_enables"):
            tlp.first_be = 0b0011
        self._port.put(tlp)
        if liar.lies("message_twice"):
            self._port.put(
                memory_write(address, data.to_bytes(4, "little"), requester_id=self._port.requester_id)
            )

    def quiet(self, queue: int) -> bool:
        """Whether a message of `queue` would be the only one, and leave at once."""
        vector = self._model.registers.vectors.get(queue, 0xFFFF)
        table = self._model.msix
        return vector < table.entries and self._may_send(vector) and not table.pending

    def message_now(self, queue: int) -> bool:
        """Send a message of `queue` that nothing has caused; False when none may be sent at all."""
        vector = self._model.registers.vectors.get(queue, NO_VECTOR)
        if vector >= self._model.msix.entries or not self._may_send(vector):
            return False
        if self._model.msix.pending >> vector & 1:
            return False
        self._send(vector)
        return True

    def _follow(self) -> None:
        wanted = self._model.intx_line
        if wanted != self._line:
            if not wanted and self._liar.keeps_lying("deassert_missing"):
                return
            self._line = wanted
            self.tell_line(wanted)

    def tell_line(self, asserted: bool) -> None:
        """Send the message of the line's level."""
        tlp = intx_message(asserted, requester_id=self._port.requester_id & 0xFFF8)
        if asserted and self._liar.lies("other_line"):
            tlp.message_code = MessageCode.ASSERT_INTB
        self._port.put(tlp)
        if asserted and self._liar.lies("assert_twice"):
            self.tell_line(True)

    def before_completion(self) -> None:
        """What an access has ended is taken back before its completion leaves."""
        if not self._line or self._model.intx_line:
            return
        if self._liar.lies("deassert_late"):
            self._clock.call(_DEASSERT_NS, self._settle_line)
            return
        late = int(self._model.profile.intx_deassert_ns * self._settings.rng.random())
        if late:
            self._clock.call(late, self._settle_line)
        else:
            self._follow()

    def _settle_line(self) -> None:
        if self._line and not self._model.intx_line:
            self._follow()

    def invent(self) -> None:
        """The lies that need no more than a moment."""
        liar, model = self._liar, self._model
        if liar.name == "assert_under_msix":
            if self._had_messages and model.msix.enabled and not self._line and liar.lies(liar.name):
                self.tell_line(True)
            self._had_messages = model.msix.enabled
        elif liar.name == "assert_disabled":
            if (
                model.config.command & 1 << 10
                and not model.msix.enabled
                and not self._line
                and liar.lies(liar.name)
            ):
                self.tell_line(True)
        elif liar.name == "deassert_early" and self._line and model.intx_line and liar.lies(liar.name):
            self._line = False
            self.tell_line(False)

    def ahead(self, queue: int) -> None:
        """A used element was written, its index was not: the lies that do not wait for it."""
        model, liar = self._model, self._liar
        vector = model.registers.vectors.get(queue, 0xFFFF)
        if liar.name == "message_early":
            if (
                vector < model.msix.entries
                and self._may_send(vector)
                and not model.msix.pending
                and liar.lies(liar.name)
            ):
                self._send(vector)
        elif liar.name == "assert_early" and self._quiet_line() and liar.lies(liar.name):
            model.registers.isr |= ISR_QUEUE
            model.registers.intx_pending = True
            self._follow()

    def _quiet_line(self) -> bool:
        model = self._model
        return not (model.msix.enabled or self._line or model.registers.isr or model.config.command & 1 << 10)

    # --- resets

    def reset(self) -> None:
        """A virtio reset: causes are forgotten."""
        self._generation += 1
        self._more.clear()
        self._held.clear()
        self._stalled.clear()

    def power_cycle(self) -> None:
        """All is as after power-up."""
        self.reset()
        self._line = False
