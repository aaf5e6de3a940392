"""A hand-made function and its host that talk in TLPs, to judge traces on which single packets are altered.

`FakeFunction` answers accesses through the register model at once and works its queues packet by packet as
the RTL does. What passes is kept in `facts`; `judged` replays facts to a fresh judge and gives the verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tb.models.devices.base import Effects, Gather, MediaFlush, MediaRead, MediaResult, MediaWrite, Operation
from tb.models.devices.block import BlockDevice
from tb.models.events import DeviceReset, Event, MessageDue, Notify, QueueMoved
from tb.models.function import FunctionModel
from tb.models.judge.judge import Judge
from tb.models.judge.media import (
    BlockRequest,
    BlockResponse,
    BlockWriteData,
    CapacityChanged,
    MediaEvent,
    MediaOperation,
)
from tb.models.msix import Message
from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.models.verdict import Verdict
from tb.models.virtqueue import (
    F_EVENT_IDX,
    F_NOTIFY_ON_EMPTY,
    Chain,
    ChainError,
    RingLayout,
    Segment,
    needs_interrupt,
    walk_chain,
)
from tb.pcie.tlp import (
    Channel,
    Tlp,
    completion_for,
    config_read,
    config_write,
    intx_message,
    io_read,
    io_write,
    memory_read,
    memory_write,
    requested_bytes,
)

HOST_ID = 0x0000
FUNCTION_ID = 0x0100
BAR0, BAR1 = 0xC000, 0xFE00_0000
RING = 0x10_0000
QUEUE_STRIDE = 0x1_0000
FACT_NS = 40
DMA_TAGS = 28
CAPACITY = 64
SECTOR = 512


@dataclass(slots=True, frozen=True)
class Fact:
    """A packet on a channel, a media event, or (`call`) something to tell the judge.

    `held_ns` is how much of the time until then was not the function's own, `waited_ns` how much of its own
    time a request of the host waited to be taken.
    """

    time_ns: int
    channel: Channel | None = None
    tlp: Tlp | None = None
    media: MediaEvent | None = None
    call: Callable[[Judge, int], None] | None = None
    held_ns: int = 0
    waited_ns: int = 0


@dataclass(slots=True)
class _Ring:
    """Where the function stands in a queue."""

    layout: RingLayout
    available: int = 0
    used: int = 0
    checked: int | None = None
    broken: bool = False


def block_device(profile: Profile = VIRTIO_PCI_RTL, **options: int) -> BlockDevice:
    """A small disk; every caller gets his own."""
    return BlockDevice(
        profile,
        capacity=CAPACITY,
        serial=b"FAKE-0001",
        queues=options.get("queues", 1),
        queue_size=options.get("queue_size", 8),
    )


class FakeFunction:
    """Host and function in one. Every method that looks like an access adds its packets to `facts`."""

    def __init__(
        self, *, queue_size: int = 8, max_payload: int = 128, max_read: int = 512, queues: int = 1
    ) -> None:
        self.device = block_device(queue_size=queue_size, queues=queues)
        self.queue = 0
        self.model = FunctionModel(VIRTIO_PCI_RTL, self.device)
        self.model.cold_reset()
        self.queue_size = queue_size
        self.max_payload = max_payload
        self.max_read = max_read
        self.memory = bytearray(0x20_0000)
        self.disk = bytearray(range(256)) * (2 * CAPACITY)
        self.facts: list[Fact] = []
        self.rings: dict[int, _Ring] = {}
        self.time_ns = 0
        self.intx = False
        self.hold = False
        self.media_fails = False
        self._tag = 0
        self._dma_tag = 0

    # --- the wire

    def add(self, channel: Channel, tlp: Tlp) -> None:
        self.time_ns += FACT_NS
        self.facts.append(Fact(self.time_ns, channel, replace(tlp)))

    def add_media(self, event: MediaEvent) -> None:
        self.time_ns += FACT_NS
        self.facts.append(Fact(self.time_ns, media=event))

    def tell(self, call: Callable[[Judge, int], None]) -> None:
        self.time_ns += FACT_NS
        self.facts.append(Fact(self.time_ns, call=call))

    def wait(self, ns: int) -> None:
        self.time_ns += ns

    def _next_tag(self) -> int:
        self._tag = (self._tag + 1) % 32
        return self._tag

    # --- accesses of the host

    def config_read(self, offset: int, size: int = 4) -> int:
        request = config_read(offset, size, tag=self._next_tag(), target_id=FUNCTION_ID)
        value = self.model.config_read_enabled(request.address, request.first_be)
        return self._read(request, value) >> 8 * (offset & 3)

    def config_write(self, offset: int, size: int, value: int) -> None:
        request = config_write(offset, size, value, tag=self._next_tag(), target_id=FUNCTION_ID)
        data = int.from_bytes(request.data, "little")
        self._write(request, lambda: self.model.config_write_enabled(request.address, request.first_be, data))

    def io_read(self, offset: int, size: int) -> int:
        request = io_read(BAR0 + offset, size, tag=self._next_tag())
        value = self.model.io_read_enabled(request.address - BAR0, request.first_be)
        return self._read(request, value) >> 8 * (offset & 3)

    def io_write(self, offset: int, size: int, value: int) -> None:
        request = io_write(BAR0 + offset, size, value, tag=self._next_tag())
        data = int.from_bytes(request.data, "little")
        dw, enables = request.address - BAR0, request.first_be
        self._write(request, lambda: self.model.io_write_enabled(dw, enables, data))

    def mem_read(self, offset: int, size: int = 4) -> int:
        request = memory_read(BAR1 + offset, size, tag=self._next_tag())
        self.add(Channel.RX_REQ, request)
        words = [self.model.mem_read_enabled(offset + 4 * i, 0xF) for i in range(size // 4)]
        data = b"".join(word.to_bytes(4, "little") for word in words)
        self.add(Channel.TX_CPL, completion_for(request, data, completer_id=FUNCTION_ID))
        return int.from_bytes(data, "little")

    def mem_write(self, offset: int, value: int, size: int = 4) -> None:
        self.add(Channel.RX_REQ, memory_write(BAR1 + offset, value.to_bytes(size, "little")))
        for place in range(0, size, 4):
            self._follow(self.model.mem_write_enabled(offset + place, 0xF, value >> 8 * place & 0xFFFFFFFF))

    def _read(self, request: Tlp, value: int) -> int:
        self.add(Channel.RX_REQ, request)
        self._follow_line()
        data = value.to_bytes(4, "little")
        self.add(Channel.TX_CPL, completion_for(request, data, completer_id=FUNCTION_ID))
        return value

    def _write(self, request: Tlp, act: Callable[[], Iterable[Event]]) -> None:
        self.add(Channel.RX_REQ, request)
        events = tuple(act())
        messages = [event for event in events if isinstance(event, MessageDue)]
        self._follow(messages)
        self._follow_line()
        self.add(Channel.TX_CPL, completion_for(request, completer_id=FUNCTION_ID))
        self._follow(event for event in events if not isinstance(event, MessageDue))
        self._follow_line()

    def _follow(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, MessageDue):
                self._send(event.message)
            elif isinstance(event, DeviceReset):
                self.rings = {}
            elif isinstance(event, QueueMoved):
                self.rings[event.queue] = _Ring(RingLayout.of(event.pfn, self.queue_size))
            elif isinstance(event, Notify) and not self.hold:
                self.work(event.queue)

    # --- what the function sends

    def _send(self, message: Message) -> None:
        data = message.data.to_bytes(4, "little")
        self.add(Channel.TX_REQ, memory_write(message.address, data, requester_id=FUNCTION_ID))

    def _follow_line(self) -> None:
        if self.model.intx_line != self.intx:
            self.intx = self.model.intx_line
            self.add(Channel.TX_REQ, intx_message(self.intx, requester_id=FUNCTION_ID))

    def dma_read(self, address: int, count: int) -> bytes:
        out = b""
        while count:
            part = min(count, self.max_read - address % self.max_read, 4096 - address % 4096)
            out += self._dma_read_one(address, part)
            address, count = address + part, count - part
        return out

    def _dma_read_one(self, address: int, count: int) -> bytes:
        self._dma_tag = (self._dma_tag + 1) % DMA_TAGS
        request = memory_read(address, count, self._dma_tag, requester_id=FUNCTION_ID)
        self.add(Channel.TX_REQ, request)
        start, _ = requested_bytes(request)
        first = start & ~3
        data = bytes(self.memory[first : first + 4 * request.length])
        self.add(Channel.RX_CPL, completion_for(request, data, completer_id=HOST_ID))
        return bytes(self.memory[address : address + count])

    def dma_write(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data
        while data:
            part = min(len(data), self.max_payload - address % self.max_payload)
            tlp = memory_write(address, data[:part], requester_id=FUNCTION_ID)
            self.add(Channel.TX_REQ, tlp)
            address, data = address + part, data[part:]

    # --- the queue engine

    def work(self, queue: int) -> None:
        ring = self.rings[queue]
        if ring.broken:
            return
        try:
            while self._drain(queue, ring):
                pass
        except ChainError:
            ring.broken = True

    def _drain(self, queue: int, ring: _Ring) -> bool:
        """Serve what is available; True when there may be more."""
        layout = ring.layout
        index = int.from_bytes(self.dma_read(layout.available_index, 2), "little")
        if (index - ring.available) & 0xFFFF > layout.size:
            raise ChainError("VRING-AV-04", "the available index jumped")
        if index == ring.available:
            return False
        while ring.available != index:
            head = int.from_bytes(self.dma_read(layout.available_slot(ring.available), 2), "little")
            ring.available = (ring.available + 1) & 0xFFFF
            self._serve(queue, ring, head)
        if self._event_idx:
            self.dma_write(layout.avail_event, ring.available.to_bytes(2, "little"))
        return self._event_idx

    @property
    def _event_idx(self) -> bool:
        return bool(self.model.registers.features >> F_EVENT_IDX & 1)

    def _serve(self, queue: int, ring: _Ring, head: int) -> None:
        chain = self._walk(ring.layout, head)
        effects = self._effects(queue, chain)
        for offset, data in effects.writes:
            for address, part in _scatter(chain.writable, offset, data):
                self.dma_write(address, part)
        element = head.to_bytes(4, "little") + effects.used_length.to_bytes(4, "little")
        self.dma_write(ring.layout.used_element(ring.used), element)
        ring.used = (ring.used + 1) & 0xFFFF
        self.dma_write(ring.layout.used_index, ring.used.to_bytes(2, "little"))
        self._decide(queue, ring)

    def _walk(self, layout: RingLayout, head: int) -> Chain:
        walk = walk_chain(layout, head, VIRTIO_PCI_RTL, indirect_negotiated=True)
        try:
            fetch = next(walk)
            while True:
                fetch = walk.send(self.dma_read(fetch.address, fetch.length))
        except StopIteration as stop:
            chain: Chain = stop.value
            return chain

    def _effects(self, queue: int, chain: Chain) -> Effects:
        serve = self.device.serve(queue, chain)
        try:
            operation = next(serve)
            while True:
                operation = serve.send(self._perform(chain, operation))
        except StopIteration as stop:
            effects: Effects = stop.value
            return effects

    def _perform(self, chain: Chain, operation: Operation) -> bytes | MediaResult:
        if isinstance(operation, Gather):
            parts = _ranges(chain.readable, operation.offset, operation.length)
            return b"".join(self.dma_read(address, count) for address, count in parts)
        ok, data = not self.media_fails, b""
        if isinstance(operation, MediaRead):
            self.add_media(BlockRequest(MediaOperation.READ, operation.sector, operation.count))
            first = operation.sector * SECTOR
            data = bytes(self.disk[first : first + operation.count * SECTOR]) if ok else b""
        elif isinstance(operation, MediaWrite):
            count = len(operation.data) // SECTOR
            self.add_media(BlockRequest(MediaOperation.WRITE, operation.sector, count))
            self.add_media(BlockWriteData(operation.data))
            first = operation.sector * SECTOR
            self.disk[first : first + len(operation.data)] = operation.data
        elif isinstance(operation, MediaFlush):
            self.add_media(BlockRequest(MediaOperation.FLUSH, 0, 0))
        self.add_media(BlockResponse(ok, data))
        return MediaResult(ok, data)

    def _decide(self, queue: int, ring: _Ring) -> None:
        layout = ring.layout
        features = self.model.registers.features
        flags = event = 0
        index = ring.available + 1
        if self._event_idx:
            event = int.from_bytes(self.dma_read(layout.used_event, 2), "little")
        if not self._event_idx or features >> F_NOTIFY_ON_EMPTY & 1:
            raw = self.dma_read(layout.available_flags, 4)
            flags, index = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "little")
        wanted = needs_interrupt(
            features,
            flags=flags,
            used_event=event,
            new=ring.used,
            old=ring.checked,
            drained=index == ring.used,
        )
        ring.checked = ring.used
        if wanted:
            message = self.model.queue_interrupt(queue)
            if message:
                self._send(message)
            self._follow_line()

    # --- the guest

    def start(self, *, msix: bool = True, features: int = 0) -> None:
        """Enumerate, attach and bring the queue up at `RING`."""
        self.config_read(0)
        self.config_write(0x10, 4, BAR0)
        self.config_write(0x14, 4, BAR1)
        self.config_write(0x04, 2, 0x0007)
        if msix:
            self.config_write(0x42, 2, 0xC000)
            for vector in range(3):
                self.mem_write(16 * vector, 0xFEE0_1000 + 0x100 * vector)
                self.mem_write(16 * vector + 4, 0)
                self.mem_write(16 * vector + 8, 0x40 + vector)
                self.mem_write(16 * vector + 12, 0)
            self.config_write(0x42, 2, 0x8000)
        self.attach(msix=msix, features=features)

    def attach(self, *, msix: bool = True, features: int = 0) -> None:
        self.io_write(0x12, 1, 0)
        self.io_write(0x12, 1, 1)
        self.io_write(0x12, 1, 3)
        self.io_read(0x00, 4)
        self.io_write(0x04, 4, features)
        self.memory[RING : RING + 0x4000] = bytes(0x4000)
        self.io_write(0x0E, 2, 0)
        self.io_read(0x0C, 2)
        self.io_write(0x08, 4, RING >> 12)
        if msix:
            self.io_write(0x14, 2, 0)
            self.io_write(0x16, 2, 1)
            self.io_read(0x16, 2)
        self.io_write(0x12, 1, 7)

    def add_queue(self, queue: int) -> None:
        """Bring up a further queue; the guest's requests go there from now on."""
        self.queue = queue
        self.io_write(0x0E, 2, queue)
        self.io_write(0x08, 4, RING + QUEUE_STRIDE * queue >> 12)
        self.io_write(0x16, 2, 1)

    @property
    def layout(self) -> RingLayout:
        """Of the queue that the guest uses now."""
        return RingLayout.of(RING + QUEUE_STRIDE * self.queue >> 12, self.queue_size)

    def descriptor(self, index: int, address: int, length: int, flags: int = 0, following: int = 0) -> None:
        place = self.layout.descriptor(index)
        self.put_descriptor(place, address, length, flags, following)

    def put_descriptor(
        self, place: int, address: int, length: int, flags: int = 0, following: int = 0
    ) -> None:
        self.memory[place : place + 16] = b"".join((
            address.to_bytes(8, "little"), length.to_bytes(4, "little"),
            flags.to_bytes(2, "little"), following.to_bytes(2, "little"),
        ))  # fmt: skip

    def header(self, place: int, kind: int, sector: int) -> None:
        self.memory[place : place + 16] = kind.to_bytes(4, "little") + bytes(4) + sector.to_bytes(8, "little")

    def make_available(self, *heads: int) -> None:
        layout = self.layout
        index = int.from_bytes(self.memory[layout.available_index : layout.available_index + 2], "little")
        for head in heads:
            slot = layout.available_slot(index)
            self.memory[slot : slot + 2] = head.to_bytes(2, "little")
            index = (index + 1) & 0xFFFF
        self.memory[layout.available_index : layout.available_index + 2] = index.to_bytes(2, "little")

    def kick(self) -> None:
        self.io_write(0x10, 2, self.queue)

    def request(self, kind: int, sector: int, count: int, *, head: int = 0, place: int = 0x18_0000) -> None:
        """Make a request of three descriptors from `head` on available, its buffers at `place`."""
        writable = 2 if kind in (0, 8) else 0
        self.header(place, kind, sector)
        self.descriptor(head, place, 16, 1, head + 1)
        data = place + 0x1000 if count else 0
        if count:
            self.descriptor(head + 1, data, count, 1 | writable, head + 2)
        else:
            self.descriptor(head, place, 16, 1, head + 2)
        self.descriptor(head + 2, place + 0x800, 1, 2)
        self.make_available(head)

    def set_suppression(self, *, flags: int | None = None, used_event: int | None = None) -> None:
        layout = self.layout
        if flags is not None:
            self.memory[layout.available_flags : layout.available_flags + 2] = flags.to_bytes(2, "little")
        if used_event is not None:
            self.memory[layout.used_event : layout.used_event + 2] = used_event.to_bytes(2, "little")

    def resize(self, sectors: int) -> None:
        """The disk changes its capacity."""
        self.device.resize(sectors)
        self.device.take_config_changes()
        self.add_media(CapacityChanged(sectors))
        message = self.model.config_interrupt()
        if message:
            self._send(message)
        self._follow_line()


def _ranges(segments: tuple[Segment, ...], offset: int, length: int) -> Iterator[tuple[int, int]]:
    for segment in segments:
        if offset >= segment.length:
            offset -= segment.length
            continue
        count = min(length, segment.length - offset)
        if count:
            yield segment.address + offset, count
        length -= count
        offset = 0


def _scatter(segments: tuple[Segment, ...], offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    for address, count in _ranges(segments, offset, len(data)):
        yield address, data[:count]
        data = data[count:]


def judged(
    facts: Iterable[Fact],
    *,
    queue_size: int = 8,
    queues: int = 1,
    end: bool = True,
    profile: Profile = VIRTIO_PCI_RTL,
) -> list[Verdict]:
    """The verdicts a fresh judge gives on `facts`."""
    verdicts: list[Verdict] = []
    device = block_device(profile, queue_size=queue_size, queues=queues)
    judge = Judge(profile, device, on_verdict=verdicts.append)
    time_ns = 0
    for fact in facts:
        time_ns = fact.time_ns
        if fact.tlp is not None and fact.channel is not None:
            judge.tlp(time_ns, fact.channel, fact.tlp, fact.held_ns, fact.waited_ns)
        elif fact.media is not None:
            judge.media(time_ns, fact.media, fact.held_ns)
        elif fact.call is not None:
            fact.call(judge, time_ns)
    if end:
        judge.end_of_test(time_ns + 100_000)
    return verdicts
