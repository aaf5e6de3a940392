"""The actor: the golden model as a target. It answers accesses and performs the DMA they lead to.

Everything happens within the access that causes it: when ``io_write`` of a notification returns, the queue is
drained, the used ring written and the interrupt raised. MSI-X messages are given to ``on_msix``, the level of
INTx is ``intx_line``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from tb.models.config_space import COMMAND_BUS_MASTER, ConfigSpace
from tb.models.devices.base import (
    DeviceModel,
    Drain,
    Effects,
    Gather,
    MediaFlush,
    MediaRead,
    MediaRelease,
    MediaResult,
    MediaSend,
    MediaTake,
    MediaWrite,
    NextChain,
    Operation,
    Result,
    Serve,
)
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
from tb.models.memory import Memory
from tb.models.msix import Message
from tb.models.profile import Profile
from tb.models.registers import STATUS_DRIVER_OK
from tb.models.ring import DeviceRing
from tb.models.virtqueue import Chain, ChainError, Segment

MediaOperation = MediaRead | MediaWrite | MediaFlush | MediaSend | MediaTake | MediaRelease


class Media(Protocol):
    """The device's other side, as the actor needs it."""

    def perform(self, operation: MediaOperation) -> MediaResult:
        """Do what the device asks for."""


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
    """A running function: accesses go to ``function``, what they cause is done at once.

    ``stops``: every malformed chain seen, as the sentences of their errors.
    """

    def __init__(
        self,
        function: FunctionModel,
        memory: Memory,
        media: Media,
        on_msix: Callable[[int, int], None] | None = None,
    ) -> None:
        self.function = function
        self.profile: Profile = function.profile
        self.device: DeviceModel = function.device
        self._gated = self.profile.bus_master_off in ("stalls", "clears_driver_ok")
        self.memory: Memory = _GatedMemory(function.config, memory) if self._gated else memory
        self.media = media
        self.on_msix = on_msix or self._write_message
        self.stops: list[str] = []
        registers = function.registers
        self.rings = [
            DeviceRing(size, self.profile, self.memory, lambda: registers.features)
            for size in self.device.queue_sizes
        ]
        self._supply = [q for q in range(len(self.rings)) if self.device.is_supply(q)]
        self._waiting: set[int] = set()  # notified while the function may not do DMA
        self._unflushed = False  # something was written that no flush has followed
        self._started = False  # all queues have been looked into since DRIVER_OK was set

    def _write_message(self, address: int, data: int) -> None:
        self.memory.write(address, data.to_bytes(4, "little"))

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

    def mem_read(self, offset: int, size: int) -> int:
        return self.function.mem_read(offset, size)

    def mem_write(self, offset: int, size: int, value: int) -> None:
        events = self.function.mem_write(offset, size, value)
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
        self._pump()

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
                self._pump()
            case CommandChanged():
                self._resume()
                self._pump()
            case MessageDue(message):
                self._send(message)
            case ConfigWritten():
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
            self._started = True
            if self.device.type.name.lower() in self.profile.driver_ok_kicks:
                for queue, ring in enumerate(self.rings):
                    if ring.layout is not None:
                        self._notified(queue)

    def _resume(self) -> None:
        if self.profile.bus_master_off != "stalls" or not self.function.may_dma:
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
            return
        self.device.notified(queue)
        if not self.device.is_supply(queue):
            self._drain(queue)
        self._pump()

    # --- serving

    def _pop(self, queue: int) -> Chain | None:
        function = self.function
        if function.halted or function.broken or self.rings[queue].stopped:
            return None
        return self.rings[queue].pop()

    def _stop(self, queue: int, error: ChainError) -> None:
        """A malformed chain: its queue, or the whole device, does nothing more until reset."""
        self.stops.append(str(error))
        if self.profile.broken == "device":
            self.function.broken = True
        else:
            self.rings[queue].stopped = True

    def _drain(self, queue: int) -> None:
        """Serve every chain of a request queue that waits."""
        ring = self.rings[queue]
        quiet = self.device.drain_style(queue) is Drain.QUIET
        if quiet and not self.device.wants(queue):
            ring.set_kicks(False)
            return
        unfinished: list[_Service] = []
        while True:
            if quiet:
                ring.set_kicks(False)
            try:
                self._take_all(queue, unfinished)
            except ChainError as error:
                self._stop(queue, error)
            if quiet:
                ring.set_kicks(True)
            if self.function.broken or ring.stopped or not quiet or ring.empty() or self.function.halted:
                break
        self._finish_all(queue, unfinished)
        if self.profile.avail_event == "after_drain" and not ring.stopped:
            ring.set_kicks(True)
        if self.device.interrupts_anyway(queue):
            self._signal(queue)

    def _take_all(self, queue: int, unfinished: list[_Service]) -> None:
        while self.device.wants(queue):
            chain = self._pop(queue)
            if chain is None:
                return
            service = _Service(self, queue, chain)
            if service.run(until_media=self.profile.requests_overlap):
                self._finish(queue, service)
            else:
                service.idle = self._is_idle(service)
                unfinished.append(service)

    def _is_idle(self, service: _Service) -> bool:
        """Whether the media operation that ``service`` waits for is a flush with nothing to do."""
        if isinstance(service.operation, MediaWrite):
            self._unflushed = self.device.writeback
        elif isinstance(service.operation, MediaFlush):
            idle, self._unflushed = not self._unflushed, False
            return idle
        return False

    def _finish_all(self, queue: int, services: list[_Service]) -> None:
        """Requests that waited side by side: the data of all, then one completion after the other."""
        ordered = self._in_completion_order(services)
        for service in ordered:
            service.run(until_media=False)
            assert service.effects is not None
            *data, status = service.effects.writes
            self._scatter_all(service.chain, data)
            service.effects = replace(service.effects, writes=(status,))
        for service in ordered:
            self._finish(queue, service)

    def _in_completion_order(self, services: list[_Service]) -> list[_Service]:
        if self.profile.idle_flushes == "in_order":
            return services
        idle = [service for service in services if service.idle]
        return idle[::-1] + [service for service in services if not service.idle]

    def _finish(self, queue: int, service: _Service) -> None:
        """Bring a service to its end and publish what it did."""
        service.run(until_media=False)
        assert service.effects is not None
        self._publish(queue, service.chain, service.effects)

    def _publish(self, queue: int, chain: Chain, effects: Effects) -> None:
        ring = self.rings[queue]
        served = [(chain, effects), *effects.also]
        for each, its in served:
            self._scatter_all(each, its.writes)
        if effects.disposal == "returned":
            ring.unpop()
        if self.function.broken or self.function.halted or ring.stopped:
            ring.in_flight -= len(served)
        else:
            used = [(each.head, its.used_length) for each, its in served if its.disposal == "used"]
            if not used:
                return
            ring.push(*used)
        if not self.device.interrupts_anyway(queue):
            self._signal(queue)

    def _scatter_all(self, chain: Chain, writes: Sequence[tuple[int, bytes]]) -> None:
        for offset, data in writes:
            self._scatter(chain.writable, offset, data)

    def _scatter(self, segments: tuple[Segment, ...], offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset`` of the stream that ``segments`` make up; what does not fit is cut."""
        for segment in segments:
            if offset < segment.length:
                part = data[: segment.length - offset]
                self.memory.write(segment.address + offset, part)
                data = data[len(part) :]
                offset = 0
                if not data:
                    return
            else:
                offset -= segment.length

    def gather(self, segments: tuple[Segment, ...], offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on of the stream that ``segments`` make up, fewer at its end."""
        parts = []
        for segment in segments:
            if offset < segment.length:
                size = min(segment.length - offset, length)
                parts.append(self.memory.read(segment.address + offset, size))
                length -= size
                offset = 0
                if not length:
                    break
            else:
                offset -= segment.length
        return b"".join(parts)

    def next_chain(self, queue: int) -> Chain | None:
        """One more chain for the service that is running."""
        return self._pop(queue)

    # --- supply queues

    def _pump(self) -> None:
        """Fill waiting buffers with what the device has to say."""
        for queue in self._supply:
            self._fill(queue)

    def _fill(self, queue: int) -> None:
        device, ring = self.device, self.rings[queue]
        stock = device.drain_style(queue) is Drain.STOCK
        function = self.function
        if function.broken or function.halted or ring.stopped:
            device.offered(queue, 0)
            return
        try:
            while device.wants(queue) and not function.broken:
                if not self._offer(queue, ring):
                    if stock:
                        ring.set_kicks(True)
                    return
                if stock:
                    ring.set_kicks(False)
                if device.declines(queue):
                    continue
                chain = self._pop(queue)
                if chain is None:
                    return
                service = _Service(self, queue, chain)
                service.run(until_media=False)
                self._finish(queue, service)
        except ChainError as error:
            self._stop(queue, error)

    def _offer(self, queue: int, ring: DeviceRing) -> bool:
        limit = self.device.room(queue)
        available = ring.available_bytes(limit) if limit else int(not ring.empty())
        return self.device.offered(queue, available)

    # --- interrupts

    def _signal(self, queue: int) -> None:
        ring = self.rings[queue]
        if ring.layout is not None and ring.wants_interrupt():
            self._send(self.function.queue_interrupt(queue))

    def _send(self, message: Message | None) -> None:
        if message is not None and (self.function.bus_master or not self._gated):
            self.on_msix(message.address, message.data)


class _Service:
    """One chain being served: runs the device's generator and answers its operations."""

    __slots__ = ("_actor", "_queue", "_serve", "chain", "effects", "idle", "operation")

    def __init__(self, actor: Actor, queue: int, chain: Chain) -> None:
        self._actor = actor
        self._queue = queue
        self._serve: Serve = actor.device.serve(queue, chain)
        self.operation: Operation | None = None
        self.idle = False
        self.chain = chain
        self.effects: Effects | None = None

    def run(self, *, until_media: bool) -> bool:
        """Go on until the service is done, or asks its media with ``until_media``. True when it is done."""
        if self.effects is not None:
            return True
        try:
            if self.operation is None:
                self.operation = next(self._serve)
            while not (until_media and isinstance(self.operation, MediaRead | MediaWrite | MediaFlush)):
                self.operation = self._serve.send(self._answer(self.operation))
        except StopIteration as done:
            self.effects = done.value
            return True
        return False

    def _answer(self, operation: Operation) -> Result:
        match operation:
            case Gather(offset, length):
                return self._actor.gather(self.chain.readable, offset, length)
            case NextChain():
                return self._actor.next_chain(self._queue)
            case _:
                return self._actor.media.perform(operation)
