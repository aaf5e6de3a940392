"""The function as a whole: the golden model behind packets."""

from __future__ import annotations

from tb.models.devices.base import MediaResult
from tb.models.events import (
    DeviceReset,
    Event,
    Events,
    MessageDue,
    Notify,
    QueueMoved,
    QueueStopped,
    StatusChanged,
)
from tb.models.function import FunctionModel
from tb.models.registers import STATUS_DRIVER_OK
from tb.models.virtqueue import RingLayout
from tb.pcie.tlp import Tlp
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock
from tb.selfplay.lies import Liar
from tb.selfplay.player.answers import Answers
from tb.selfplay.player.core import Core, PlayedDisk
from tb.selfplay.player.disk import DiskPort
from tb.selfplay.player.interrupts import Interrupter
from tb.selfplay.player.port import Port
from tb.selfplay.player.queue import PlayedQueue
from tb.selfplay.wire import Wire

_LIE_NS = 10_000
"""For how long a lie about the configuration stands."""


class Function:
    """Plays `device` with the choices of its profile and of `settings`; `liar` says where it lies."""

    def __init__(self, wire: Wire, clock: Clock, device: PlayedDisk, settings: Settings, liar: Liar) -> None:
        self._clock = clock
        self._settings = settings
        self._liar = liar
        self.device = device
        self.model = FunctionModel(device.profile, device)
        self.model.cold_reset()
        self.port = Port(wire, clock, self.model, settings, liar)
        self.disk = DiskPort(wire, clock, settings, liar)
        self.interrupts = Interrupter(clock, self.model, self.port, settings, liar)
        self.core = Core(clock, settings, liar, self.model, device, self.port, self.interrupts, self.disk)
        self.answers = Answers(wire, clock, self.model, settings, liar, self)
        self.port.on_error = self.answers.dma_error
        self.queues: dict[int, PlayedQueue] = {}
        self.core.on_broken = self._halt
        self._config_turn = 0
        self._features = 0
        self.answers.start()
        self.disk.start()
        self.port.control_changed()

    # --- what the host sends

    def accept(self, tlp: Tlp) -> None:
        """A request."""
        self.answers.accept(tlp)

    def answered(self, tlp: Tlp) -> None:
        """A completion for a DMA read."""
        self.port.answered(tlp)

    def disk_answered(self, result: MediaResult) -> None:
        """The disk's answer."""
        self.disk.answered(result)

    def disk_resized(self, sectors: int) -> None:
        """The disk has another size: the configuration changes, now or soon, and then the guest is told."""
        device, liar = self.device, self._liar
        old = device.config_bytes()
        device.resize(sectors)
        if not device.take_config_changes():
            return
        new = device.build_config()[: device.config_length]
        self._config_turn += 1
        turn = self._config_turn
        if not (device.profile.config_latency_ns and self._settings.takes("config_shows_late")):
            self._told(turn)
            return
        device.show(old)
        latency = device.profile.config_latency_ns
        late = int(latency * self._settings.rng.random())
        if liar.lies("config_interrupt_early"):
            self.interrupts.config_cause()
            self._clock.call(_LIE_NS, lambda: self._shows(turn, None))
            return
        if liar.lies("config_old_again"):
            device.show(None)
            self._clock.call(_LIE_NS // 4, lambda: self._shows(turn, old))
            self.interrupts.config_cause()
            return
        if liar.lies("config_torn"):
            device.show(bytes(byte ^ 0x40 for byte in new[:1]) + old[1:])
            late = latency
        self._clock.call(late, lambda: self._told(turn))

    def _shows(self, turn: int, content: bytes | None) -> None:
        if turn == self._config_turn:
            self.device.show(content)

    def _told(self, turn: int) -> None:
        self._shows(turn, None)
        if turn == self._config_turn:
            self.interrupts.config_cause()

    def power_cycle(self) -> None:
        """The reset pin."""
        for queue in self.queues.values():
            queue.end()
        self.queues = {}
        self._config_turn += 1
        self.device.show(None)
        self.model.cold_reset()
        self.interrupts.power_cycle()
        self.port.power_cycle()
        self.port.control_changed()
        self.answers.power_cycle()
        self.disk.power_cycle()

    # --- what accesses cause

    def long_idle(self) -> bool:
        """Whether no read has been outstanding for long."""
        return not self.port.busy and self._clock.now - self.port.idle_since > _LIE_NS // 5

    def payload(self) -> int:
        """Largest payload of a packet, bytes."""
        return self.port.limits.payload

    def captured(self, requester_id: int) -> None:
        """The id of its own packets."""
        self.port.requester_id = requester_id

    def reads_wait(self) -> bool:
        """Whether DMA reads are outstanding."""
        return self.port.busy

    def before_completion(self) -> None:
        """A completion leaves next."""
        self.interrupts.before_completion()

    def follow(self, events: Events) -> None:
        """A write has been executed, with these events."""
        for event in events:
            self._follow_one(event)
        self._features = self.model.registers.features
        self.port.control_changed()
        self.interrupts.look()
        self.interrupts.invent()

    def _follow_one(self, event: Event) -> None:
        if isinstance(event, Notify):
            self._notified(event.queue)
        elif isinstance(event, MessageDue):
            self.interrupts.due(event.message)
        elif isinstance(event, DeviceReset):
            self._reset()
        elif isinstance(event, QueueStopped):
            self._end(event.queue)
        elif isinstance(event, QueueMoved):
            self._moved(event)
        elif isinstance(event, StatusChanged):
            self._started(event)

    def _notified(self, number: int) -> None:
        queue = self.queues.get(number)
        if queue is not None and not queue.stopped:
            queue.kick()

    def _started(self, event: StatusChanged) -> None:
        fresh = event.status & ~event.was & STATUS_DRIVER_OK
        named = self.device.named_in(self.device.profile.driver_ok_kicks)
        if fresh and (named or self._settings.takes("looks_at_driver_ok")):
            for queue in self.queues.values():
                queue.kick()

    def _halt(self) -> None:
        for queue in self.queues.values():
            queue.halt()

    def _moved(self, event: QueueMoved) -> None:
        layout = RingLayout.of(event.pfn, self.device.queue_sizes[event.queue])
        if event.goes_on and event.queue in self.queues:
            self.queues[event.queue].layout = layout
            return
        self._end(event.queue)
        self.queues[event.queue] = PlayedQueue(self.core, event.queue, layout)

    def _end(self, number: int) -> None:
        queue = self.queues.pop(number, None)
        if queue is not None:
            queue.end()

    def _reset(self) -> None:
        if any(queue.busy for queue in self.queues.values()) and self._liar.lies("dma_after_reset"):
            self.queues = {}
        for number in list(self.queues):
            self._end(number)
        self.interrupts.reset()
        self._config_turn += 1
        self.device.show(None)
        if self._features and self._liar.lies("reset_keeps_features"):
            self.model.registers.features = self._features

    def never_answered(self, tag: int) -> None:
        """The host will not answer this read in time."""
        self.port.never_answered(tag)
