"""Serves the queues of a function: takes chains, lets the device serve them, publishes what it did.

Request queues are drained when they are notified; supply queues, which hold empty buffers, are left to
``Supply``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from tb.models.devices.base import Drain, Effects, MediaFlush, MediaResult, MediaWrite
from tb.models.function import FunctionModel
from tb.models.memory import Mapping, Memory
from tb.models.ring import DeviceRing
from tb.models.service import MediaOperation, Service, scatter
from tb.models.virtqueue import F_EVENT_IDX, Chain, ChainError, RequestError


class Media(Protocol):
    """The device's other side, as the actor needs it."""

    def perform(self, operation: MediaOperation) -> MediaResult:
        """Do what the device asks for."""


class QueueServer:
    """The queues of ``function`` in ``memory``. ``signal`` is called with a queue that has to interrupt.

    ``stops``: every malformed chain seen, as the sentences of their errors; ``reply``: fills a supply queue
    with what a request has the device say at once.
    """

    def __init__(
        self,
        function: FunctionModel,
        memory: Memory,
        media: Media,
        mapping: Mapping | None,
        signal: Callable[[int], None],
    ) -> None:
        self.function = function
        self.profile = function.profile
        self.device = function.device
        self.memory = memory
        self.media = media
        self.stops: list[str] = []
        self.reply: Callable[[int], None] = lambda queue: None
        self._mapping = mapping
        self._interrupt = signal
        registers = function.registers
        self.rings = [
            DeviceRing(size, self.profile, memory, lambda: registers.features, mapping)
            for size in self.device.queue_sizes
        ]
        self._unflushed = False  # something was written that no flush has followed
        self._defers = self.device.named_in(self.profile.interrupts_after_drain)
        self._batches = True  # the deferred decisions are for all requests together
        self._draining = False
        self._held: bool | None = None  # not None while interrupts are put off; True: one is due
        self._undecided = self._decided = False  # interrupts due after the drain

    @property
    def closed(self) -> bool:
        """Whether the whole device takes no chains now."""
        return self.function.broken or self.function.halted

    def signal(self, queue: int) -> None:
        """Interrupt for ``queue`` if the driver wants it, now or when what is under way is through."""
        if self._held is not None:
            self._held = True
            return
        if self._draining and self._batches:
            self._undecided = True
            return
        ring = self.rings[queue]
        if ring.layout is None or not ring.wants_interrupt(closed=self.closed):
            return
        if self._draining:
            self._decided = True
        else:
            self._interrupt(queue)

    def start(self) -> None:
        """DRIVER_OK, or what counts for it. With EVENT_IDX each request decides on its interrupt."""
        self._batches = not self.function.registers.features >> F_EVENT_IDX & 1

    @contextmanager
    def one_interrupt(self, queue: int, *, due: bool) -> Iterator[None]:
        """Put interrupts off; at the end there is one if any was ``due``, before or meanwhile."""
        self._held = due
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self.signal(queue)

    def pop(self, queue: int) -> Chain | None:
        """The next chain of ``queue``, mapped; None when there is none. Raises ``ChainError``."""
        if self.closed or self.rings[queue].stopped:
            return None
        chain = self.rings[queue].pop()
        if chain is not None and self._mapping is not None:
            try:
                self._mapping.map(chain)
            except ChainError:
                self.rings[queue].in_flight -= 1
                raise
        return chain

    def service(self, queue: int, chain: Chain) -> Service:
        return Service(self.device, queue, chain, self.memory, self.media.perform, lambda: self.pop(queue))

    def stop(self, queue: int, error: ChainError) -> None:
        """A malformed chain: its queue, or the whole device, does nothing more until reset."""
        self.stops.append(str(error))
        if self.profile.broken == "device":
            self.function.broken = True
        else:
            self.rings[queue].stopped = True

    def drain(self, queue: int) -> None:
        """Serve every chain of a request queue that waits."""
        ring = self.rings[queue]
        if self.device.discards(queue):
            self._discard_all(queue)
            return
        quiet = self.device.drain_style(queue) is Drain.QUIET
        if quiet and not self.device.wants(queue):
            ring.set_kicks(False)
            return
        unfinished: list[Service] = []
        self._draining = self._defers
        while True:
            if quiet:
                ring.set_kicks(False)
            try:
                self._take_all(queue, unfinished)
            except ChainError as error:
                self.stop(queue, error)
                quiet = quiet and not isinstance(error, RequestError)  # it stays as it is in mid-drain
            if quiet:
                ring.set_kicks(True)
            if self.function.broken or ring.stopped or not quiet or ring.empty() or self.function.halted:
                break
        self._signal_deferred(queue)
        self._finish_all(queue, unfinished)
        if self.profile.avail_event != "per_chain" and not ring.stopped:
            ring.set_kicks(True)
        if self.device.interrupts_anyway(queue):
            self.signal(queue)

    def _discard_all(self, queue: int) -> None:
        """Give every chain back unread; one interrupt for all."""
        ring = self.rings[queue]
        discarded = False
        try:
            while not (self.closed or ring.stopped or ring.empty()):
                ring.push((ring.pop_unread(), 0))
                discarded = True
        except ChainError as error:
            self.stop(queue, error)
        if discarded:
            self.signal(queue)

    def _signal_deferred(self, queue: int) -> None:
        undecided, decided = self._undecided, self._decided
        self._draining = self._undecided = self._decided = False
        if decided:
            self._interrupt(queue)
        if undecided:
            self.signal(queue)

    def _take_all(self, queue: int, unfinished: list[Service]) -> None:
        while self.device.wants(queue):
            chain = self.pop(queue)
            if chain is None:
                return
            service = self.service(queue, chain)
            if self._run(queue, service, until_media=self.profile.requests_overlap):
                self.finish(queue, service)
            else:
                service.idle = self._is_idle(service)
                unfinished.append(service)

    def _run(self, queue: int, service: Service, *, until_media: bool) -> bool:
        """Run a service; a chain that the device refuses is taken, but no longer in flight."""
        try:
            return service.run(until_media=until_media)
        except ChainError:
            self.rings[queue].in_flight -= 1
            self._unmap(service.chain)
            raise

    def _unmap(self, chain: Chain) -> None:
        if self._mapping is not None:
            self._mapping.unmap(chain)

    def _is_idle(self, service: Service) -> bool:
        """Whether the media operation that ``service`` waits for is a flush with nothing to do."""
        if isinstance(service.operation, MediaWrite):
            self._unflushed = self.device.writeback
        elif isinstance(service.operation, MediaFlush):
            idle, self._unflushed = not self._unflushed, False
            return idle
        return False

    def _finish_all(self, queue: int, services: list[Service]) -> None:
        """Requests that waited side by side: the data of all, then one completion after the other."""
        ordered = self._in_completion_order(services)
        for service in ordered:
            service.run(until_media=False)
            assert service.effects is not None
            writes = service.effects.writes
            self._scatter_all(service.chain, writes[:-1])
            service.effects = replace(service.effects, writes=writes[-1:])
        for service in ordered:
            self.finish(queue, service)

    def _in_completion_order(self, services: list[Service]) -> list[Service]:
        if self.profile.idle_flushes == "in_order":
            return services
        idle = [service for service in services if service.idle]
        return idle[::-1] + [service for service in services if not service.idle]

    def finish(self, queue: int, service: Service) -> None:
        """Bring a service to its end and publish what it did, replies to the guest first."""
        self._run(queue, service, until_media=False)
        assert service.effects is not None
        replies = self.device.replies_on(queue)
        if replies is not None:
            self.reply(replies)
        self._publish(queue, service.chain, service.effects)

    def _publish(self, queue: int, chain: Chain, effects: Effects) -> None:
        ring = self.rings[queue]
        served = [(chain, effects), *effects.also]
        for each, its in served:
            self._scatter_all(each, its.writes)
            if its.disposal != "held":
                self._unmap(each)
        if effects.disposal == "returned":
            ring.unpop()
        used = [(each.head, its.used_length) for each, its in served if its.disposal == "used"]
        if not used:
            return
        if self.function.broken or self.function.halted or ring.stopped:
            ring.in_flight -= len(used)
        else:
            ring.push(*used)
        if not self.device.interrupts_anyway(queue):
            self.signal(queue)

    def _scatter_all(self, chain: Chain, writes: Sequence[tuple[int, bytes]]) -> None:
        for offset, data in writes:
            scatter(self.memory, chain.writable, offset, data)
