"""A split ring without a driver's care: any descriptor, any index, any flag, when a scenario says so."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tb.guest.block_request import BlockType
from tb.guest.enumeration import Command, change_command
from tb.guest.errors import DeviceTimeoutError, UsedRingError
from tb.guest.host_bus import HostMemory
from tb.guest.registers import QUEUE_ALIGN, DescriptorFlag, Register, Status
from tb.guest.ring import DESCRIPTOR_BYTES, RingAddresses, pack_descriptor
from tb.sequences.scene import Scene

NEXT, WRITE, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.WRITE, DescriptorFlag.INDIRECT
STATUS_POISON = 0xEE
QUIET_NS = 6_000
"""Long enough for the function to have done anything it would do about one chain."""
PATIENCE_NS = 400_000

Entry = tuple[int, int, int, int]
"""One descriptor: address, length, flags, next."""


def pack_table(entries: Sequence[Entry]) -> bytes:
    """A descriptor table as bytes."""
    return b"".join(pack_descriptor(*entry) for entry in entries)


@dataclass(slots=True)
class RawRing:
    """A ring at `base`; every verb writes exactly what it is told."""

    memory: HostMemory
    size: int
    base: int
    ring: RingAddresses = field(init=False)

    def __post_init__(self) -> None:
        self.ring = RingAddresses(self.size, self.base)
        self.memory.write(self.base, bytes(self.ring.end - self.base))

    @classmethod
    def allocate(cls, memory: HostMemory, size: int) -> RawRing:
        """A fresh ring in guest memory."""
        return cls(memory, size, memory.allocate(RingAddresses.bytes_needed(size), QUEUE_ALIGN))

    @property
    def pfn(self) -> int:
        return self.base // QUEUE_ALIGN

    def descriptor(self, index: int, entry: Entry) -> None:
        """Write one descriptor of the ring's own table."""
        self.memory.write(self.ring.descriptor(index), pack_descriptor(*entry))

    def descriptors(self, entries: dict[int, Entry]) -> None:
        """Write several descriptors by their index."""
        for index, entry in entries.items():
            self.descriptor(index, entry)

    def table(self, entries: Sequence[Entry], *, align: int = 16, shift: int = 0) -> int:
        """Write an indirect table somewhere (`shift` bytes off its alignment) and give its address."""
        raw = pack_table(entries)
        address = self.memory.allocate(len(raw) + shift, align) + shift
        self.memory.write(address, raw)
        return address

    def slot(self, position: int, head: int) -> None:
        """Write an available slot."""
        self.memory.write(self.ring.available_slot(position), head.to_bytes(2, "little"))

    def publish(self, index: int) -> None:
        """Write the available index."""
        self.memory.write(self.ring.available_index, (index & 0xFFFF).to_bytes(2, "little"))

    def flags(self, value: int) -> None:
        """Write the available flags."""
        self.memory.write(self.ring.available, value.to_bytes(2, "little"))

    def used_event(self, value: int) -> None:
        """Write the used_event field."""
        self.memory.write(self.ring.used_event, (value & 0xFFFF).to_bytes(2, "little"))

    def offer(self, position: int, head: int) -> None:
        """Write a slot and show it."""
        self.slot(position, head)
        self.publish(position + 1)

    def used_index(self) -> int:
        """The used index as the device left it."""
        return int.from_bytes(self.memory.read(self.ring.used_index, 2), "little")

    def used(self, position: int) -> tuple[int, int]:
        """A used element: id and length."""
        head, length = struct.unpack("<II", self.memory.read(self.ring.used_element(position), 8))
        return head, length

    def available_event(self) -> int:
        """The avail_event field as the device left it."""
        return int.from_bytes(self.memory.read(self.ring.available_event, 2), "little")


@dataclass(slots=True)
class Buffers:
    """Memory of one block request: header, data, status."""

    memory: HostMemory
    header: int
    data: int
    room: int
    status: int

    @classmethod
    def allocate(cls, memory: HostMemory, room: int = 4096, *, shift: int = 0) -> Buffers:
        """Fresh buffers; data begin `shift` bytes off a page."""
        header = memory.allocate(16)
        data = memory.allocate(room + shift, 4096) + shift
        return cls(memory, header, data, room, memory.allocate(1))

    def fill_header(self, kind: int = BlockType.IN, sector: int = 0) -> None:
        """Write the request header and poison the status."""
        self.memory.write(self.header, struct.pack("<IIQ", kind, 0, sector))
        self.memory.write(self.status, bytes((STATUS_POISON,)))

    def status_byte(self) -> int:
        """The status as the device left it."""
        return self.memory.read(self.status, 1)[0]


async def queue_size(scene: Scene, queue: int = 0) -> int:
    """Entries of a queue."""
    await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
    return await scene.bus.io_read(Register.QUEUE_SIZE, 2)


async def bring_up(scene: Scene, features: int = 0, *, ring: RawRing | None = None) -> RawRing:
    """Reset the function and give queue 0 a fresh ring; enumerates first if needed. Status is then 7."""
    if scene.found is None:
        await scene.enumerate()
    bus = scene.bus
    await change_command(bus, enable=Command.BUS_MASTER)
    await bus.io_write(Register.DEVICE_STATUS, 1, 0)
    await bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER)
    await bus.io_write(Register.DRIVER_FEATURES, 4, features)
    ring = ring or RawRing.allocate(bus.memory, await queue_size(scene))
    await bus.io_write(Register.QUEUE_SELECT, 2, 0)
    await bus.io_write(Register.QUEUE_PFN, 4, ring.pfn)
    await bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK)
    return ring


async def kick(scene: Scene, queue: int = 0) -> None:
    """Notify a queue."""
    await scene.bus.io_write(Register.QUEUE_NOTIFY, 2, queue)


async def until_used(scene: Scene, ring: RawRing, index: int) -> None:
    """Wait until the used index is `index`. DeviceTimeoutError if it never is."""
    waited, step = 0, 200
    while ring.used_index() != index & 0xFFFF:
        if waited > PATIENCE_NS:
            what = f"the used index is {ring.used_index()} and not {index} after {waited} ns"
            raise DeviceTimeoutError("BAD-DEV-11", what)
        await scene.bus.delay(step)
        waited, step = waited + step, min(2 * step, 20_000)


async def stays_unused(scene: Scene, ring: RawRing, index: int) -> None:
    """Let the function do what it will, and see that the used index has stayed. UsedRingError if it moved."""
    await scene.bus.delay(QUIET_NS)
    if ring.used_index() != index & 0xFFFF:
        what = f"the used index is {ring.used_index()} where nothing may be used beyond {index}"
        raise UsedRingError("VRING-US-10", what)


async def serve_one(
    scene: Scene, ring: RawRing, position: int, *, sector: int = 0, length: int = 512
) -> None:
    """A well-formed read at `position` of the ring must work. UsedRingError or DeviceTimeoutError if not."""
    buffers = Buffers.allocate(scene.bus.memory, length)
    buffers.fill_header(BlockType.IN, sector)
    ring.descriptors(
        {
            0: (buffers.header, 16, NEXT, 1),
            1: (buffers.data, length, NEXT | WRITE, 2),
            2: (buffers.status, 1, WRITE, 0),
        }
        if ring.size >= 3
        else {0: (ring.table(read_table(buffers, length)), 3 * DESCRIPTOR_BYTES, INDIRECT, 0)}
    )
    ring.offer(position, 0)
    await kick(scene)
    await until_used(scene, ring, position + 1)
    if ring.used(position) != (0, length + 1) or buffers.status_byte() != 0:
        what = f"a plain read gave used element {ring.used(position)} and status {buffers.status_byte()}"
        raise UsedRingError("VRING-US-04", what)


def read_table(buffers: Buffers, length: int) -> list[Entry]:
    """Header, data, status of a read as an indirect table."""
    return [
        (buffers.header, 16, NEXT, 1),
        (buffers.data, length, NEXT | WRITE, 2),
        (buffers.status, 1, WRITE, 0),
    ]
