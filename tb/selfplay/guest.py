"""The guest: brings the function up, and does what its steps say."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tb.guest.registers import Register, RingFeature
from tb.models.config_space import CAPABILITY_MSIX, CAPABILITY_PCIE, WIDE_BAR
from tb.models.profile import Profile
from tb.pcie.tlp import Tlp, config_write, io_write
from tb.selfplay.bus import ONES, Bus
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock, Steps
from tb.selfplay.host import Host
from tb.selfplay.requests import Apart, GuestQueue

MSI_BASE = 0xFEE0_1000
_ALL_FEATURES = 0xFFFF_FFFF & ~(1 << 30)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the function is: as many queues of so many entries, MSI-X vectors, sectors on the disk."""

    profile: Profile
    queues: int
    queue_size: int
    vectors: int
    sectors: int
    read_only: bool = False

    @property
    def pcie(self) -> int:
        """Offset of the PCI Express capability."""
        return next(offset for kind, offset in self.profile.capabilities if kind == CAPABILITY_PCIE)

    @property
    def msix(self) -> int:
        """Offset of the MSI-X capability."""
        return next(offset for kind, offset in self.profile.capabilities if kind == CAPABILITY_MSIX)


class Guest:
    """The driver's state. `demands` are the needs of a lie: `msix`, `intx`, `calm`, ..."""

    def __init__(
        self,
        clock: Clock,
        bus: Bus,
        host: Host,
        machine: Machine,
        settings: Settings,
        demands: Collection[str],
    ) -> None:
        self.clock = clock
        self.bus = bus
        self.host = host
        self.machine = machine
        self.settings = settings
        self.demands = demands
        apart = Apart(off=settings.has("equal_requests"))
        # Where the disk changes its size, requests keep off the sectors that come and go.
        race = settings.has("limits_late") or not settings.has("resizes")
        self.least = machine.sectors if race else machine.sectors // 2
        self.queues = [
            GuestQueue(host.memory, number, machine.queue_size, (self.least, machine.sectors), apart)
            for number in range(machine.queues)
        ]
        self.msix = False
        self.command = 0
        self.features = 0
        self.reset_due = False
        self.suspicious: Callable[[], bool] = lambda: False
        self.cycle: Callable[[], None] = lambda: None

    @property
    def calm(self) -> bool:
        """Whether nothing may keep an interrupt from the guest."""
        return "calm" in self.demands

    @property
    def config_base(self) -> int:
        """Where the device configuration begins."""
        return 24 if self.msix else 20

    # --- bringing it up

    def enumerate(self, rng: random.Random) -> Steps[None]:
        """After a power-up: BARs, Device Control, Command, MSI-X."""
        bus = self.bus
        yield from bus.config_write(0x3C, 1, 11)
        yield from bus.config_read(0)
        yield from bus.config_write(0x10, 4, bus.bars[0])
        yield from self.place_bars(0)
        yield from self.set_control(rng)
        self.command = rng.choice((0x0007, 0x0007, 0x0147))
        yield from bus.config_write(0x04, 2, self.command)
        yield from bus.config_read(self.machine.pcie)
        self.msix = False
        wants = rng.random() < 0.6
        if self.machine.vectors and ("msix" in self.demands or (wants and "intx" not in self.demands)):
            yield from self.enable_msix(rng)

    def place_bars(self, turn: int) -> Steps[None]:
        """Give the memory BARs addresses, others with another `turn`."""
        bus, profile = self.bus, self.machine.profile
        for number, _, kind in profile.bars:
            base = (0x80_0000_0000 if kind & WIDE_BAR else 0xF000_0000) + (number << 20) + (turn << 24)
            bus.bars[number] = base
            yield from bus.access(config_write(0x10 + 4 * number, 4, base & ONES[4], target_id=bus.target_id))
            if kind & WIDE_BAR:
                high = config_write(0x14 + 4 * number, 4, base >> 32, target_id=bus.target_id)
                yield from bus.access(high)
        bus.table = bus.bars[profile.msix_table[0]] + profile.msix_table[1]
        bus.pending = bus.bars[profile.msix_pending[0]] + profile.msix_pending[1]

    def set_control(self, rng: random.Random) -> Steps[None]:
        """Device Control: limits, attributes, tags."""
        control = rng.randrange(4) << 5 | rng.randrange(6) << 12 | rng.choice((0, 0x10, 0x800, 0x910))
        yield from self.bus.config_write(self.machine.pcie + 8, 2, control)

    def enable_msix(self, rng: random.Random) -> Steps[None]:
        """Enable with all masked, fill the table, unmask (PCI-MSIX-13)."""
        bus, offset = self.bus, self.machine.msix + 2
        yield from bus.config_write(offset, 2, 0xC000)
        self.msix = True
        for vector in range(self.machine.vectors):
            yield from self.write_entry(rng, vector)
        yield from bus.config_write(offset, 2, 0x8000)

    def write_entry(self, rng: random.Random, vector: int) -> Steps[None]:
        """Address and data of a vector while it is masked, then its mask away."""
        bus, place = self.bus, 16 * vector
        address, data = MSI_BASE + 0x10 * vector, rng.randrange(1 << 16) << 8 | vector
        yield from bus.table_write(place + 12, (1).to_bytes(4, "little"))
        if rng.random() < 0.5:
            yield from bus.table_write(place, address.to_bytes(8, "little") + data.to_bytes(4, "little"))
        else:
            for offset, value in ((0, address), (4, 0), (8, data)):
                yield from bus.table_write(place + offset, value.to_bytes(4, "little"))
        yield from bus.table_write(place + 12, bytes(4))
        if not self.settings.takes("posted_bursts"):
            yield from bus.table_read(place, 16)

    def disable_msix(self) -> Steps[None]:
        """Back to INTx."""
        yield from self.bus.config_write(self.machine.msix + 2, 2, 0)
        self.msix = False

    def attach(self, rng: random.Random) -> Steps[None]:
        """From reset to DRIVER_OK."""
        bus = self.bus
        self.reset_due = False
        yield from bus.access(self._status(0))
        yield from bus.io_read(Register.DEVICE_STATUS, 1)
        yield from bus.io_read(Register.DRIVER_FEATURES, 4)
        for status in (1, 3):
            yield from bus.io_write(Register.DEVICE_STATUS, 1, status)
        offered = yield from bus.io_read(Register.DEVICE_FEATURES, 4)
        self.features = offered & self._wanted(rng)
        yield from bus.access(self._word(Register.DRIVER_FEATURES, 4, self.features))
        self.features &= yield from bus.io_read(Register.DRIVER_FEATURES, 4)
        for queue in self.queues:
            yield from self._set_up(queue, rng)
        yield from self.set_vectors(rng)
        yield from bus.io_write(Register.DEVICE_STATUS, 1, 7)
        yield from bus.io_read(Register.DEVICE_STATUS, 1)

    def _wanted(self, rng: random.Random) -> int:
        wanted = rng.choice((_ALL_FEATURES, rng.getrandbits(32) & _ALL_FEATURES, 0))
        if "event_idx" in self.demands:
            wanted |= RingFeature.EVENT_IDX
        if "no_event_idx" in self.demands or self.calm:
            wanted &= ~RingFeature.EVENT_IDX & ~RingFeature.NOTIFY_ON_EMPTY
        return wanted

    def _status(self, value: int) -> Tlp:
        return self._word(Register.DEVICE_STATUS, 1, value)

    def _word(self, register: int, size: int, value: int) -> Tlp:
        return io_write(self.bus.bars[0] + register, size, value)

    def _set_up(self, queue: GuestQueue, rng: random.Random) -> Steps[None]:
        bus = self.bus
        event_idx = bool(self.features & RingFeature.EVENT_IDX)
        indirect = bool(self.features & RingFeature.INDIRECT_DESC)
        queue.start(random.Random(rng.random()), event_idx=event_idx, indirect=indirect)
        yield from bus.io_write(Register.QUEUE_SELECT, 2, queue.number)
        yield from bus.io_read(Register.QUEUE_SIZE, 2)
        yield from bus.io_write(Register.QUEUE_PFN, 4, queue.ring.pfn)
        yield from bus.io_read(Register.QUEUE_PFN, 4)

    def set_vectors(self, rng: random.Random) -> Steps[None]:
        """Name vectors for the configuration and the queues."""
        if not self.msix:
            return
        bus, vectors = self.bus, self.machine.vectors
        choices = (
            [*range(vectors), *range(vectors), 0xFFFF, vectors + 3] if not self.calm else list(range(vectors))
        )
        yield from bus.io_write(Register.CONFIG_VECTOR, 2, rng.choice(choices))
        yield from bus.io_read(Register.CONFIG_VECTOR, 2)
        for queue in self.queues:
            yield from bus.io_write(Register.QUEUE_SELECT, 2, queue.number)
            yield from bus.io_write(Register.QUEUE_VECTOR, 2, rng.choice(choices))
            yield from bus.io_read(Register.QUEUE_VECTOR, 2)

    def power_cycle(self) -> None:
        """The function's reset pin, and everything on the host that waits for it."""
        self.host.power_cycle()
        self.cycle()

    def write_command(self, value: int) -> Steps[None]:
        """Write Command, and wait for it."""
        self.command = value
        yield from self.bus.access(config_write(0x04, 2, value, target_id=self.bus.target_id))

    def notify(self, number: int) -> Steps[None]:
        """Kick."""
        yield from self.bus.io_write(Register.QUEUE_NOTIFY, 2, number)
