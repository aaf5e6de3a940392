"""The guest's block driver: attach, requests in flight over one queue, stop and start again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tb.guest.block_request import (
    CONFIG_BYTES,
    DRIVER_FEATURES,
    HEADER_BYTES,
    SERIAL_BYTES,
    STATUS_POISON,
    BlockConfig,
    BlockRequest,
    BlockType,
    Framing,
    Slot,
    plain_framing,
)
from tb.guest.enumeration import PciFunction
from tb.guest.errors import DeviceTimeoutError, GuestUsageError, InterruptError, ProbeError, RequestError
from tb.guest.host_bus import HostBus
from tb.guest.interrupts import LADDER, InterruptMode, Interrupts
from tb.guest.registers import QUEUE_ALIGN, DeviceKind, Status
from tb.guest.transport import QueueFactory, Transport
from tb.guest.turns import turns
from tb.guest.virtqueue import Completion, SplitQueue

MOST_NOTICES = 10_000
"""Interrupts in a row that bring nothing, until the driver gives up."""


@dataclass(slots=True)
class BlockCounts:
    """Work done by one driver."""

    requests: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    deepest: int = 0
    by_status: dict[int, int] = field(default_factory=dict)


class BlockDriver:
    """A block device in use. Make one with `attach`."""

    def __init__(
        self, transport: Transport, interrupts: Interrupts, queue: SplitQueue, config: BlockConfig
    ) -> None:
        self.transport = transport
        self.interrupts = interrupts
        self.queue = queue
        self.config = config
        self.framing: Framing = plain_framing
        self.timeout_ns = 20_000_000
        self.counts = BlockCounts()
        self.config_changes = 0
        self._slots: deque[Slot] = deque()
        self._held: BlockRequest | None = None
        self._memory = transport.bus.memory

    @classmethod
    async def attach(
        cls,
        bus: HostBus,
        function: PciFunction,
        *,
        wanted: int = DRIVER_FEATURES,
        ladder: Sequence[InterruptMode] = LADDER,
        make_queue: QueueFactory | None = None,
    ) -> BlockDriver:
        """Bring a block function up in FreeBSD's order, to DRIVER_OK. ProbeError if it is another device."""
        if function.identity.subsystem != DeviceKind.BLOCK:
            raise ProbeError("VPCI-DISC-04", f"subsystem {function.identity.subsystem} is not a block device")
        transport = Transport(bus, function)
        interrupts = await Interrupts.of(transport)
        await interrupts.switch_off_messages()
        await transport.attach()
        await transport.set_status(Status.DRIVER)
        await transport.negotiate_features(wanted)
        config = BlockConfig.decode(await transport.read_stable_config(0, CONFIG_BYTES))
        queue = await transport.allocate_queue(make_queue)
        await interrupts.set_up(ladder)
        await transport.driver_ok()
        return cls(transport, interrupts, queue, config)

    def reserve(self, slots: int, room: int) -> None:
        """Allocate buffers for `slots` requests in flight with `room` data bytes each; drops earlier ones."""
        allocate = self._memory.allocate
        room = max(room, SERIAL_BYTES)
        self._slots = deque(
            Slot(allocate(HEADER_BYTES), allocate(room, QUEUE_ALIGN), allocate(1), room) for _ in range(slots)
        )

    def submit(self, request: BlockRequest) -> None:
        """Put one request into the ring without showing it. GuestUsageError when no slot is free or fits."""
        if not self._slots:
            raise GuestUsageError("every request slot is in flight")
        slot = self._slots.popleft()
        needed = max(len(request.data), request.length)
        if needed > slot.room:
            raise GuestUsageError(f"a slot holds {slot.room} bytes, not {needed}")
        self._memory.write(slot.header, request.header)
        self._memory.write(slot.status, bytes((STATUS_POISON,)))
        if request.data:
            self._memory.write(slot.data, request.data)
        readable, writable = self.framing(slot, request)
        indirect = self.queue.chooses_indirect(len(readable) + len(writable), wanted=request.indirect)
        self.queue.add(readable, writable, (request, slot), indirect=indirect)

    async def kick(self) -> None:
        """Show what was submitted; notify if the device wants it."""
        if self.queue.publish():
            await self.transport.notify(self.queue)

    def collect(self) -> list[BlockRequest]:
        """Take back what is done, and look once more after re-arming the interrupt."""
        done = []
        while fresh := self.queue.collect():
            done += [self._finish(completion) for completion in fresh]
        return done

    async def wait(self) -> list[BlockRequest]:
        """Wait for interrupts until at least one request is done.

        DeviceTimeoutError when nothing comes; InterruptError when the device was done but did not say so, and
        when it interrupts again and again without being done.
        """
        for _ in turns(MOST_NOTICES, self._only_interrupts):
            notice = await self.interrupts.wait(self.timeout_ns)
            if notice is None:
                raise self._nothing_came()
            if notice.config:
                self.config_changes += 1
            if notice.queues and (done := self.collect()):
                return done
        raise self._only_interrupts()

    async def run(
        self,
        requests: Iterable[BlockRequest],
        *,
        depth: int,
        done: Callable[[BlockRequest], None] | None = None,
    ) -> None:
        """Push requests through with up to `depth` in flight; `done` sees each as it completes."""
        source = iter(requests)
        exhausted = False
        while True:
            exhausted = exhausted or not self._fill(source, depth)
            await self.kick()
            if exhausted and not self.queue.outstanding:
                return
            for request in await self.wait():
                if done is not None:
                    done(request)

    async def do(self, request: BlockRequest) -> BlockRequest:
        """One request alone, from submit to done."""
        await self.run((request,), depth=1)
        return request

    async def read(self, sector: int, length: int) -> bytes:
        """Read `length` bytes. RequestError if the device does not say OK."""
        return self._must_be_ok(await self.do(BlockRequest(BlockType.IN, sector, length=length))).answer

    async def write(self, sector: int, data: bytes) -> None:
        """Write whole sectors. RequestError if the device does not say OK."""
        self._must_be_ok(await self.do(BlockRequest(BlockType.OUT, sector, data)))

    async def flush(self) -> None:
        """Make what was written stable. RequestError if the device does not say OK."""
        self._must_be_ok(await self.do(BlockRequest(BlockType.FLUSH)))

    async def get_id(self) -> bytes:
        """The 20-byte serial with its padding cut off (VBLK-14)."""
        request = BlockRequest(BlockType.GET_ID, length=SERIAL_BYTES)
        return self._must_be_ok(await self.do(request)).answer.split(b"\0")[0]

    async def stop(self) -> None:
        """Stop the device; requests still in flight are lost, interrupts that came late are thrown away."""
        await self.transport.stop()
        self._slots.extend(chain.token[1] for chain in self.queue.in_flight.values())
        self.queue.reset()
        await self.interrupts.discard()

    async def reinit(self, features: int | None = None) -> None:
        """Bring a stopped device up again with what was negotiated before."""
        await self.transport.reinit(self.transport.features if features is None else features)
        await self.interrupts.register_vectors()
        await self.transport.driver_ok()

    def _fill(self, source: Iterator[BlockRequest], depth: int) -> bool:
        """Submit until `depth` are in flight or the ring is full. False when the source is exhausted."""
        while self.queue.outstanding < depth and self._has_room(self._held):
            request = self._held or next(source, None)
            self._held = None
            if request is None:
                return False
            if not self._has_room(request):
                self._held = request
                break
            self.submit(request)
        self.counts.deepest = max(self.counts.deepest, self.queue.outstanding)
        return True

    def _has_room(self, request: BlockRequest | None) -> bool:
        """Whether the ring has descriptors for a request now."""
        if request is None:
            return True
        pieces = sum(map(len, self.framing(self._slots[0], request)))
        return self.queue.has_room(pieces, indirect=request.indirect)

    def _finish(self, completion: Completion) -> BlockRequest:
        request, slot = completion.token
        request.status = self._memory.read(slot.status, 1)[0]
        request.used_length = completion.length
        if request.length:
            request.answer = self._memory.read(slot.data, request.length)
        self._slots.append(slot)
        if request.status == STATUS_POISON:
            raise RequestError("VBLK-11", f"a request of type {request.type} came back without a status")
        self._count(request)
        finished: BlockRequest = request
        return finished

    def _count(self, request: BlockRequest) -> None:
        counts = self.counts
        counts.requests += 1
        counts.by_status[request.status] = counts.by_status.get(request.status, 0) + 1
        if request.ok:
            counts.bytes_read += request.length
            counts.bytes_written += len(request.data)

    def _must_be_ok(self, request: BlockRequest) -> BlockRequest:
        if not request.ok:
            what = f"type {request.type} at sector {request.sector} came back with status {request.status}"
            raise RequestError("VBLK-10", what)
        return request

    def _only_interrupts(self) -> InterruptError:
        left = self.queue.outstanding
        what = f"{MOST_NOTICES} interrupts in a row came, and not one of {left} requests is done"
        return InterruptError("BAD-DEV-10", what)

    def _nothing_came(self) -> DeviceTimeoutError | InterruptError:
        if self.queue.has_used():
            what = f"queue {self.queue.index} has used chains and no interrupt came in {self.timeout_ns} ns"
            return InterruptError("VRING-INT-01", what)
        what = f"{self.queue.outstanding} requests are not done after {self.timeout_ns} ns"
        return DeviceTimeoutError("BAD-DEV-11", what)
