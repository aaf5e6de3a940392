"""One shot of a walk over moments: fresh rings with work in them, and what became of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tb.guest.block_request import SECTOR, BlockType
from tb.guest.enumeration import Command, change_command
from tb.guest.memory import Arena
from tb.guest.msix import MessageControl, MsixTable, target_of
from tb.guest.registers import Register, RingFeature, Status
from tb.guest.ring import RingAddresses
from tb.pcie.tlp import Tlp
from tb.sequences.expect import drop_interrupts, table_of
from tb.sequences.queues import count_queues
from tb.sequences.raw_ring import (
    INDIRECT,
    NEXT,
    WRITE,
    Buffers,
    Entry,
    RawRing,
    pack_table,
    until_used,
)
from tb.sequences.scene import Scene, Space

Answer = Callable[[], Awaitable[Tlp | None]]

KINDS = (BlockType.IN, BlockType.IN, BlockType.OUT, BlockType.OUT, BlockType.FLUSH, BlockType.GET_ID)
SECTORS = (1, 1, 2, 3, 5, 9, 17)
REGIONS = (0x4000_0000, 0xFFFF_8000, 0x25_0000_0000, (1 << 64) - (1 << 21))
"""Where buffers may lie: low, across 4 GiB, above it, at the very end."""
PAGE = 4096
PFN_REACH = 1 << 44
RING_BORDERS = (0x3000_0000, 1 << 32, PFN_REACH)
"""Rings lie below the first, across the second, and end at the third: as far as a PFN reaches."""
ENTRIES_A_CHAIN = 6
"""Header, at most four pieces of data, status."""
DIRECT_RING = 64
"""A smaller ring gets indirect chains only."""
DRIVER_OK = Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK
NOTIFY_BYTES = 0b0011
FEATURES = (RingFeature.EVENT_IDX, RingFeature.INDIRECT_DESC, RingFeature.NOTIFY_ON_EMPTY)


@dataclass(slots=True, frozen=True)
class Wish:
    """What the work of a shot must be like; None leaves it to chance.

    `kind` belongs to the target queue, and to all of them when they shall be `alike`. `idle`: the target is
    notified although there is nothing in its ring.
    """

    kind: BlockType | None = None
    alike: bool = False
    idle: bool = False
    indirect: bool | None = None
    event_idx: bool | None = None
    msix: bool | None = None


@dataclass(slots=True)
class Chain:
    """One request: where its parts lie. `table` is empty for a direct chain."""

    kind: BlockType
    header: range
    data: list[range]
    status: range
    table: range


@dataclass(slots=True)
class Load:
    """One queue of a shot: its ring, the chains offered so far."""

    queue: int
    ring: RawRing
    chains: list[Chain] = field(default_factory=list)


@dataclass(slots=True)
class Range:
    """The function that shots are fired at: what stays the same from one to the next."""

    scene: Scene
    table: MsixTable
    queues: int
    size: int
    sectors: int
    control: MessageControl = MessageControl.NONE

    @classmethod
    async def open(cls, scene: Scene) -> Range:
        """Enumerate, count the queues, and give every vector a target."""
        await scene.enumerate()
        table = await table_of(scene)
        queues = await count_queues(scene)
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
        size = await scene.bus.io_read(Register.QUEUE_SIZE, 2)
        made = cls(scene, table, queues, size, scene.host.capacity())
        await made.restore()
        return made

    async def restore(self) -> None:
        """After a cold reset: BARs, decoding, bus master and the table as before."""
        scene = self.scene
        if scene.found is None:
            await scene.enumerate()
            self.table = await table_of(scene)
        self.control = MessageControl.NONE
        await change_command(scene.bus, enable=Command.BUS_MASTER)
        for vector in range(min(self.table.size, self.queues + 1)):
            await self.table.program(vector, target_of(vector))

    async def messages(self, on: bool) -> None:
        """MSI-X on or off."""
        wanted = MessageControl.ENABLE if on else MessageControl.NONE
        if wanted != self.control:
            await self.table.set_control(wanted)
            self.control = wanted


@dataclass(slots=True)
class Shot:
    """Rings with work in them. `kicks`: answers nobody has waited for yet."""

    place: Range
    wish: Wish
    sectors: tuple[int, ...] = SECTORS
    features: int = 0
    msix: bool = False
    loads: list[Load] = field(default_factory=list)
    _start: int = 0
    _arena: Arena = field(default_factory=Arena)
    kicks: list[Answer] = field(default_factory=list)
    kicked: bool = False

    @property
    def scene(self) -> Scene:
        return self.place.scene

    @property
    def target(self) -> Load:
        """The queue the shot is aimed at."""
        return self.loads[0]

    @property
    def event_idx(self) -> bool:
        return bool(self.features & RingFeature.EVENT_IDX)

    @classmethod
    async def load(cls, place: Range, wish: Wish, *, sectors: tuple[int, ...] = SECTORS) -> Shot:
        """Reset the function, give every queue a fresh ring, and put work into most of them."""
        shot = cls(place, wish, sectors)
        rng = place.scene.rng
        shot._start = start = rng.choice(REGIONS)
        shot._arena = Arena(start, min(1 << 24, (1 << 64) - start))
        shot._choose()
        await place.messages(shot.msix)
        if place.scene.host.capacity() != place.sectors:
            await place.scene.host.set_capacity(place.sectors)
        await shot.start()
        for load in shot.loads:
            if load is shot.target and wish.idle:
                continue
            if load is shot.target or rng.random() < 0.7:
                for _ in range(rng.randint(1, 3)):
                    shot.offer(load)
        return shot

    def _choose(self) -> None:
        rng, wish = self.scene.rng, self.wish
        for feature in FEATURES:
            self.features |= feature if rng.random() < 0.5 else 0
        if wish.event_idx is not None:
            self.features &= ~RingFeature.EVENT_IDX
            self.features |= RingFeature.EVENT_IDX if wish.event_idx else 0
        if wish.indirect or self.place.size < DIRECT_RING:
            self.features |= RingFeature.INDIRECT_DESC
        self.msix = rng.random() < 0.5 if wish.msix is None else wish.msix

    async def start(self) -> None:
        """Reset, features, rings, vectors, DRIVER_OK. The target is any of the queues."""
        bus, rng = self.scene.bus, self.scene.rng
        await bus.io_write(Register.DEVICE_STATUS, 1, 0)
        await bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER)
        await bus.io_write(Register.DRIVER_FEATURES, 4, self.features)
        last = self._last_page()
        for queue in range(self.place.queues):
            await bus.io_write(Register.QUEUE_SELECT, 2, queue)
            ring = self._ring(last, queue)
            await bus.io_write(Register.QUEUE_PFN, 4, ring.pfn)
            if self.msix:
                await bus.io_write(Register.QUEUE_VECTOR, 2, (queue + 1) % self.place.table.size)
            self.loads.append(Load(queue, ring))
        if self.msix:
            await bus.io_write(Register.CONFIG_VECTOR, 2, 0)
        await bus.io_write(Register.DEVICE_STATUS, 1, DRIVER_OK)
        rng.shuffle(self.loads)

    def _last_page(self) -> int:
        """The page behind the first queue's ring: at a border, or so that the ring lies across it."""
        rng = self.scene.rng
        border = rng.choice([at for at in RING_BORDERS if at >> 32 != 1 or self._start >> 28 != 0xF])
        if border == PFN_REACH:
            return border // PAGE
        return border // PAGE + rng.randrange(self._ring_pages) - 64 * rng.randrange(3)

    @property
    def _ring_pages(self) -> int:
        return -(-RingAddresses.bytes_needed(self.place.size) // PAGE)

    def _ring(self, last: int, queue: int) -> RawRing:
        """A fresh ring below page `last`, the queues one below the other, and the guest's first wishes."""
        rng = self.scene.rng
        page = last - self._ring_pages * (1 + 2 * queue)
        ring = RawRing(self.scene.bus.memory, self.place.size, page * PAGE)
        if self.event_idx:
            ring.used_event(rng.choice((0, 0, 0, 1, 2, 0xFFFF, 0x8000)))
        elif self.wish.msix is None and rng.random() < 0.3:
            ring.flags(1)
        return ring

    def offer(self, load: Load) -> None:
        """Put one more chain into a ring and show it."""
        position = len(load.chains)
        wished = self.wish.kind if load is self.target or self.wish.alike else None
        chain, entries = self._chain(wished)
        head = position % load.ring.size
        if load.ring.size >= DIRECT_RING:
            head = position * ENTRIES_A_CHAIN % (load.ring.size - ENTRIES_A_CHAIN)
        if self._indirect(load):
            chain.table = table = self._table(entries)
            load.ring.descriptor(head, (table.start, len(table), INDIRECT, 0))
        else:
            for number, (address, length, flags, following) in enumerate(entries):
                load.ring.descriptor(head + number, (address, length, flags, following and head + following))
        load.chains.append(chain)
        load.ring.offer(position, head)

    def _indirect(self, load: Load) -> bool:
        if not self.features & RingFeature.INDIRECT_DESC:
            return False
        if load.ring.size < DIRECT_RING:
            return True
        if load is self.target and self.wish.indirect is not None:
            return self.wish.indirect
        return self.scene.rng.random() < 0.5

    def _table(self, entries: list[Entry]) -> range:
        raw = pack_table(entries)
        at = self._arena.allocate(len(raw) + 8) + self.scene.rng.choice((0, 4, 8))
        self.scene.bus.memory.write(at, raw)
        return range(at, at + len(raw))

    def _chain(self, wished: BlockType | None) -> tuple[Chain, list[Entry]]:
        """A well-formed request in memory, and its descriptors with `next` counted from 0."""
        rng, memory = self.scene.rng, self.scene.bus.memory
        kind = wished if wished is not None else rng.choice(KINDS)
        length = {BlockType.FLUSH: 0, BlockType.GET_ID: 20}.get(kind, SECTOR * rng.choice(self.sectors))
        header, status = self._piece(16), self._piece(1)
        data = [self._piece(size) for size in _cuts(length, rng.randint(1, 4), rng)]
        if data and rng.random() < 0.4:
            header, status = self._joined(kind, header, data, status)
        buffers = Buffers(memory, header.start, 0, length, status.start)
        buffers.fill_header(kind, rng.randrange(64))
        writable = 0 if kind == BlockType.OUT else WRITE
        for piece in data if not writable else ():
            memory.write(piece.start, rng.randbytes(len(piece)))
        pieces = [(header, 0), *((piece, writable) for piece in data), (status, WRITE)]
        return Chain(kind, header, data, status, range(0)), _entries(pieces)

    def _joined(
        self, kind: BlockType, header: range, data: list[range], status: range
    ) -> tuple[range, range]:
        """Header and data of a write, or data and status of a read, side by side: one buffer (ANY_LAYOUT)."""
        if kind == BlockType.OUT:
            whole = self._piece(16 + len(data[0]))
            data[0] = whole[16:]
            return whole[:16], status
        whole = self._piece(len(data[-1]) + 1)
        data[-1] = whole[:-1]
        return header, whole[-1:]

    def _piece(self, length: int) -> range:
        """A buffer at any alignment, sometimes up to the end of a page."""
        rng = self.scene.rng
        at = self._arena.allocate(length + 4, rng.choice((4, 4, 64, 4096))) + rng.randrange(4)
        return range(at, at + length)

    async def kick(self) -> None:
        """Notify every queue that has work, the target first or last, without waiting for an answer."""
        order = [load.queue for load in self.loads if load.chains or load is self.target]
        if self.scene.rng.random() < 0.5:
            order.reverse()
        for queue in order:
            notify = self.scene.request(Space.IO, Register.QUEUE_NOTIFY, NOTIFY_BYTES, queue)
            self.kicks.append(await self.scene.begin(notify))
        self.kicked = True

    async def finish(self, loads: Sequence[Load] | None = None) -> None:
        """All that was offered, or what `loads` hold of it, must be used. DeviceTimeoutError if not."""
        if not self.kicked:
            await self.kick()
        for load in self.loads if loads is None else loads:
            if load.chains:
                await until_used(self.scene, load.ring, len(load.chains))

    def used(self) -> bool:
        """Whether the target queue has got back everything."""
        return self.target.ring.used_index() == len(self.target.chains)

    async def answered(self) -> None:
        """Wait for the completions of what was sent without waiting."""
        for answer in self.kicks:
            await answer()
        self.kicks.clear()

    async def close(self) -> None:
        """Wait for what is on its way, take what interrupted, and leave no cause standing."""
        await self.answered()
        await self.scene.bus.io_read(Register.ISR_STATUS, 1)
        await drop_interrupts(self.scene)


def _entries(pieces: list[tuple[range, int]]) -> list[Entry]:
    """Descriptors of the pieces with `next` counted from 0; neighbours in memory and direction are one."""
    joined: list[tuple[range, int]] = []
    for piece, flags in pieces:
        if joined and joined[-1][0].stop == piece.start and joined[-1][1] == flags:
            joined[-1] = (range(joined[-1][0].start, piece.stop), flags)
        else:
            joined.append((piece, flags))
    last = len(joined) - 1
    return [
        (piece.start, len(piece), flags | (NEXT if at < last else 0), at + 1 if at < last else 0)
        for at, (piece, flags) in enumerate(joined)
    ]


def _cuts(length: int, pieces: int, rng: random.Random) -> list[int]:
    """`length` as a sum of at most so many sizes."""
    if not length:
        return []
    borders = sorted(rng.sample(range(1, length), min(pieces, length) - 1))
    return [stop - start for start, stop in zip([0, *borders], [*borders, length], strict=True)]
