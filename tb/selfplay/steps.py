"""The table of what a guest does, and how often. A plan is a list of names with a seed each,
so that it can be cut.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tb.guest.registers import Register
from tb.pcie.tlp import Tlp, TlpType, config_read, config_write, io_read, io_write, memory_read, memory_write
from tb.selfplay.clock import Steps
from tb.selfplay.guest import Guest

Act = Callable[[Guest, random.Random], Steps[None]]
_COMMAND_INTX_DISABLE, _BUS_MASTER = 1 << 10, 1 << 2


@dataclass(frozen=True, slots=True)
class Kind:
    """`needs` is the choice without which it is not done; `calm`: it keeps no interrupt from the guest."""

    act: Act
    weight: float
    needs: str = ""
    calm: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan."""

    name: str
    seed: int


def traffic(guest: Guest, rng: random.Random) -> Steps[None]:
    """Requests on one queue, and a kick if the function wants one."""
    queue = rng.choice(guest.queues)
    queue.collect()
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not queue.room or queue.submit(rng) is None:
            break
    if queue.publish() or rng.random() < 0.1:
        yield from guest.notify(queue.number)
    yield int(rng.random() * guest.settings.gap_ns)


def crowd(guest: Guest, rng: random.Random) -> Steps[None]:
    """Requests on all queues."""
    for _ in guest.queues:
        yield from traffic(guest, rng)


def collect(guest: Guest, rng: random.Random) -> Steps[None]:
    for queue in guest.queues:
        queue.collect()
    yield rng.randrange(500)


def pause(guest: Guest, rng: random.Random) -> Steps[None]:
    yield int(rng.random() * 5 * guest.settings.gap_ns)


def long_pause(guest: Guest, rng: random.Random) -> Steps[None]:
    yield 60_000 + rng.randrange(60_000)
    for queue in guest.queues:
        queue.collect()


def read_isr(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.bus.io_read(Register.ISR_STATUS, 1)


def read_registers(guest: Guest, rng: random.Random) -> Steps[None]:
    for _ in range(rng.choice((1, 3))):
        register, size = rng.choice(
            ((0, 4), (4, 4), (8, 4), (12, 2), (14, 2), (16, 2), (18, 1), (20, 2), (22, 2))
        )
        yield from guest.bus.access(io_read(guest.bus.bars[0] + register, size))


def read_device_config(guest: Guest, rng: random.Random) -> Steps[None]:
    for offset in rng.sample(range(0, 60, 4), 4):
        if guest.config_base + offset < 32:
            yield from guest.bus.access(io_read(guest.bus.bars[0] + guest.config_base + offset, 4))


def read_config_space(guest: Guest, rng: random.Random) -> Steps[None]:
    capability = guest.machine.pcie
    for _ in range(rng.choice((1, 3))):
        offset = rng.choice(
            (4, 4, capability + 8, capability + 8, 4 * rng.randrange(64), 4 * rng.randrange(1024))
        )
        yield from guest.bus.access(config_read(offset, 4, target_id=guest.bus.target_id))


def clear_errors(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.bus.config_write(6, 2, rng.choice((0xF900, 0x2000, 0)))
    yield from guest.bus.config_write(guest.machine.pcie + 10, 2, rng.choice((0xF, 0)))


def read_table(guest: Guest, rng: random.Random) -> Steps[None]:
    if rng.random() < 0.4:
        yield from guest.bus.pending_read(rng.choice((4, 8)))
    else:
        offset, size = rng.choice(((0, 16), (0, 4), (16, 8), (0, 48), (0, 128), (0x60, 64), (0x400, 4)))
        yield from guest.bus.table_read(offset, size)


def read_long(guest: Guest, rng: random.Random) -> Steps[None]:
    """More of the table than one completion need carry."""
    yield from guest.bus.table_read(rng.choice((0, 0x20, 0x3C)), rng.choice((80, 128, 256)))


def switch_vector(guest: Guest, rng: random.Random) -> Steps[None]:
    if guest.machine.vectors:
        place = 16 * rng.randrange(guest.machine.vectors) + 12
        yield from guest.bus.table_write(place, (1).to_bytes(4, "little"))
        yield int(rng.random() * 4 * guest.settings.gap_ns)
        yield from guest.bus.pending_read(4)
        yield from guest.bus.table_write(place, bytes(4))


def switch_function_mask(guest: Guest, rng: random.Random) -> Steps[None]:
    if guest.msix:
        offset = guest.machine.msix + 2
        yield from guest.bus.config_write(offset, 2, 0xC000)
        yield int(rng.random() * 4 * guest.settings.gap_ns)
        yield from guest.bus.config_write(offset, 2, 0x8000)


def rewrite_entry(guest: Guest, rng: random.Random) -> Steps[None]:
    if guest.msix:
        yield from guest.write_entry(rng, rng.randrange(guest.machine.vectors))


def switch_msix(guest: Guest, rng: random.Random) -> Steps[None]:
    """Off and on again, or the other way round."""
    if not guest.machine.vectors:
        return
    if guest.msix:
        yield from guest.disable_msix()
        yield int(rng.random() * guest.settings.gap_ns)
        if rng.random() < 0.5:
            return
    yield from guest.enable_msix(rng)
    yield from guest.set_vectors(rng)


def switch_vectors(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.set_vectors(rng)


def switch_intx(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.write_command(guest.command | _COMMAND_INTX_DISABLE)
    yield int(rng.random() * 4 * guest.settings.gap_ns)
    yield from guest.write_command(guest.command & ~_COMMAND_INTX_DISABLE)


def same_command(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.write_command(guest.command ^ 1 << 6)
    yield from guest.bus.config_read(4)


def switch_bus_master(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.write_command(guest.command & ~_BUS_MASTER)
    yield int(rng.random() * 4 * guest.settings.gap_ns)
    yield from guest.write_command(guest.command | _BUS_MASTER)


def change_limits(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.set_control(rng)


def resize(guest: Guest, rng: random.Random) -> Steps[None]:
    least, most = guest.machine.sectors // 2, guest.machine.sectors
    guest.host.resize(rng.choice((most, least, rng.randrange(least, most))))
    for _ in range(20 if "config_latency" in guest.demands else rng.choice((0, 2, 8))):
        yield rng.randrange(200)
        yield from guest.bus.access(io_read(guest.bus.bars[0] + guest.config_base, 4))


def suppress(guest: Guest, rng: random.Random) -> Steps[None]:
    rng.choice(guest.queues).suppress(rng)
    yield 0


def kick_for_nothing(guest: Guest, rng: random.Random) -> Steps[None]:
    numbers = [queue.number for queue in guest.queues]
    yield from guest.notify(rng.choice((*numbers, *numbers, 77, 0xFFFF)))


def select(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.bus.access(
        io_write(guest.bus.bars[0] + 14, 2, rng.choice((0, 1, 2, 5, 1023, 1024, 0xFFFF)))
    )
    for register, size in ((14, 2), (12, 2), (8, 4)):
        yield from guest.bus.access(io_read(guest.bus.bars[0] + register, size))


def reset(guest: Guest, rng: random.Random) -> Steps[None]:
    """Reset in mid-traffic, and start again; now and then by an address of 0, or two times."""
    if guest.settings.takes("resize_in_reset"):
        signal = yield from guest.bus.send(io_write(guest.bus.bars[0] + Register.DEVICE_STATUS, 1, 0))
        guest.host.resize(rng.randrange(guest.machine.sectors // 2, guest.machine.sectors))
        if signal is not None and not signal.done:
            yield signal
    yield from guest.attach(rng)


def power_cycle(guest: Guest, rng: random.Random) -> Steps[None]:
    guest.power_cycle()
    yield 100
    yield from guest.enumerate(rng)
    yield from guest.attach(rng)


def fault(guest: Guest, rng: random.Random) -> Steps[None]:
    """A DMA read to come goes wrong; after a while the guest starts anew."""
    guest.host.faults += 1
    yield from traffic(guest, rng)
    guest.reset_due = True


def disk_fault(guest: Guest, rng: random.Random) -> Steps[None]:
    guest.host.disk_faults += rng.choice((1, 2))
    yield 0


def malformed(guest: Guest, rng: random.Random) -> Steps[None]:
    """A chain that no driver makes, among others."""
    queue = rng.choice(guest.queues)
    queue.collect()
    while rng.random() < 0.5 and queue.room and queue.submit(rng) is not None:
        pass
    if rng.random() < 0.15:
        queue.publish()
        queue.jump(rng)
    else:
        queue.submit_malformed(rng)
        queue.publish()
    yield from guest.notify(queue.number)
    guest.reset_due = True


def wild_access(guest: Guest, rng: random.Random) -> Steps[None]:
    """Any width, any register, decoded or not."""
    bars, target, table = guest.bus.bars, guest.bus.target_id, guest.bus.table
    lane = rng.randrange(4)
    size = rng.randrange(1, 5 - lane)
    harmless = rng.choice((0x00, 0x0C, 0x14, 0x18, 0x1C))
    made: list[Callable[[], Tlp]] = [
        lambda: io_read(bars[0] + 4 * rng.randrange(8) + lane, size),
        lambda: io_write(bars[0] + (harmless if guest.msix or harmless < 0x14 else 0) + lane, size, 0),
        lambda: io_read(bars[0] + 0x1000 + lane, size),
        lambda: io_write(bars[0] - 0x100, 4, 5),
        lambda: memory_read(table + rng.randrange(0xFC0), rng.randrange(1, 17)),
        lambda: memory_read((table & -0x1000) - 64, 16),
        lambda: memory_read(table + 0x1_0000, 8),
        lambda: memory_write(table + 0x2_0000, bytes(8)),
        lambda: memory_write(table + rng.randrange(0x900, 0xF00), bytes(rng.randrange(1, 9))),
        lambda: memory_write(table + 1, bytes(2)),
        lambda: config_read(rng.randrange(1023) * 4 + lane, size, target_id=target),
        lambda: config_write(
            rng.choice((0, 8, 0x2C, 0x34, 0x100)) + lane, size, rng.getrandbits(32), target_id=target
        ),
        lambda: config_read(0, 4, target_id=target | 1),
        lambda: Tlp(TlpType.CONFIG_READ_1, address=0, target_id=target, first_be=15, length=1),
        lambda: Tlp(TlpType.MEMORY_READ_LOCKED, address=table, first_be=15, length=1),
        lambda: Tlp(
            TlpType.IO_WRITE, address=bars[0] + 16, first_be=15, length=1, data=bytes(4), poisoned=True
        ),
        lambda: Tlp(TlpType.MESSAGE, message_code=0x50),
        lambda: Tlp(TlpType.FETCH_ADD, address=table & 0xFFFFFFFF, first_be=15, length=1, data=bytes(4)),
    ]
    tlp = rng.choice(made)()
    if tlp.type in (TlpType.MEMORY_READ, TlpType.MEMORY_WRITE):
        tlp.traffic_class, tlp.attributes = rng.choice(((0, 0), (0, 2), (3, 1)))
    yield from guest.bus.access(tlp)


def burst_of_reads(guest: Guest, rng: random.Random) -> Steps[None]:
    """Several accesses without waiting between them."""
    waiting = []
    for _ in range(rng.randrange(2, 6)):
        base = guest.bus.bars[0]
        tlp = rng.choice(
            (io_read(base + 19, 1), io_read(base + 18, 1), io_read(base, 4), memory_read(guest.bus.table, 4))
        )
        waiting.append((yield from guest.bus.send(tlp)))
    for signal in waiting:
        if signal is not None and not signal.done:
            yield signal


def move_bar(guest: Guest, rng: random.Random) -> Steps[None]:
    bus = guest.bus
    base = bus.bars[0] = rng.choice((0xC000, 0xD000, 0x1_C000))
    yield from bus.access(config_write(0x10, 4, base, target_id=bus.target_id))
    yield from guest.place_bars(rng.randrange(4))
    for number in range(6):
        yield from bus.config_read(0x10 + 4 * number)


def write_device_config(guest: Guest, rng: random.Random) -> Steps[None]:
    offset = rng.choice((0, 4, 8, 12, 20, 32))
    yield from guest.bus.access(
        io_write(guest.bus.bars[0] + guest.config_base + offset, 1, rng.choice((0, 1)))
    )


def move_bus(guest: Guest, rng: random.Random) -> Steps[None]:
    """The bus gets another number."""
    guest.bus.target_id = rng.choice((0x0100, 0x0200, 0x3A00))
    yield from guest.bus.access(config_write(0x3C, 1, 5, target_id=guest.bus.target_id))


def status_bits(guest: Guest, rng: random.Random) -> Steps[None]:
    yield from guest.bus.access(io_write(guest.bus.bars[0] + 18, 1, rng.choice((0x87, 0x47, 7, 7))))
    yield from guest.bus.io_read(Register.DEVICE_STATUS, 1)


def audit(guest: Guest, rng: random.Random) -> Steps[None]:
    """Read whatever a function may have got wrong."""
    bus, base = guest.bus, guest.bus.bars[0]
    for offset in (4, guest.machine.pcie + 8):
        yield from bus.config_read(offset)
    for register, size in ((19, 1), (4, 4), (8, 4), (14, 2), (18, 1), (20, 2), (22, 2)):
        yield from bus.access(io_read(base + register, size))
    yield from bus.table_read(0, 16)
    yield from bus.pending_read(4)


KINDS: dict[str, Kind] = {
    "traffic": Kind(traffic, 14),
    "crowd": Kind(crowd, 6),
    "collect": Kind(collect, 4),
    "pause": Kind(pause, 3),
    "long_pause": Kind(long_pause, 0.4),
    "read_isr": Kind(read_isr, 3),
    "read_registers": Kind(read_registers, 3),
    "read_device_config": Kind(read_device_config, 1),
    "read_config_space": Kind(read_config_space, 3),
    "clear_errors": Kind(clear_errors, 0.7),
    "read_table": Kind(read_table, 1.5),
    "read_long": Kind(read_long, 0.7),
    "switch_vector": Kind(switch_vector, 2, calm=False),
    "switch_function_mask": Kind(switch_function_mask, 1, calm=False),
    "rewrite_entry": Kind(rewrite_entry, 0.7, calm=False),
    "switch_msix": Kind(switch_msix, 0.7, calm=False),
    "switch_vectors": Kind(switch_vectors, 0.7),
    "switch_intx": Kind(switch_intx, 1, calm=False),
    "same_command": Kind(same_command, 0.5),
    "switch_bus_master": Kind(switch_bus_master, 1, "bus_master_gaps", calm=False),
    "change_limits": Kind(change_limits, 1, "limits_change"),
    "resize": Kind(resize, 1, "resizes"),
    "suppress": Kind(suppress, 2, calm=False),
    "kick_for_nothing": Kind(kick_for_nothing, 1),
    "select": Kind(select, 1),
    "reset": Kind(reset, 1),
    "power_cycle": Kind(power_cycle, 0.3, "power_cycles"),
    "fault": Kind(fault, 1, "dma_faults"),
    "disk_fault": Kind(disk_fault, 0.5, "disk_faults"),
    "malformed": Kind(malformed, 1, "malformed_chains"),
    "wild_access": Kind(wild_access, 3, "wild_accesses"),
    "burst_of_reads": Kind(burst_of_reads, 1, "accesses_overlap"),
    "move_bar": Kind(move_bar, 0.4),
    "move_bus": Kind(move_bus, 0.2),
    "write_device_config": Kind(write_device_config, 0.5),
    "status_bits": Kind(status_bits, 0.4),
}
_BEFORE_RESET = 4
_OFTEN = 5


def draw_plan(rng: random.Random, length: int, on: Collection[str], needs: Collection[str]) -> list[Step]:
    """So many steps; those whose choice is not `on` are left out,
    those that a lie `needs` come more often.
    """
    calm = "calm" in needs
    kinds = {n: k for n, k in KINDS.items() if (not k.needs or k.needs in on) and (k.calm or not calm)}
    weights = [kind.weight * (_OFTEN if kind.needs in needs else 1) for kind in kinds.values()]
    return [Step(name, rng.getrandbits(32)) for name in rng.choices(list(kinds), weights, k=length)]


def play(guest: Guest, plan: list[Step], seed: int) -> Steps[None]:
    """The whole life of a guest: up, through the plan, and to rest."""
    first = random.Random(seed)
    guest.bus.rng = first
    yield from guest.enumerate(first)
    yield from guest.attach(first)
    since = 0
    for step in plan:
        rng = random.Random(step.seed)
        guest.bus.rng = rng
        yield from KINDS[step.name].act(guest, rng)
        if guest.suspicious():
            yield from audit(guest, rng)
            break
        since = since + 1 if guest.reset_due else 0
        if since > _BEFORE_RESET:
            yield from reset(guest, rng)
            since = 0
    for _ in range(6):
        yield 20_000
        yield from collect(guest, first)
