"""The actor: the golden model as a target. It answers accesses and performs the DMA they lead to.

Everything happens within the access that causes it: when ``io_write`` of a notification returns, the queue is
drained, the used ring written and the interrupt raised. MSI-X messages are given to ``on_msix``, the level of
INTx is ``intx_line``.
"""

from __future__ import annotations

from collections.abc import Callable

from tb.models.config_space import COMMAND_BUS_MASTER, ConfigSpace
from tb.models.devices.base import DeviceModel
from tb.models.events import (
    CommandChanged,
    ConfigWritten,
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
from tb.models.memory import Mapping, Memory
from tb.models.msix import Message
from tb.models.profile import Profile
from tb.models.queue_server import Media, QueueServer
from tb.models.registers import STATUS_DRIVER_OK
from tb.models.service import MediaOperation
from tb.models.supply import Supply

__all__ = ["Actor", "Media", "MediaOperation"]


class _GatedMemory:
    """Memory behind the bus master bit: without it reads give zeros and writes are lost (PCI-CFG-14)."""

    __slots__ = ("_config", "_memory")

    def __init__(self, config: ConfigSpace, memory: Memory) -> None:
        self._config = config
        self._memory = memory

    def read(self, address: int, length: int) -> bytes:
        if self._config.command & COMMAND_BUS_MASTER:
            return self._memory.read(address, length)
        return bytes(length)

    def write(self, address: int, data: bytes) -> None:
        if self._config.command & COMMAND_BUS_MASTER:
            self._memory.write(address, data)


class Actor:
    """A running function: accesses go to ``function``, what they cause is done at once."""

    def __init__(
        self,
        function: FunctionModel,
        memory: Memory,
        media: Media,
        on_msix: Callable[[int, int], None] | None = None,
        mapping: Mapping | None = None,
    ) -> None:
        self.function = function
        self.profile: Profile = function.profile
        self.device: DeviceModel = function.device
        choice = self.profile.bus_master_off
        self._gates_messages = choice in ("stalls", "clears_driver_ok")
        self.memory: Memory = _GatedMemory(function.config, memory) if choice == "stalls" else memory
        self.media = media
        self.on_msix = on_msix or self._write_message
        self.server = QueueServer(function, self.memory, media, mapping, self._interrupt)
        self.supply = Supply(self.server)
        self.server.reply = self.supply.fill
        self.rings = self.server.rings
        self._waiting: set[int] = set()  # notified while the function may not do DMA
        self._started = False  # all queues have been looked into since DRIVER_OK was set

    def _write_message(self, address: int, data: int) -> None:
        self.memory.write(address, data.to_bytes(4, "little"))

    @property
    def stops(self) -> list[str]:
        """Every malformed chain seen, as the sentences of their errors."""
        return self.server.stops

    # --- accesses

    @property
    def intx_line(self) -> bool:
        return self.function.intx_line

    def config_read(self, offset: int, size: int) -> int:
        return self.function.config_read(offset, size)

    def config_write(self, offset: int, size: int, value: int) -> None:
        events = self.function.config_write(offset, size, value)
        if events:
            self._handle(events)

    def io_read(self, offset: int, size: int) -> int:
        return self.function.io_read(offset, size)

    def io_write(self, offset: int, size: int, value: int) -> None:
        events = self.function.io_write(offset, size, value)
        if events:
            self._handle(events)

    def mem_read(self, offset: int, size: int, *, bar: int = 1) -> int:
        return self.function.mem_read(offset, size, bar=bar)

    def mem_write(self, offset: int, size: int, value: int, *, bar: int = 1) -> None:
        events = self.function.mem_write(offset, size, value, bar=bar)
        if events:
            self._handle(events)

    def apply(self, events: Events) -> None:
        """Act on the events of an access that was made on ``function`` itself, by byte enables."""
        if events:
            self._handle(events)

    def cold_reset(self) -> None:
        """Conventional reset of the function."""
        self.function.cold_reset()
        self._reset()

    def media_changed(self) -> None:
        """The media side has changed something (input, link, size): let the device act on it."""
        for _ in range(self.device.take_config_changes()):
            self._send(self.function.config_interrupt())
        for queue in self.device.take_neglected():
            self.server.drain(queue)
        self.supply.fill_all()

    # --- events

    def _handle(self, events: Events) -> None:
        for event in events:
            self._handle_one(event)

    def _handle_one(self, event: Event) -> None:
        match event:
            case Notify(queue):
                self._notified(queue)
            case DeviceReset():
                self._reset()
            case QueueMoved(queue, pfn, _, goes_on):
                if not goes_on:
                    self.rings[queue].reset()
                self.rings[queue].move(pfn)
            case QueueStopped(queue):
                self.rings[queue].reset()
            case StatusChanged(status):
                self._status_changed(status)
                self.supply.fill_all()
            case CommandChanged() if self.profile.bus_master_off == "stalls":
                self._resume()
                self.supply.fill_all()
            case MessageDue(message):
                self._send(message)
            case ConfigWritten():
                for output in self.device.take_output():
                    self.server.media.perform(output)
                self.media_changed()

    def _reset(self) -> None:
        for ring in self.rings:
            ring.reset()
        self._waiting.clear()
        self._started = False

    def _status_changed(self, status: int) -> None:
        if not status & STATUS_DRIVER_OK:
            self._started = False
        elif not self._started:
            self._start()
            if self.device.named_in(self.profile.driver_ok_kicks):
                self._kick_all()

    def _start(self) -> None:
        self._started = True
        self.server.start()

    def _kick_all(self) -> None:
        for queue, ring in enumerate(self.rings):
            if ring.layout is not None:
                self._notified(queue)

    def _resume(self) -> None:
        if not self.function.may_dma:
            return
        waiting, self._waiting = self._waiting, set()
        for queue in sorted(waiting):
            self._notified(queue)

    def _notified(self, queue: int) -> None:
        ring = self.rings[queue]
        if self.function.broken or ring.stopped:
            return
        if not self.function.may_dma and self.profile.bus_master_off == "stalls":
            self._waiting.add(queue)
        elif not self._started and self.device.named_in(self.profile.early_notify_kicks):
            self._start()
            self._kick_all()
        else:
            self.device.notified(queue)
            if not self.device.is_supply(queue):
                self.server.drain(queue)
            self.supply.fill_all()

    # --- interrupts

    def _interrupt(self, queue: int) -> None:
        self._send(self.function.queue_interrupt(queue))

    def _send(self, message: Message | None) -> None:
        if message is not None and (self.function.bus_master or not self._gates_messages):
            self.on_msix(message.address, message.data)
