"""Scenarios that put a one into every bit the function computes with: addresses, lengths, capacities."""

from __future__ import annotations

from tb.guest.block_request import CONFIG_BYTES, SECTOR, BlockRequest, BlockStatus, BlockType
from tb.guest.errors import RequestError
from tb.sequences.any_layout import LooseDriver
from tb.sequences.raw_ring import (
    NEXT,
    WRITE,
    Buffers,
    RawRing,
    bring_up,
    kick,
    queue_size,
    serve_one,
    until_used,
)
from tb.sequences.registers import reset
from tb.sequences.scene import Scene

PAGE = 4096
FIRST_BIT = 26
"""Walking starts above the memory that scenarios allocate from."""
HEADER = 0x5100_0000
ANSWER = 0x5200_0000


async def walk_buffer_addresses(scene: Scene) -> None:
    """Header, data and status at every single address bit, and at all but one (VPCI-STAT-16, BAD-RING-11)."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    top = (1 << 64) - PAGE
    bases = [1 << bit for bit in range(FIRST_BIT, 64)] + [top ^ 1 << bit for bit in range(32, 64)]
    for base in bases:
        data = scene.rng.randbytes(SECTOR)
        sector = scene.rng.randrange(64)
        place = base + 4 * scene.rng.randrange(64) + scene.rng.randrange(4)
        out = BlockRequest(BlockType.OUT, sector, data)
        await loose.do(out, [(place, 16), (place + 32, SECTOR)], [(ANSWER, 1)])
        back = BlockRequest(BlockType.IN, sector, length=SECTOR, indirect=True)
        driver.queue.place_next_table(base + 0x800, 8)
        await loose.do(back, [(HEADER, 16)], [(place, SECTOR), (place + SECTOR + 8, 1)])
        if back.answer != data:
            raise RequestError("VBLK-06", f"data at {place:#x} came back wrong")
    await driver.stop()


async def walk_ring_addresses(scene: Scene) -> None:
    """A ring at every single bit of the PFN, and at all but one (VPCI-Q-01)."""
    await scene.enumerate()
    size = await queue_size(scene)
    pfns = [1 << bit for bit in range(9, 32)] + [0xFFFF_0000 ^ 1 << bit for bit in range(16, 32)]
    for pfn in pfns:
        ring = await bring_up(scene, ring=RawRing(scene.bus.memory, size, pfn * PAGE))
        for position in range(3):
            await serve_one(scene, ring, position)
    await reset(scene)


async def walk_lengths(scene: Scene) -> None:
    """Buffers of every power of two and around, too long for the disk: refused, the status at the end."""
    await scene.enumerate()
    lengths = [1 << bit for bit in range(10, 32)]
    lengths += (
        [length + 1 for length in lengths] + [length - 1 for length in lengths] + [0xFFFF_FFFF, 0xFFFF_FE00]
    )
    ring = await bring_up(scene)
    position = 0
    for length in lengths:
        for kind in (BlockType.IN, BlockType.OUT):
            await _refused(scene, ring, position, kind, [length])
            position += 1
    for many in ([0xFFFF_FFFF, 0xFFFF_FFFF], [0x8000_0000, 0x8000_0000], [0xFFFF_FE00, 512, 512]):
        await _refused(scene, ring, position, BlockType.IN, many)
        await _refused(scene, ring, position + 1, BlockType.OUT, many)
        position += 2
    await serve_one(scene, ring, position)
    await reset(scene)


async def walk_capacity(scene: Scene) -> None:
    """Capacities of every single bit: the config shows them by 4, 2, 1 bytes, and the end moves with them."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    before = driver.config.capacity
    for bit in range(2, 63):
        capacity = 1 << bit
        await scene.host.set_capacity(capacity)
        await scene.bus.delay(1_000)
        await driver.transport.read_stable_config(0, CONFIG_BYTES)
        for offset in range(8):
            await driver.transport.read_device_config(offset, 1)
        for sector, expected in ((capacity, BlockStatus.IO_ERROR), (capacity - 1, BlockStatus.OK)):
            request = BlockRequest(BlockType.IN, sector, length=SECTOR)
            await loose.do(request, [(HEADER, 16)], [(ANSWER, SECTOR + 1)])
            if request.status != expected:
                what = f"sector {sector:#x} of {capacity:#x} gave status {request.status}"
                raise RequestError("VBLK-12", what)
    await scene.host.set_capacity(before)
    await scene.bus.delay(1_000)
    await driver.stop()


async def _refused(scene: Scene, ring: RawRing, position: int, kind: BlockType, lengths: list[int]) -> None:
    """A request over the last sector with these data buffers must end in an I/O error."""
    buffers = Buffers.allocate(scene.bus.memory, 16)
    buffers.fill_header(kind, (1 << 63) + 5)
    writable = WRITE if kind == BlockType.IN else 0
    start = 0x100_0000_0000 * (position % 50 + 1)
    entries = [(buffers.header, 16, NEXT, 1)]
    for number, length in enumerate(lengths):
        entries.append((start + 0x10_0000_0000 * number, length, NEXT | writable, number + 2))
    entries.append((buffers.status, 1, WRITE, 0))
    ring.descriptor(0, (ring.table(entries), 16 * len(entries), 4, 0))
    ring.offer(position, 0)
    await kick(scene)
    await until_used(scene, ring, position + 1)
    if buffers.status_byte() != BlockStatus.IO_ERROR:
        what = f"{sum(lengths):#x} bytes past the end gave status {buffers.status_byte()}"
        raise RequestError("VBLK-12", what)
