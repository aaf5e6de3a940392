"""Plays a genome: each step becomes accesses, ring contents, or a wish to the host.

It checks nothing: what the function does about it is for the judge. Whatever the grammar allows can be
played, in any order, on a function that answers wrongly or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tb.fuzz.chains import RingState, Wish, offer
from tb.fuzz.grammar import Step
from tb.fuzz.host import FuzzHost
from tb.guest.enumeration import CapabilityId, Command, Header
from tb.guest.host_bus import MSI_WINDOW
from tb.guest.registers import QUEUE_ALIGN, Register, Status
from tb.guest.ring import RingAddresses
from tb.pcie.tlp import Tlp, TlpType, config_write, io_read, io_write, memory_read, memory_write
from tb.sequences.raw_ring import RawRing
from tb.sequences.scene import Scene, Space

Act = Callable[..., Awaitable[None]]
Answer = Callable[[], Awaitable[Tlp | None]]
CLOCK_NS = 8
PATIENCE_NS = 40_000
IO_PLACES = (0xC000, 0x1000, 0xFF00, 0xFFFF_FF00)
MEMORY_PLACES = (0xE000_0000, 0x8000_0000, 0xFFFF_F000, 0x0001_0000)
HIGH_RING = 0x1_8000_0000
FAR_RING = 0xFFFF_F00_0000
"""Where rings may lie beyond low memory: above 4 GiB, and at the end of what a page number reaches."""
VECTOR_BYTES = 16
_REPEATABLE_READS = ("isr", "pending", "io_read", "config_read", "memory_read")
_REPEATABLE_WRITES = ("kick", "mask", "msix", "command", "vector", "io_write", "config_write", "memory_write")
REPEATABLE = frozenset((*_REPEATABLE_READS, *_REPEATABLE_WRITES))
"""Accesses that `again` repeats."""
DRIVER_OK = Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK


class Player:
    """One genome's guest, from a function that was just powered up. `scene` must have been enumerated."""

    def __init__(self, scene: Scene, host: FuzzHost, size: int) -> None:
        self.scene = scene
        self.host = host
        self.size = size
        self.rings: dict[int, RingState] = {}
        self._bases = dict(scene.function.bases)
        self._msix = scene.function.capabilities.get(CapabilityId.MSIX, 0)
        self._express = scene.function.capabilities.get(CapabilityId.PCI_EXPRESS, 0)
        self._unwaited = 0
        self._latest: Step = ("isr",)
        self._open: list[Answer] = []
        self._acts: dict[str, Act] = {name: getattr(self, f"do_{name}") for name in verbs()}

    async def play(self, steps: Sequence[Step]) -> None:
        """All steps, then wait for the accesses that were not waited for."""
        await self._wake_up()
        for step in steps:
            name, *values = step
            await self._acts[str(name)](*values)
            if name in REPEATABLE:
                self._latest = step
        for answer in self._open:
            await answer()

    async def _wake_up(self) -> None:
        """BARs and decoding as firmware leaves them."""
        for index, base in self.scene.function.bases.items():
            self._bases[index] = base
            await self._config(Header.BAR0 + 4 * index, base)
        await self._config(Header.COMMAND, Command.IO | Command.MEMORY | Command.BUS_MASTER)

    # --- accesses

    async def _send(self, tlp: Tlp) -> None:
        answer = await self.scene.begin(tlp)
        if self._unwaited:
            self._unwaited -= 1
            self._open.append(answer)
        else:
            await answer()

    async def _config(self, offset: int, value: int, size: int = 4) -> None:
        await self._send(config_write(offset, size, value))

    async def _io(self, offset: int, size: int, value: int) -> None:
        await self._send(io_write(self._bases[0] + offset, size, value))

    def _dw(self, space: Space, register: int, enables: int, value: int | None) -> Tlp:
        kinds = {
            Space.CONFIG: (TlpType.CONFIG_READ, TlpType.CONFIG_WRITE),
            Space.IO: (TlpType.IO_READ, TlpType.IO_WRITE),
            Space.MEMORY: (TlpType.MEMORY_READ, TlpType.MEMORY_WRITE),
        }[space]
        base = {Space.CONFIG: 0, Space.IO: self._bases[0], Space.MEMORY: self._bases[1]}[space]
        tlp = Tlp(kinds[value is not None], first_be=enables, length=1)
        tlp.address = (base + 4 * register) & 0xFFFF_FFFF
        if value is not None:
            tlp.data = value.to_bytes(4, "little")
        return tlp

    # --- guest verbs

    async def do_start(self, features: int, queues: int, mode: int) -> None:
        """Bring the function up as a driver does; `mode` is 0 for INTx, 1 for MSI-X, 2 for MSI-X masked."""
        await self.do_status(0)
        await self.do_msix((0, 2, 3)[mode])
        await self.do_status(Status.ACKNOWLEDGE | Status.DRIVER)
        await self.do_features(features)
        for queue in range(2):
            if queues >> queue & 1:
                await self.do_ring(queue, 0)
                if mode:
                    await self.do_entry(queue + 1, queue + 1, 0)
                    await self._io(Register.QUEUE_VECTOR, 2, queue + 1)
        if mode:
            await self.do_entry(0, 0, 0)
            await self.do_config_vector(0)
        await self.do_status(DRIVER_OK)

    async def do_status(self, value: int) -> None:
        """Write Device Status."""
        await self._io(Register.DEVICE_STATUS, 1, value)

    async def do_features(self, value: int) -> None:
        """Accept features."""
        await self._io(Register.DRIVER_FEATURES, 4, value)

    async def do_select(self, value: int) -> None:
        """Select a queue."""
        await self._io(Register.QUEUE_SELECT, 2, value)

    async def do_ring(self, queue: int, place: int) -> None:
        """Give a queue a fresh ring: in low memory, above 4 GiB, at the last page, or none."""
        await self.do_select(queue)
        if place == 3:
            await self.do_page(0)
            return
        base = self._ring_base(queue, place)
        self.rings[queue] = RingState(RawRing(self.scene.bus.memory, self.size, base))
        await self.do_page(base // QUEUE_ALIGN)

    def _ring_base(self, queue: int, place: int) -> int:
        room = -(-RingAddresses.bytes_needed(self.size) // QUEUE_ALIGN) * QUEUE_ALIGN
        if place == 0:
            return self.scene.bus.memory.allocate(room, QUEUE_ALIGN)
        return (HIGH_RING, FAR_RING)[place - 1] + queue * room

    async def do_page(self, value: int) -> None:
        """Write the queue's page number."""
        await self._io(Register.QUEUE_PFN, 4, value)

    async def do_vector(self, queue: int, vector: int) -> None:
        """Map a queue to a vector."""
        await self.do_select(queue)
        await self._io(Register.QUEUE_VECTOR, 2, vector)

    async def do_config_vector(self, vector: int) -> None:
        """Map the configuration change to a vector."""
        await self._io(Register.CONFIG_VECTOR, 2, vector)

    async def do_kick(self, queue: int) -> None:
        """Notify."""
        await self._io(Register.QUEUE_NOTIFY, 2, queue)

    async def do_isr(self) -> None:
        """Read the ISR."""
        await self._send(io_read(self._bases[0] + Register.ISR_STATUS, 1))

    async def do_msix(self, control: int) -> None:
        """Write MSI-X Message Control: bit 1 enables, bit 0 masks the function."""
        if self._msix:
            await self._config(self._msix + 2, control << 14, 2)

    async def do_entry(self, vector: int, target: int, control: int) -> None:
        """Write a table entry: where its message goes, and its mask."""
        words = (MSI_WINDOW.start + (target << 4), 0, 0x4100 + target, control)
        for at, word in enumerate(words):
            await self._table(vector, at, word)

    async def do_mask(self, vector: int, control: int) -> None:
        """Write a table entry's vector control."""
        await self._table(vector, 3, control)

    async def _table(self, vector: int, word: int, value: int) -> None:
        address = self._bases[1] + VECTOR_BYTES * vector + 4 * word
        await self._send(memory_write(address, value.to_bytes(4, "little")))

    async def do_pending(self) -> None:
        """Read the pending bits."""
        await self._send(memory_read(self._bases[1] + 0x800, 8))

    async def do_command(self, value: int) -> None:
        """Write the command register."""
        await self._config(Header.COMMAND, value, 2)

    async def do_bar(self, which: int, place: int) -> None:
        """Move a BAR; accesses follow it."""
        self._bases[which] = (IO_PLACES, MEMORY_PLACES)[which][place]
        await self._config(Header.BAR0 + 4 * which, self._bases[which])

    async def do_io_read(self, register: int, enables: int) -> None:
        """Read a DW of BAR0."""
        await self._send(self._dw(Space.IO, register, enables, None))

    async def do_io_write(self, register: int, enables: int, value: int) -> None:
        """Write a DW of BAR0."""
        await self._send(self._dw(Space.IO, register, enables, value))

    async def do_config_read(self, register: int, enables: int) -> None:
        """Read a DW of configuration space."""
        await self._send(self._dw(Space.CONFIG, register, enables, None))

    async def do_config_write(self, register: int, enables: int, value: int) -> None:
        """Write a DW of configuration space. A BAR so moved is lost to the genome until it moves it back."""
        await self._send(self._dw(Space.CONFIG, register, enables, value))

    async def do_memory_read(self, register: int, words: int) -> None:
        """Read DWs of BAR1, at most to its end."""
        words = min(words, 1024 - register)
        await self._send(memory_read(self._bases[1] + 4 * register, 4 * words))

    async def do_memory_write(self, register: int, enables: int, value: int) -> None:
        """Write a DW of BAR1."""
        await self._send(self._dw(Space.MEMORY, register, enables, value))

    async def do_sizes(self, payload: int, read: int) -> None:
        """Write the largest payload and read request into Device Control."""
        if self._express:
            await self._config(self._express + 8, payload << 5 | read << 12, 2)

    async def do_odd_packet(self, kind: str) -> None:
        """A packet that no driver sends."""
        await self._send(self._odd(kind))

    def _odd(self, kind: str) -> Tlp:
        memory = self._bases[1]
        if kind == "poisoned":
            tlp = self._dw(Space.IO, 4, 0xF, 1)
            tlp.poisoned = True
            return tlp
        if kind == "foreign":
            return self._dw(Space.IO, 0x400, 0xF, None)
        if kind == "long":
            return memory_write(memory, bytes(range(64)))
        if kind == "two_words":
            return memory_write(memory + 8, bytes(8))
        if kind == "no_bytes":
            return self._dw(Space.MEMORY, 3, 0, 1)
        tlp = self._dw(Space.MEMORY, 0, 0xF, None)
        tlp.type = TlpType.MEMORY_READ_LOCKED
        return tlp

    async def do_overlap(self, accesses: int) -> None:
        """The next accesses are not waited for."""
        self._unwaited = accesses

    async def do_again(self, times: int, clocks: int) -> None:
        """The latest access more often, so that one of them meets what the function does just then."""
        name, *values = self._latest
        for _ in range(times):
            await self.do_wait(clocks)
            await self._acts[str(name)](*values)

    # --- rings

    async def do_chain(
        self,
        queue: int,
        kind: int,
        sector: int,
        length: int,
        pieces: int,
        shift: int,
        table: int,
        show: int,
        kick: int,
    ) -> None:
        """Offer a whole request; show it by the index; notify."""
        wish = Wish(kind, sector, length, pieces, shift, table)
        if queue in self.rings and offer(self.rings[queue], wish) and show:
            await self.do_publish(queue, 0)
            if kick:
                await self.do_kick(queue)

    async def do_spoilt(self, queue: int, spoil: str, extra: int) -> None:
        """Offer a spoilt chain, show it, notify."""
        if queue in self.rings and offer(self.rings[queue], Wish(pieces=2), spoil, extra):
            await self.do_publish(queue, 0)
            await self.do_kick(queue)

    async def do_publish(self, queue: int, delta: int) -> None:
        """Write the available index: as many as were offered, and `delta` more."""
        if queue in self.rings:
            state = self.rings[queue]
            state.ring.publish(state.offered + delta)

    async def do_used_event(self, queue: int, delta: int) -> None:
        """Ask for the interrupt `delta` after the used index."""
        if queue in self.rings:
            ring = self.rings[queue].ring
            ring.used_event(ring.used_index() + delta)

    async def do_flags(self, queue: int, value: int) -> None:
        """Write the available flags."""
        if queue in self.rings:
            self.rings[queue].ring.flags(value)

    async def do_age(self, queue: int, used: int) -> None:
        """Leave something in the used ring before the function writes it: it must not read it back."""
        if queue in self.rings:
            ring = self.rings[queue].ring
            ring.memory.write(ring.ring.available_event, used.to_bytes(2, "little"))

    # --- host, disk, time

    async def do_chance(self, seed: int) -> None:
        self.host.reseed(seed)

    async def do_answers(self, least: int, most: int) -> None:
        self.host.answer_after(min(least, most), max(least, most))

    async def do_parts(self, split: int, gap: int) -> None:
        self.host.split_answers(split, gap)

    async def do_payload(self, payload: int, boundary: int) -> None:
        self.host.shape_answers(payload, boundary)

    async def do_stall(self, stream: str, per_256: int, longest: int) -> None:
        self.host.stall(stream, per_256, longest)

    async def do_fault(self, fault: str, skip: int, good: int) -> None:
        await self.host.spoil_read(fault, skip, good)

    async def do_power_cycle(self) -> None:
        """A power cycle; what was asked before is never answered."""
        self._open.clear()
        self._unwaited = 0
        self.rings.clear()
        await self.host.power_cycle()
        await self._wake_up()

    async def do_disk_delay(self, least: int, most: int) -> None:
        self.host.disk_after(min(least, most), max(least, most))

    async def do_disk_error(self, skip: int) -> None:
        await self.host.fail_disk(skip)

    async def do_resize(self, sectors: int) -> None:
        await self.host.resize(sectors)

    async def do_wait(self, clocks: int) -> None:
        """Let time pass."""
        await self.scene.bus.delay(CLOCK_NS * clocks)

    async def do_until_used(self, queue: int) -> None:
        """Wait until everything that was offered is used, but not for ever."""
        waited, step = 0, 200
        while queue in self.rings and self.rings[queue].waiting and waited < PATIENCE_NS:
            await self.scene.bus.delay(step)
            waited, step = waited + step, 2 * step


def verbs() -> list[str]:
    """The names of all verbs that can be played."""
    return [name[3:] for name in dir(Player) if name.startswith("do_")]
