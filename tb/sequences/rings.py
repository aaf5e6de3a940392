"""Scenarios on well-formed rings: chain lengths, full rings, wrapping indices, event indices, ring places."""

from __future__ import annotations

from tb.guest.block import BlockDriver
from tb.guest.block_request import DRIVER_FEATURES, SECTOR, BlockRequest, BlockType
from tb.guest.errors import UsedRingError
from tb.guest.interrupts import InterruptMode
from tb.guest.registers import QUEUE_ALIGN, RingFeature
from tb.guest.ring import INDEX_MASK, RingAddresses
from tb.guest.transport import QueueFactory
from tb.guest.virtqueue import SplitQueue
from tb.sequences.any_layout import WINDOW, Cutter, LooseDriver, exact
from tb.sequences.expect import poll, request
from tb.sequences.scene import Scene

NO_EVENT = DRIVER_FEATURES & ~RingFeature.EVENT_IDX
DATA = 0x5000_0000
MESSAGE_NS = 60_000
"""Longer than a message may take that is owed."""


async def chains_of_every_length(scene: Scene) -> None:
    """Chains of 2 descriptors up to the longest, direct and indirect (VRING-DESC-04, VRING-DESC-06)."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    segments = driver.config.seg_max + 2
    for indirect, longest in ((False, min(driver.queue.size, segments)), (True, segments)):
        lengths = {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 128, 129, longest - 1, longest}
        for length in sorted(count for count in lengths if 2 <= count <= longest):
            await _chain(scene, loose, length, writing=False, indirect=indirect)
            await _chain(scene, loose, length, writing=True, indirect=indirect)
    await driver.stop()


async def fill_the_ring(scene: Scene) -> None:
    """As many requests as the ring has entries, shown at once, thrice (BAD-RING-32, VRING-AV-05)."""
    for features in (DRIVER_FEATURES, NO_EVENT):
        driver = await scene.attach_block(wanted=features)
        size = driver.queue.size
        driver.reserve(size, SECTOR)
        for _ in range(3):
            for number in range(size):
                driver.submit(BlockRequest(BlockType.IN, number % 32, length=SECTOR, indirect=True))
            await driver.kick()
            while driver.queue.outstanding:
                await driver.wait()
        await driver.stop()


async def wrap_the_indices(scene: Scene, requests: int = 66_000) -> None:
    """More requests than a 16-bit index counts, in batches, mostly without interrupts (BAD-RING-35, -29).

    The batch that wraps asks for its interrupt at the last index before the wrap (VRING-INT-03).
    """
    driver = await scene.attach_block()
    depth = min(driver.queue.size, 256)
    driver.reserve(depth, SECTOR)
    done = 0
    while done < requests:
        near_wrap = abs((done + depth) % 65536 - depth) < 2 * depth
        batch = scene.rng.randint(1, depth) if near_wrap else depth
        if near_wrap:
            driver.queue.enable_interrupts(scene.rng.randint(1, 4))
        else:
            driver.queue.disable_interrupts()
        wraps = driver.queue.last_used + batch > INDEX_MASK
        if wraps:
            driver.queue.set_used_event(INDEX_MASK)
        for _ in range(batch):
            driver.submit(BlockRequest(BlockType.FLUSH, indirect=True))
        await driver.kick()
        await (_poll_keeping_event(scene, driver) if wraps else poll(driver, limit_ns=20_000_000))
        done += batch
    await driver.interrupts.discard()
    await driver.stop()


async def place_used_events(scene: Scene) -> None:
    """used_event at every distance around a batch; the batch grows from 1 (VRING-INT-02, -03)."""
    driver = await scene.attach_block(ladder=(InterruptMode.MSIX_PER_QUEUE,))
    for batch in (1, 2, 3, 5, 8):
        for distance in (-2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 0x7FFF, 0x8000, 0x8001, 0xFFFE):
            for _ in range(min(batch, driver.queue.size)):
                driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR, indirect=True))
            driver.queue.set_used_event(driver.queue.last_used + distance)
            await driver.kick()
            await _poll_keeping_event(scene, driver)
            await driver.interrupts.discard()
    driver.queue.enable_interrupts()
    await request(driver)
    await driver.interrupts.discard()
    await driver.stop()


async def start_with_far_events(scene: Scene) -> None:
    """The first used buffer after each start, with used_event near and far (VRING-INT-03)."""
    for used_event in (0, 5, 1, 0x8000, 0xFFFF):
        driver = await scene.attach_block(ladder=(InterruptMode.MSIX_PER_QUEUE,))
        driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR, indirect=True))
        driver.queue.set_used_event(used_event)
        await driver.kick()
        await _poll_keeping_event(scene, driver)
        await scene.bus.delay(MESSAGE_NS)
        await driver.interrupts.discard()
        await driver.stop()


async def notify_on_empty(scene: Scene) -> None:
    """NOTIFY_ON_EMPTY with interrupts asked away: one comes when the ring runs dry (VPCI-STAT-21)."""
    wanted = DRIVER_FEATURES | RingFeature.NOTIFY_ON_EMPTY
    for features in (wanted, wanted & ~RingFeature.EVENT_IDX):
        driver = await scene.attach_block(wanted=features)
        for batch in (1, 2, 4):
            driver.queue.disable_interrupts()
            for _ in range(min(batch, driver.queue.size)):
                driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR, indirect=True))
            await driver.kick()
            await poll(driver)
            await scene.bus.delay(3_000)
            await driver.interrupts.discard()
        await driver.stop()


async def scatter_descriptors(scene: Scene) -> None:
    """Chains over descriptors in random order, so that nothing rests on next being head + 1."""
    driver = await scene.attach_block(make_queue=_shuffled(scene))
    loose = LooseDriver(driver)
    cutter = Cutter(scene.rng, pieces=8, region="low")
    for _ in range(40):
        for _ in range(scene.rng.randint(1, 6)):
            loose.submit_cut(BlockRequest(BlockType.IN, scene.rng.randrange(64), length=SECTOR), cutter)
        await driver.kick()
        await loose.finish_all()
    await driver.stop()


async def place_rings_anywhere(scene: Scene) -> None:
    """Rings below 4 GiB, across it, above it, and at the end of a PFN's reach (VPCI-Q-14, BAD-REG-11)."""
    size = await _queue_size(scene)
    pages = -(-RingAddresses.bytes_needed(size) // QUEUE_ALIGN)
    low = (0x200, 0x10_0000 - 1, 0x10_0000 - pages + 1, 0x10_0000)
    for pfn in (*low, 0x8765_4321, 0xFFFF_FFFF - pages, 0xFFFF_FFFF):
        driver = await scene.attach_block(make_queue=_at(scene, pfn))
        for indirect in (False, True):
            if indirect or driver.queue.size >= 4:
                for _ in range(3):
                    await driver.do(BlockRequest(BlockType.IN, 1, length=SECTOR, indirect=indirect))
        await driver.stop()


async def place_tables_anywhere(scene: Scene) -> None:
    """Indirect tables at odd addresses, across pages and across 4 GiB (VRING-IND-07)."""
    driver = await scene.attach_block()
    starts = [
        0x6000_0000 + shift for shift in (0, 1, 2, 3, 5, 8, 15, 4096 - 8, 4096 - 16, 4096 - 24, 4096 - 47)
    ]
    starts += [0x1_0000_0000 - 24, 0x77_0000_0001, (1 << 64) - 0x1_0000]
    for start in starts:
        queue = driver.queue
        queue.place_next_table(start, 8)
        await driver.do(BlockRequest(BlockType.IN, 2, length=4 * SECTOR, indirect=True))
    await driver.stop()


async def race_with_the_device(scene: Scene, rounds: int = 150) -> None:
    """Chains appear while the device drains; a kick goes out only when it is asked for (VRING-AV-08, -09)."""
    for features in (DRIVER_FEATURES, NO_EVENT):
        driver = await scene.attach_block(wanted=features)
        depth = min(6, driver.queue.size)
        driver.reserve(depth, SECTOR)
        for _ in range(rounds):
            if driver.queue.outstanding < depth:
                driver.submit(
                    BlockRequest(BlockType.IN, scene.rng.randrange(16), length=SECTOR, indirect=True)
                )
                await driver.kick()
            await scene.bus.delay(scene.rng.choice((0, 40, 200, 600, 1500)))
            if driver.queue.has_used():
                driver.collect()
        await poll(driver)
        await driver.interrupts.discard()
        await driver.stop()


async def _chain(scene: Scene, loose: LooseDriver, length: int, *, writing: bool, indirect: bool) -> None:
    """One request of exactly `length` descriptors; data are cut into what header and status leave."""
    sector, total = scene.rng.randrange(16), SECTOR * max(1, -(-length // 128))
    inner = length - 2
    borders = sorted(scene.rng.sample(range(1, total), inner - 1)) if inner > 1 else []
    sizes = [b - a for a, b in zip([0, *borders], [*borders, total], strict=True)] if inner else []
    if not inner:
        kind, readable, writable = BlockRequest(BlockType.FLUSH, indirect=indirect), [16], [1]
    elif writing:
        data = scene.rng.randbytes(total)
        kind = BlockRequest(BlockType.OUT, sector, data, indirect=indirect)
        readable, writable = [16, *sizes], [1]
    else:
        kind = BlockRequest(BlockType.IN, sector, length=total, indirect=indirect)
        readable, writable = [16], [*sizes, 1]
    gap = scene.rng.choice((0, 3, 64))
    await loose.do(kind, exact(readable, DATA, gap), exact(writable, DATA + WINDOW, gap))
    if not kind.ok:
        raise UsedRingError("VRING-DESC-06", f"a chain of {length} descriptors gave status {kind.status}")


async def _poll_keeping_event(scene: Scene, driver: BlockDriver) -> None:
    """Wait for the batch without touching used_event, which collecting would move."""
    waited = 0
    while (driver.queue.last_used + driver.queue.outstanding) & 0xFFFF != _used_index(driver):
        if waited > 400_000:
            raise UsedRingError("BAD-DEV-11", "a batch does not complete")
        await scene.bus.delay(500)
        waited += 500
    await scene.bus.delay(2_000)
    driver.collect()


def _used_index(driver: BlockDriver) -> int:
    memory = driver.transport.bus.memory
    return int.from_bytes(memory.read(driver.queue.ring.used_index, 2), "little")


async def _queue_size(scene: Scene) -> int:
    driver = await scene.attach_block()
    await driver.stop()
    return driver.queue.size


def _shuffled(scene: Scene) -> QueueFactory:
    def make(index: int, size: int, features: int) -> SplitQueue:
        event_idx, indirect = (
            bool(features & RingFeature.EVENT_IDX),
            bool(features & RingFeature.INDIRECT_DESC),
        )
        memory = scene.bus.memory
        return SplitQueue(memory, index, size, event_idx=event_idx, indirect=indirect, shuffle=scene.rng)

    return make


def _at(scene: Scene, pfn: int) -> QueueFactory:
    def make(index: int, size: int, features: int) -> SplitQueue:
        event_idx, indirect = (
            bool(features & RingFeature.EVENT_IDX),
            bool(features & RingFeature.INDIRECT_DESC),
        )
        base = pfn * QUEUE_ALIGN
        return SplitQueue(scene.bus.memory, index, size, event_idx=event_idx, indirect=indirect, base=base)

    return make
