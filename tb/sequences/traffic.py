"""Constrained-random traffic: a guest that does one thing after the other, by weight from the table `ACTS`.

Everything it does is legal, so every request must complete; what is odd is only the order and the moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tb.guest.block import BlockDriver
from tb.guest.block_request import DRIVER_FEATURES, SECTOR, SERIAL_BYTES, BlockRequest, BlockType
from tb.guest.enumeration import Command, Header, change_command
from tb.guest.errors import DeviceTimeoutError
from tb.guest.interrupts import InterruptMode
from tb.guest.msix import MessageControl
from tb.guest.registers import NO_VECTOR, Register, RingFeature
from tb.guest.virtqueue import SplitQueue
from tb.sequences.any_layout import Cutter, LooseDriver
from tb.sequences.dma import PAYLOAD_CODES, READ_CODES, set_sizes
from tb.sequences.raw_ring import queue_size
from tb.sequences.scene import ALL_BYTES, Pace, Scene, Space

PATIENCE_NS = 2_000_000
SMALLEST_DIRECT_RING = 4
"""A smaller ring holds no direct request worth the name, so it needs indirect tables."""
SECTORS = 96
"""Requests stay within the first sectors, so that reads meet what was written."""
REQUEST_SECTORS = (1, 1, 1, 2, 3, 8, 9, 33)
KINDS = (BlockType.IN, BlockType.IN, BlockType.OUT, BlockType.OUT, BlockType.FLUSH, BlockType.GET_ID, 11)


@dataclass(slots=True)
class Traffic:
    """One random guest. `resets` and `controls` say which kinds of acts it may do."""

    scene: Scene
    resets: bool = True
    controls: bool = True
    driver: BlockDriver = field(init=False)
    loose: LooseDriver = field(init=False)
    cutter: Cutter = field(init=False)

    async def run(self, acts: int) -> None:
        """Attach, do so many acts, let everything finish, stop."""
        await self._attach()
        table = [entry for entry in ACTS if self._allowed(entry)]
        weights = [entry.weight for entry in table]
        for entry in self.scene.rng.choices(table, weights, k=acts):
            await entry.act(self)
        await self.drain()
        if self.scene.controls is not None:
            await self.scene.controls.pace(Pace.FAST)
        await self.driver.stop()

    def _allowed(self, entry: Act) -> bool:
        if entry.kind == "reset":
            return self.resets
        return entry.kind != "host" or (self.controls and self.scene.controls is not None)

    async def _attach(self) -> None:
        rng = self.scene.rng
        wanted = DRIVER_FEATURES
        for feature in (RingFeature.EVENT_IDX, RingFeature.INDIRECT_DESC, RingFeature.NOTIFY_ON_EMPTY):
            wanted = wanted ^ feature if rng.random() < 0.3 else wanted
        if self.scene.found is None:
            await self.scene.enumerate()
        if await queue_size(self.scene) < SMALLEST_DIRECT_RING:
            wanted |= RingFeature.INDIRECT_DESC
        mode = rng.choice(tuple(InterruptMode))
        self.driver = await self.scene.attach_block(
            wanted=wanted, ladder=(mode, InterruptMode.INTX), make_queue=self._make_queue
        )
        self.loose = LooseDriver(self.driver, windows=rng.choice((1, 4, 12)))
        self.cutter = Cutter(rng, pieces=rng.choice((1, 3, 12)))

    def _make_queue(self, index: int, size: int, features: int) -> SplitQueue:
        memory, rng = self.scene.bus.memory, self.scene.rng
        event_idx, indirect = (
            bool(features & RingFeature.EVENT_IDX),
            bool(features & RingFeature.INDIRECT_DESC),
        )
        base = rng.choice((0, (0x18_0000 + rng.randrange(1 << 16)) << 12))
        shuffle = rng if rng.random() < 0.7 else None
        return SplitQueue(memory, index, size, event_idx, indirect, shuffle, base)

    async def submit(self) -> None:
        """A few random requests, shown together."""
        for _ in range(self.scene.rng.randint(1, 5)):
            if not self.loose.submit_cut(self._request(), self.cutter):
                break
        await self.driver.kick()

    def _request(self) -> BlockRequest:
        rng = self.scene.rng
        kind, sectors = rng.choice(KINDS), rng.choice(REQUEST_SECTORS)
        indirect = self.driver.queue.indirect and rng.random() < 0.5
        sector = rng.randrange(SECTORS)
        if kind == BlockType.OUT:
            return BlockRequest(kind, sector, rng.randbytes(sectors * SECTOR), indirect=indirect)
        lengths: dict[int, int] = {BlockType.IN: sectors * SECTOR, BlockType.GET_ID: SERIAL_BYTES}
        length = lengths.get(kind, 0)
        return BlockRequest(kind, sector, length=length, indirect=indirect)

    async def collect(self) -> None:
        """Take back what is done now."""
        self.loose.collect()

    async def pause(self) -> None:
        """Let time pass."""
        await self.scene.bus.delay(self.scene.rng.choice((10, 100, 500, 2000, 8000)))

    async def take_interrupt(self) -> None:
        """Take one interrupt if one is there, as a handler would."""
        if await self.scene.bus.wait_for_interrupt(self.scene.rng.choice((0, 1000))) is None:
            return
        if self.driver.interrupts.mode is InterruptMode.INTX:
            await self.scene.bus.io_read(Register.ISR_STATUS, 1)
        self.loose.collect()

    async def drain(self) -> None:
        """Wait until everything is done. DeviceTimeoutError when that takes too long."""
        waited = 0
        while self.driver.queue.outstanding:
            self.loose.collect()
            if waited > PATIENCE_NS:
                left = self.driver.queue.outstanding
                raise DeviceTimeoutError("BAD-DEV-11", f"{left} requests never complete in random traffic")
            await self.scene.bus.delay(1_000)
            waited += 1_000
        await self.driver.interrupts.discard()
        await self.scene.bus.io_read(Register.ISR_STATUS, 1)

    async def look_at_registers(self) -> None:
        """Read somewhere in BAR0, sometimes by odd byte enables, sometimes the ISR."""
        rng = self.scene.rng
        await self.scene.read_dw(Space.IO, 4 * rng.randrange(12), rng.choice((ALL_BYTES, rng.randrange(16))))

    async def poke_registers(self) -> None:
        """Writes that must not disturb: the selector, read-only registers, locked features, another queue."""
        rng, bus = self.scene.rng, self.scene.bus
        await bus.io_write(Register.QUEUE_SELECT, 2, rng.choice((1, 2, 7, 0xFFFF)))
        await bus.io_write(Register.QUEUE_PFN, 4, rng.getrandbits(32) | 1)
        await bus.io_read(Register.QUEUE_PFN, 4)
        await bus.io_write(Register.QUEUE_SELECT, 2, 0)
        offset, size = rng.choice(((0x00, 4), (0x0C, 2), (0x13, 1)))
        await bus.io_write(offset, size, rng.getrandbits(8 * size))

    async def kick_for_nothing(self) -> None:
        """A spurious kick, or one of a queue that is not there."""
        await self.scene.bus.io_write(Register.QUEUE_NOTIFY, 2, self.scene.rng.choice((0, 0, 1, 0xFFFF)))

    async def read_config_space(self) -> None:
        """Any register of configuration space."""
        await self.scene.bus.config_read(4 * self.scene.rng.randrange(64), 4)

    async def write_config_space(self) -> None:
        """Writes that must not disturb: scratch, read-only, error bits."""
        rng = self.scene.rng
        offset, size = rng.choice(
            ((0x0C, 1), (0x3C, 1), (0x00, 4), (0x07, 1), (0x08, 4), (0x2C, 4), (0x18, 4))
        )
        await self.scene.bus.config_write(offset, size, rng.getrandbits(8 * size))

    async def toggle_masks(self) -> None:
        """Mask and unmask a vector or the function, with a pause between."""
        table = self.driver.interrupts.table
        if table is None or not self.driver.transport.msix_enabled:
            return
        vector = self.scene.rng.randrange(table.size)
        whole = self.scene.rng.random() < 0.4
        if whole:
            await table.set_control(MessageControl.ENABLE | MessageControl.FUNCTION_MASK)
        else:
            await table.mask(vector)
        await self._pause_and_work()
        if whole:
            await table.set_control(MessageControl.ENABLE)
        else:
            await table.unmask(vector)

    async def move_vector(self) -> None:
        """Map the queue to another vector, or to none for a while."""
        table = self.driver.interrupts.table
        if table is None or not self.driver.transport.msix_enabled:
            return
        await self.scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
        for vector in (self.scene.rng.choice((NO_VECTOR, self.scene.rng.randrange(table.size))), 1):
            await self.scene.bus.io_write(Register.QUEUE_VECTOR, 2, vector)
            await self.scene.bus.io_read(Register.QUEUE_VECTOR, 2)
            await self._pause_and_work()

    async def toggle_line(self) -> None:
        """Interrupt Disable on and off."""
        if self.driver.interrupts.mode is InterruptMode.INTX:
            await change_command(self.scene.bus, enable=Command.INTX_DISABLE)
            await self._pause_and_work()
            await change_command(self.scene.bus, disable=Command.INTX_DISABLE)

    async def toggle_bus_master(self) -> None:
        """Bus master off and on."""
        await change_command(self.scene.bus, disable=Command.BUS_MASTER)
        await self._pause_and_work()
        await self.scene.bus.config_read(Header.COMMAND, 4)
        await change_command(self.scene.bus, enable=Command.BUS_MASTER)

    async def change_suppression(self) -> None:
        """Other wishes about interrupts: none, each, every few."""
        if self.scene.rng.random() < 0.4:
            self.driver.queue.disable_interrupts()
        else:
            self.driver.queue.enable_interrupts(self.scene.rng.randint(1, 4))

    async def change_sizes(self) -> None:
        """Other payload and read request sizes, once nothing moves."""
        await self.drain()
        await set_sizes(self.scene, self.scene.rng.choice(PAYLOAD_CODES), self.scene.rng.choice(READ_CODES))

    async def change_pace(self) -> None:
        """The host answers differently from now on."""
        await self.scene.host.pace(self.scene.rng.choice(tuple(Pace)))

    async def fail_media(self) -> None:
        """The next request to the disk fails."""
        await self.scene.host.fail_media()

    async def reset_and_reinit(self) -> None:
        """Stop in the middle of everything and start again, perhaps with other features."""
        driver, rng = self.driver, self.scene.rng
        await driver.transport.stop()
        await driver.interrupts.discard()
        driver.queue.reset()
        self.loose.forget()
        features = driver.transport.features
        if rng.random() < 0.5:
            features ^= RingFeature.EVENT_IDX
        await driver.reinit(features)

    async def attach_anew(self) -> None:
        """Stop, tear down, and attach with everything chosen again."""
        await self.driver.transport.stop()
        await self.driver.interrupts.discard()
        await self.driver.interrupts.tear_down()
        await self._attach()

    async def _pause_and_work(self) -> None:
        if self.scene.rng.random() < 0.5:
            await self.submit()
        await self.pause()


@dataclass(slots=True, frozen=True)
class Act:
    """One thing the random guest may do, how often, and of which kind it is."""

    act: Callable[[Traffic], Awaitable[None]]
    weight: int
    kind: str = "guest"


ACTS = (
    Act(Traffic.submit, 40),
    Act(Traffic.collect, 20),
    Act(Traffic.pause, 15),
    Act(Traffic.take_interrupt, 15),
    Act(Traffic.look_at_registers, 8),
    Act(Traffic.poke_registers, 4),
    Act(Traffic.kick_for_nothing, 4),
    Act(Traffic.read_config_space, 4),
    Act(Traffic.write_config_space, 4),
    Act(Traffic.toggle_masks, 5),
    Act(Traffic.move_vector, 3),
    Act(Traffic.toggle_line, 3),
    Act(Traffic.toggle_bus_master, 3),
    Act(Traffic.change_suppression, 5),
    Act(Traffic.drain, 2),
    Act(Traffic.change_sizes, 1),
    Act(Traffic.change_pace, 3, "host"),
    Act(Traffic.fail_media, 2, "host"),
    Act(Traffic.reset_and_reinit, 2, "reset"),
    Act(Traffic.attach_anew, 1, "reset"),
)


async def mixed(scene: Scene, acts: int = 1200) -> None:
    """Everything a random guest may do."""
    await Traffic(scene).run(acts)


async def steady(scene: Scene, acts: int = 1200) -> None:
    """Without resets, so that indices grow and state ages."""
    await Traffic(scene, resets=False).run(acts)
