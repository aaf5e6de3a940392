"""Scenarios on reset and bus mastering at bad moments: nothing strays, and work goes on or starts anew."""

from __future__ import annotations

from tb.guest.block_request import SECTOR, BlockRequest, BlockType
from tb.guest.enumeration import Command, Header, change_command
from tb.guest.errors import DeviceTimeoutError
from tb.guest.interrupts import InterruptMode
from tb.guest.registers import Register, RingFeature, Status
from tb.guest.turns import turns
from tb.sequences.any_layout import Cutter, LooseDriver
from tb.sequences.config_space import write_every_bit
from tb.sequences.expect import PATIENCE_NS, drop_interrupts, poll
from tb.sequences.raw_ring import (
    INDIRECT,
    Buffers,
    RawRing,
    bring_up,
    kick,
    queue_size,
    read_table,
    serve_one,
    until_used,
)
from tb.sequences.registers import read_whole_bar, reset
from tb.sequences.scene import Pace, Scene, Space

MOST_FLICKS = 5_000
"""Times that bus master goes off and on until the requests under it must be done."""
MOMENTS = (0, 40, 80, 120, 160, 240, 320, 400, 500, 640, 800, 1000, 1300, 1700, 2200, 3000, 5000)
"""Nanoseconds after the kick; chance moves each a little."""


async def reset_at_any_moment(scene: Scene) -> None:
    """Status 0 at many moments of a batch: then nothing moves, and a new start works (BAD-REG-18)."""
    await _reset_at_moments(scene, by_pfn=False)


async def reset_by_pfn_at_any_moment(scene: Scene) -> None:
    """The same by writing PFN 0 (BAD-REG-08)."""
    await _reset_at_moments(scene, by_pfn=True)


async def reset_under_load(scene: Scene) -> None:
    """Resets in the middle of slow, split and reordered answers."""
    for pace in (Pace.SLOW, Pace.REORDER, Pace.WILD):
        await scene.host.pace(pace)
        await _reset_at_moments(scene, by_pfn=False, moments=MOMENTS[::2])
    await scene.host.pace(Pace.FAST)


async def resize_into_reset(scene: Scene, rounds: int = 60) -> None:
    """The disk changes its size just before a reset: the guest is told before, or never (VPCI-STAT-08)."""
    for mode in (InterruptMode.MSIX_PER_QUEUE, InterruptMode.INTX):
        driver = await scene.attach_block(ladder=(mode,))
        capacity = driver.config.capacity
        await scene.host.pace(Pace.THROTTLED)
        for number in range(rounds):
            answer = await scene.begin(scene.request(Space.IO, Register.DEVICE_STATUS & ~3, 4, 0))
            for step in range(scene.rng.randint(2, 20)):
                await scene.host.set_capacity(capacity + 1 + (number + step) % 64)
                await scene.bus.delay(8)
            await answer()
            await scene.bus.io_read(Register.ISR_STATUS, 1)
            await scene.bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER)
            await scene.bus.io_write(
                Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK
            )
            await scene.bus.delay(200)
            await scene.bus.io_read(Register.ISR_STATUS, 1)
        await scene.host.pace(Pace.FAST)
        await scene.host.set_capacity(capacity)
        await driver.interrupts.discard()
        await reset(scene)


async def restart_at_once(scene: Scene) -> None:
    """Reset and a new ring somewhere else without reading anything back (BAD-REG-19, VFIO scenario 6)."""
    await scene.enumerate()
    await change_command(scene.bus, enable=Command.BUS_MASTER)
    size = await queue_size(scene)
    bus = scene.bus
    for number in range(12):
        ring = _loaded_ring(scene, size)
        await bus.io_write(Register.DEVICE_STATUS, 1, 0)
        await bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER)
        await bus.io_write(Register.QUEUE_PFN, 4, ring.pfn)
        await kick(scene)
        await bus.delay(scene.rng.randrange(2500))
        if number % 3 == 2:
            await until_used(scene, ring, 1)
    await reset(scene)


async def use_before_driver_ok(scene: Scene) -> None:
    """Kicks before DRIVER_OK, before features, before any status: all are served (VPCI-STAT-11, -12)."""
    await scene.enumerate()
    await change_command(scene.bus, enable=Command.BUS_MASTER)
    size = await queue_size(scene)
    for status in (0, Status.ACKNOWLEDGE, Status.ACKNOWLEDGE | Status.DRIVER, Status.FAILED, 0xFF):
        await reset(scene)
        if status:
            await scene.bus.io_write(Register.DEVICE_STATUS, 1, status)
        ring = RawRing.allocate(scene.bus.memory, size)
        await scene.bus.io_write(Register.QUEUE_PFN, 4, ring.pfn)
        await serve_one(scene, ring, 0)
        await scene.bus.io_write(Register.DRIVER_FEATURES, 4, RingFeature.EVENT_IDX)
        await scene.bus.io_read(Register.DRIVER_FEATURES, 4)
        await serve_one(scene, ring, 1)
    await reset(scene)
    await scene.bus.io_write(Register.DRIVER_FEATURES, 4, RingFeature.EVENT_IDX)
    await scene.bus.io_read(Register.DRIVER_FEATURES, 4)


async def kick_without_work(scene: Scene) -> None:
    """Many kicks of a queue with nothing new, and kicks while it works (BAD-REG-06, VRING-AV-07)."""
    for features in (0, RingFeature.EVENT_IDX):
        ring = await bring_up(scene, features)
        for position in range(6):
            for _ in range(scene.rng.randrange(5)):
                await kick(scene)
            await serve_one(scene, ring, position)
            for _ in range(scene.rng.randrange(5)):
                await kick(scene)
    await reset(scene)


async def rewrite_live_address(scene: Scene) -> None:
    """Another PFN for a live queue: the old ring goes on (BAD-REG-09); the size never changes."""
    ring = await bring_up(scene)
    await serve_one(scene, ring, 0)
    decoy = RawRing.allocate(scene.bus.memory, ring.size)
    await scene.bus.io_write(Register.QUEUE_PFN, 4, decoy.pfn)
    await scene.bus.io_read(Register.QUEUE_PFN, 4)
    await scene.bus.io_write(Register.QUEUE_SIZE, 2, 8)
    await scene.bus.io_read(Register.QUEUE_SIZE, 2)
    await serve_one(scene, ring, 1)
    await reset(scene)


async def switch_bus_master_in_traffic(scene: Scene) -> None:
    """Bus master off at many moments of a batch, on again later: work stalls and goes on (VPCI-STAT-28)."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    cutter = Cutter(scene.rng)
    for pace in (Pace.FAST, Pace.THROTTLED):
        await scene.host.pace(pace)
        for moment in MOMENTS:
            await _start_batch(scene, loose, cutter)
            await scene.bus.delay(moment + scene.rng.randrange(40))
            await change_command(scene.bus, disable=Command.BUS_MASTER)
            await scene.bus.io_read(Register.DEVICE_STATUS, 1)
            await scene.bus.delay(scene.rng.randrange(3000))
            await change_command(scene.bus, enable=Command.BUS_MASTER)
            await _poll_loose(scene, loose)
    await scene.host.pace(Pace.FAST)
    await driver.interrupts.discard()
    await driver.stop()


async def flick_bus_master(scene: Scene, rounds: int = 16) -> None:
    """Bus master off and on in quick succession while packets wait at the pins (VPCI-STAT-28).

    A write's data are fetched by many reads; one of them is likely to stand there when the bit goes away.
    """
    driver = await scene.attach_block()
    driver.reserve(4, 32 * SECTOR)
    await scene.host.pace(Pace.THROTTLED)
    for _ in range(rounds):
        for number in range(4):
            data = scene.rng.randbytes(32 * SECTOR)
            driver.submit(BlockRequest(BlockType.OUT, 32 * number, data, indirect=True))
        await driver.kick()
        for _ in turns(MOST_FLICKS, _never_done):
            if not driver.queue.outstanding:
                break
            await change_command(scene.bus, disable=Command.BUS_MASTER)
            await change_command(scene.bus, enable=Command.BUS_MASTER)
            await scene.bus.delay(8 * scene.rng.randrange(20))
            driver.collect()
    await scene.host.pace(Pace.FAST)
    await driver.interrupts.discard()
    await driver.stop()


def _never_done() -> DeviceTimeoutError:
    what = f"requests are not done after bus master went off and on {MOST_FLICKS} times"
    return DeviceTimeoutError("BAD-DEV-11", what)


async def kick_without_bus_master(scene: Scene) -> None:
    """A kick while bus master is off is remembered (VPCI-STAT-27); a reset forgets it."""
    driver = await scene.attach_block()
    for forget in (False, True, False):
        await change_command(scene.bus, disable=Command.BUS_MASTER)
        driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR))
        await driver.kick()
        await scene.bus.delay(2_000)
        if forget:
            await driver.stop()
            await change_command(scene.bus, enable=Command.BUS_MASTER)
            await scene.bus.delay(2_000)
            await driver.reinit()
        else:
            await change_command(scene.bus, enable=Command.BUS_MASTER)
            await poll(driver)
    await driver.interrupts.discard()
    await driver.stop()


async def reset_without_bus_master(scene: Scene) -> None:
    """Bus master off, then reset, then on without a new start: silence (sign-off scenario 5)."""
    driver = await scene.attach_block()
    for moment in MOMENTS[::3]:
        driver.submit(BlockRequest(BlockType.IN, 0, length=8 * SECTOR))
        await driver.kick()
        await scene.bus.delay(moment)
        await change_command(scene.bus, disable=Command.BUS_MASTER)
        await driver.stop()
        await change_command(scene.bus, enable=Command.BUS_MASTER)
        await scene.bus.delay(3_000)
        await scene.bus.config_read(Header.COMMAND, 4)
        await driver.reinit()
        await driver.read(1, SECTOR)
    await driver.stop()


async def switch_decoding_in_traffic(scene: Scene) -> None:
    """Decoding off and on while requests run: DMA goes on, accesses are refused (BAD-REG-34)."""
    driver = await scene.attach_block(ladder=(InterruptMode.INTX,))
    for _ in range(6):
        driver.submit(BlockRequest(BlockType.IN, 0, length=8 * SECTOR))
        await driver.kick()
        await change_command(scene.bus, disable=Command.IO | Command.MEMORY)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
        await scene.bus.io_write(Register.DEVICE_STATUS, 1, 0)
        await scene.write_dw(Space.MEMORY, 0, 0xFFFF_FFFF)
        await change_command(scene.bus, enable=Command.IO | Command.MEMORY)
        await poll(driver)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
        await driver.interrupts.discard()
    await driver.stop()


async def power_cycle_at_any_moment(scene: Scene) -> None:
    """A conventional reset in the middle of work: the power-up state, and a new start works (PCI-INT-06)."""
    for moment in (None, *MOMENTS[::2]):
        await scene.enumerate()
        await write_every_bit(scene) if moment is None else await _work_until(scene, moment)
        await scene.host.cold_reset()
        scene.found = None
        await drop_interrupts(scene)
        await read_power_up_state(scene)
        driver = await scene.attach_block()
        await driver.read(0, SECTOR)
        await driver.stop()


async def read_power_up_state(scene: Scene) -> None:
    """All of configuration space, then all registers and the MSI-X table, as they are after power-up."""
    for offset in range(0, 0x100, 4):
        await scene.bus.config_read(offset, 4)
    await scene.enumerate()
    await read_whole_bar(scene)
    for offset in (*range(0, 0x80, 4), 0x800, 0x804):
        await scene.read_dw(Space.MEMORY, offset)


async def _work_until(scene: Scene, moment: int) -> None:
    """A batch of requests under MSI-X or INTx, left alone after so many nanoseconds."""
    mode = scene.rng.choice((InterruptMode.MSIX_PER_QUEUE, InterruptMode.INTX))
    loose = LooseDriver(await scene.attach_block(ladder=(mode,)))
    await _start_batch(scene, loose, Cutter(scene.rng))
    await scene.bus.delay(moment)


async def _reset_at_moments(scene: Scene, *, by_pfn: bool, moments: tuple[int, ...] = MOMENTS) -> None:
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    cutter = Cutter(scene.rng)
    for moment in moments:
        await _start_batch(scene, loose, cutter)
        await scene.bus.delay(moment + scene.rng.randrange(40))
        if by_pfn:
            await scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
            await scene.bus.io_write(Register.QUEUE_PFN, 4, 0)
        else:
            await scene.bus.io_write(Register.DEVICE_STATUS, 1, 0)
        await scene.bus.io_read(Register.DEVICE_STATUS, 1)
        await scene.bus.delay(scene.rng.randrange(2000))
        await scene.bus.io_read(Register.ISR_STATUS, 1)
        await driver.interrupts.discard()
        driver.queue.reset()
        loose.forget()
        await driver.reinit()
        await driver.read(scene.rng.randrange(32), SECTOR)
    await driver.stop()


async def _start_batch(scene: Scene, loose: LooseDriver, cutter: Cutter) -> None:
    for _ in range(scene.rng.randint(2, 6)):
        sector, indirect = scene.rng.randrange(64), scene.rng.random() < 0.5
        if scene.rng.random() < 0.6:
            request = BlockRequest(BlockType.IN, sector, length=2 * SECTOR, indirect=indirect)
        else:
            data = scene.rng.randbytes(2 * SECTOR)
            request = BlockRequest(BlockType.OUT, sector, data, indirect=indirect)
        loose.submit_cut(request, cutter)
    await loose.driver.kick()


async def _poll_loose(scene: Scene, loose: LooseDriver) -> None:
    """Collect by looking at the ring until nothing is outstanding. DeviceTimeoutError if that never is."""
    waited = 0
    while loose.driver.queue.outstanding:
        loose.collect()
        if waited > PATIENCE_NS:
            raise DeviceTimeoutError("BAD-DEV-11", "requests do not go on after bus master came back")
        await scene.bus.delay(500)
        waited += 500


def _loaded_ring(scene: Scene, size: int) -> RawRing:
    """A ring with one read in it, already offered."""
    ring = RawRing.allocate(scene.bus.memory, size)
    buffers = Buffers.allocate(scene.bus.memory, 4096)
    buffers.fill_header()
    ring.descriptor(0, (ring.table(read_table(buffers, 4096)), 48, INDIRECT, 0))
    ring.offer(0, 0)
    return ring
