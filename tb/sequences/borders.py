"""Scenarios on values at the borders of what the function counts and adds."""

from __future__ import annotations

from tb.guest.block_request import SECTOR, BlockRequest, BlockStatus, BlockType
from tb.guest.errors import RequestError
from tb.guest.registers import RingFeature
from tb.guest.ring import DESCRIPTOR_BYTES, NO_INTERRUPT, pack_descriptor
from tb.sequences.any_layout import LooseDriver
from tb.sequences.expect import drop_interrupts
from tb.sequences.raw_ring import (
    INDIRECT,
    NEXT,
    QUIET_NS,
    WRITE,
    Buffers,
    Entry,
    RawRing,
    bring_up,
    kick,
    stays_unused,
    until_used,
)
from tb.sequences.registers import reset
from tb.sequences.scene import Scene

TABLES = (4095, 4096, 4097, 65535, 65536, 65537, 1 << 20)
"""Entries of an indirect table around 64 KiB and around 2^16 entries."""
ROOM = 0x60_0000_0000
FOUR_GIB = 1 << 32
TOP = 1 << 64
EVENTS = (0, 1, 2, 3, 4, 5, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
INDIRECT_ONLY = RingFeature.INDIRECT_DESC


async def reach_far_in_tables(scene: Scene) -> None:
    """Chains through the first and last entries of tables of 64 KiB, 1 MiB and more (VRING-IND-04)."""
    ring = await bring_up(scene, INDIRECT_ONLY)
    position = 0
    for entries in TABLES:
        last = min(entries, 65536) - 1
        for places in ((0, last, last - 1), (0, last // 2, last)):
            for base in (ROOM, FOUR_GIB - DESCRIPTOR_BYTES * (last - 1)):
                await _through_table(scene, ring, position, base, entries, places)
                position += 1
    await _leave(scene)


async def leave_far_tables(scene: Scene) -> None:
    """In tables of those sizes: a `next` one past the end, and a loop of more steps than the ring has."""
    for entries in TABLES[:5]:
        if entries < 65536:
            ring = await bring_up(scene, INDIRECT_ONLY)
            await _malformed(scene, ring, entries, {0: _buffer(NEXT, entries)})
        ring = await bring_up(scene, INDIRECT_ONLY)
        last = min(entries, 65536) - 1
        await _malformed(scene, ring, entries, {0: _buffer(NEXT, last), last: _buffer(NEXT, 0)})
    await _leave(scene)


async def end_at_the_last_byte(scene: Scene) -> None:
    """Header, data and status that end with the last byte before 4 GiB and before 2^64, and cross 4 GiB."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    for end in (FOUR_GIB, TOP):
        for length in (SECTOR, 3 * SECTOR):
            data, sector = scene.rng.randbytes(length), scene.rng.randrange(32)
            out = BlockRequest(BlockType.OUT, sector, data)
            await loose.do(out, [(end - 16 - length, 16 + length)], [(ROOM, 1)])
            back = BlockRequest(BlockType.IN, sector, length=length)
            await loose.do(back, [(end - 16, 16)], [(end - 17 - length, length + 1)])
            _expect(back, data)
    for into in (1, 15, 16, 17, 40, 512, 513):
        data = scene.rng.randbytes(SECTOR)
        out = BlockRequest(BlockType.OUT, 3, data)
        await loose.do(out, [(FOUR_GIB - into, 16 + SECTOR)], [(ROOM, 1)])
        back = BlockRequest(BlockType.IN, 3, length=SECTOR)
        await loose.do(back, [(ROOM, 16)], [(FOUR_GIB - into, SECTOR + 1)])
        _expect(back, data)
    await driver.stop()


async def read_around_large_sectors(scene: Scene) -> None:
    """Sectors around 2^31, 2^32 and 2^33 of a disk that has them, and its last one (VBLK-22)."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    before = driver.config.capacity
    capacity = (1 << 40) + 3
    await scene.host.set_capacity(capacity)
    await scene.bus.delay(1_000)
    for border in (1 << 31, 1 << 32, 3 << 31, 1 << 33, capacity):
        for sector in (border - 2, border - 1, border, border + 1):
            for count in (1, 2):
                request = BlockRequest(BlockType.IN, sector, length=count * SECTOR)
                await loose.do(request, [(ROOM, 16)], [(ROOM + 0x1000, count * SECTOR + 1)])
                fits = sector + count <= capacity
                if request.status != (BlockStatus.OK if fits else BlockStatus.IO_ERROR):
                    what = f"{count} sectors at {sector:#x} of {capacity:#x} gave status {request.status}"
                    raise RequestError("VBLK-12", what)
    await scene.host.set_capacity(before)
    await scene.bus.delay(1_000)
    await driver.stop()


async def wish_for_every_event(scene: Scene) -> None:
    """used_event at every distance from the start on, the flags saying otherwise (VRING-INT-02, -03)."""
    for features in (RingFeature.EVENT_IDX, RingFeature.EVENT_IDX | RingFeature.NOTIFY_ON_EMPTY):
        for event in EVENTS:
            for together in (1, 3):
                ring = await bring_up(scene, features | RingFeature.INDIRECT_DESC)
                ring.flags(NO_INTERRUPT * scene.rng.randrange(2))
                ring.used_event(event)
                await _serve_in_groups(scene, ring, together, groups=3)
    await _leave(scene)


async def suppress_and_run_empty(scene: Scene) -> None:
    """Interrupts suppressed by flags, with and without NOTIFY_ON_EMPTY, chain by chain and in groups."""
    for features in (RingFeature.NONE, RingFeature.NOTIFY_ON_EMPTY):
        for flags in (0, NO_INTERRUPT):
            for together in (1, 2, 4):
                ring = await bring_up(scene, features | RingFeature.INDIRECT_DESC)
                ring.flags(flags)
                await _serve_in_groups(scene, ring, together, groups=2)
    await _leave(scene)


async def _leave(scene: Scene) -> None:
    """Reset, and forget what interrupted."""
    await reset(scene)
    await drop_interrupts(scene)


async def _serve_in_groups(scene: Scene, ring: RawRing, together: int, groups: int) -> None:
    """Offer `together` reads at once, `groups` times; let everything come that may interrupt."""
    position = 0
    for _ in range(groups):
        for _ in range(min(together, ring.size)):
            buffers = Buffers.allocate(scene.bus.memory, SECTOR)
            buffers.fill_header()
            table = ring.table(_chain(buffers))
            head = position % ring.size
            ring.descriptor(head, (table, 3 * DESCRIPTOR_BYTES, INDIRECT, 0))
            ring.slot(position, head)
            position += 1
        ring.publish(position)
        await kick(scene)
        await until_used(scene, ring, position)
        await scene.bus.delay(QUIET_NS // 4)


async def _through_table(
    scene: Scene, ring: RawRing, position: int, base: int, entries: int, places: tuple[int, int, int]
) -> None:
    """One read through three entries of a table of so many."""
    buffers = Buffers.allocate(scene.bus.memory, SECTOR)
    buffers.fill_header()
    for at, entry in zip(places, _chain(buffers, places), strict=True):
        scene.bus.memory.write(base + DESCRIPTOR_BYTES * at, pack_descriptor(*entry))
    head = position % ring.size
    ring.descriptor(head, (base, DESCRIPTOR_BYTES * entries, INDIRECT, 0))
    ring.offer(position, head)
    await kick(scene)
    await until_used(scene, ring, position + 1)


async def _malformed(scene: Scene, ring: RawRing, entries: int, table: dict[int, Entry]) -> None:
    """A table of so many entries, of which some are written, must stop the queue."""
    for at, entry in table.items():
        scene.bus.memory.write(ROOM + DESCRIPTOR_BYTES * at, pack_descriptor(*entry))
    ring.descriptor(0, (ROOM, DESCRIPTOR_BYTES * entries, INDIRECT, 0))
    ring.offer(0, 0)
    await kick(scene)
    await scene.bus.delay(60_000)
    await stays_unused(scene, ring, 0)


def _buffer(flags: int, following: int) -> Entry:
    """A readable buffer of 16 bytes in the middle of a chain."""
    return ROOM + 0x100_0000_0000, 16, flags, following


def _chain(buffers: Buffers, places: tuple[int, int, int] = (0, 1, 2)) -> list[Entry]:
    """Header, data, status of a read as entries at those places of a table."""
    return [
        (buffers.header, 16, NEXT, places[1]),
        (buffers.data, SECTOR, NEXT | WRITE, places[2]),
        (buffers.status, 1, WRITE, 0),
    ]


def _expect(request: BlockRequest, data: bytes) -> None:
    if not request.ok or request.answer != data:
        what = f"{len(data)} bytes at a border came back wrong, status {request.status}"
        raise RequestError("VBLK-06", what)
