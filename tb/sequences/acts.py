"""What guest, host, disk and platform can do to the function as it works; each act is one verb on a shot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tb.guest.enumeration import CapabilityId, Command, Header, change_command
from tb.guest.msix import MASKED, VECTOR_CONTROL, MessageControl, target_of
from tb.guest.registers import NO_VECTOR, Register
from tb.guest.ring import NO_INTERRUPT, crossed
from tb.pcie.moment import Port
from tb.pcie.tlp import Tlp, memory_read, memory_write
from tb.sequences.scene import ALL_BYTES, Scene, Space
from tb.sequences.shot import DRIVER_OK, Shot

Act = Callable[[Shot], Awaitable[None]]
STATUS_DW = Register.DEVICE_STATUS & ~3
NOTIFY, STATUS, ISR = 0b0011, 0b0100, 0b1000
"""Byte enables of the registers in that DW."""
PCIE_CONTROL = 8
PAUSES = (0, 10, 50, 200, 800, 3000)
SHORT_HOLD, LONG_HOLD = 8, 2000
"""Clocks: less than a packet takes, longer than anything the function does by itself."""


# --- the guest and its rings


async def kick_again(shot: Shot) -> None:
    """A notification of the queue under way."""
    await shot.scene.bus.io_write(Register.QUEUE_NOTIFY, 2, shot.target.queue)


async def kick_another(shot: Shot) -> None:
    """A notification of the next queue; with one queue, of one that is not there."""
    await shot.scene.bus.io_write(Register.QUEUE_NOTIFY, 2, shot.target.queue + 1)


async def kick_often(shot: Shot) -> None:
    """Notifications of all queues, back to back."""
    await _at_once(shot, [_write(shot, STATUS_DW, NOTIFY, load.queue) for load in shot.loads * 3])


async def add_chains(shot: Shot) -> None:
    """More chains in each ring, notified only where the function has asked for it (VRING-KICK-03)."""
    for load in shot.loads:
        before = len(load.chains)
        for _ in range(shot.scene.rng.randint(1, 2)):
            shot.offer(load)
        await shot.scene.bus.delay(0)
        if not shot.event_idx or crossed(load.ring.available_event(), len(load.chains), before) or not before:
            await shot.scene.bus.io_write(Register.QUEUE_NOTIFY, 2, load.queue)


async def change_wishes(shot: Shot) -> None:
    """The guest wants interrupts where it wanted none, or the other way round."""
    rng = shot.scene.rng
    for load in shot.loads:
        load.ring.flags(NO_INTERRUPT * rng.randrange(2))
        if shot.event_idx:
            load.ring.used_event(rng.choice((0, 1, 2, 3, 0xFFFF)))


async def rewrite_registers(shot: Shot) -> None:
    """Status without DRIVER_OK and with FAILED, other features, another PFN: what is under way goes on."""
    bus = shot.scene.bus
    await bus.io_write(Register.DEVICE_STATUS, 1, 0x83)
    await bus.io_write(Register.DRIVER_FEATURES, 4, 0)
    await bus.io_write(Register.QUEUE_SELECT, 2, shot.target.queue)
    await bus.io_write(Register.QUEUE_PFN, 4, 0x77)
    await bus.io_write(Register.DEVICE_STATUS, 1, DRIVER_OK)


async def index_jumps(shot: Shot) -> None:
    """The available index moves by more than the ring has entries: the queue stops (VRING-AV-04)."""
    shot.target.ring.publish(len(shot.target.chains) + shot.target.ring.size + 1)
    await kick_again(shot)
    await shot.finish(shot.loads[1:])


# --- reset


async def reset(shot: Shot) -> None:
    """Status 0, read back."""
    await shot.scene.bus.io_write(Register.DEVICE_STATUS, 1, 0)
    await shot.scene.bus.io_read(Register.DEVICE_STATUS, 1)


async def reset_by_address(shot: Shot) -> None:
    """PFN 0 of any queue."""
    await shot.scene.bus.io_write(Register.QUEUE_SELECT, 2, shot.scene.rng.randrange(shot.place.queues))
    await shot.scene.bus.io_write(Register.QUEUE_PFN, 4, 0)


async def reset_among_accesses(shot: Shot) -> None:
    """A notification, status 0, an ISR read, status 0 and a notification again, none of them waited for."""
    queue = shot.target.queue
    await _at_once(
        shot,
        [
            _write(shot, STATUS_DW, NOTIFY, queue),
            _write(shot, STATUS_DW, STATUS, 0),
            shot.scene.request(Space.IO, STATUS_DW, ISR, None),
            _write(shot, STATUS_DW, STATUS, 0),
            _write(shot, STATUS_DW, NOTIFY, queue),
        ],
    )


async def reset_and_start(shot: Shot) -> None:
    """Status 0 and at once fresh rings with work in them, nothing read back (BAD-REG-19)."""
    shot.loads.clear()
    await shot.start()
    for load in shot.loads:
        shot.offer(load)
    await shot.kick()


async def power_cycle(shot: Shot) -> None:
    """A conventional reset."""
    await shot.scene.host.cold_reset()
    shot.scene.found = None
    await shot.place.restore()


# --- bus master and decoding


async def bus_master_off(shot: Shot) -> None:
    """Bus master off, on again after a while."""
    await change_command(shot.scene.bus, disable=Command.BUS_MASTER)
    await _pause(shot)
    await change_command(shot.scene.bus, enable=Command.BUS_MASTER)


async def bus_master_flicks(shot: Shot) -> None:
    """Bus master off and on, and off and on, back to back."""
    command = await shot.scene.bus.config_read(Header.COMMAND, 2)
    off = _config(shot, Header.COMMAND, 0b0011, command & ~Command.BUS_MASTER)
    on = _config(shot, Header.COMMAND, 0b0011, command)
    await _at_once(shot, [off, on, off, on])


async def reset_without_bus_master(shot: Shot) -> None:
    """Bus master off, status 0, bus master on: silence."""
    await change_command(shot.scene.bus, disable=Command.BUS_MASTER)
    await reset(shot)
    await change_command(shot.scene.bus, enable=Command.BUS_MASTER)


async def decoding_off(shot: Shot) -> None:
    """Neither I/O nor memory is decoded for a while; what is sent meanwhile is refused."""
    bus = shot.scene.bus
    await change_command(bus, disable=Command.IO | Command.MEMORY)
    await bus.io_write(Register.DEVICE_STATUS, 1, 0)
    await shot.scene.write_dw(Space.MEMORY, 0, 0xFFFF_FFFF)
    await _pause(shot)
    await change_command(bus, enable=Command.IO | Command.MEMORY)


async def bars_move(shot: Shot) -> None:
    """Both BARs go elsewhere and back; what was theirs is nobody's meanwhile."""
    bus = shot.scene.bus
    memory = shot.scene.function.memory_bar
    for index, there in ((0, 0xD000), (memory, 0xE800_0000)):
        bar = Header.BAR0 + 4 * index
        here = shot.scene.function.bases[index]
        await bus.config_write(bar, 4, there)
        await shot.scene.send(_write(shot, STATUS_DW, STATUS, 0) if bar == Header.BAR0 else _foreign(shot))
        await bus.io_read(Register.DEVICE_STATUS, 1)
        await shot.scene.read_dw(Space.MEMORY, 0)
        await bus.config_write(bar, 4, here)


# --- interrupts


async def read_isr(shot: Shot) -> None:
    """The ISR read once, or several times back to back."""
    reads = [
        shot.scene.request(Space.IO, STATUS_DW, ISR, None) for _ in range(shot.scene.rng.choice((1, 1, 2, 5)))
    ]
    await _at_once(shot, reads)


async def line_disabled(shot: Shot) -> None:
    """Interrupt Disable on, and off after a while."""
    await change_command(shot.scene.bus, enable=Command.INTX_DISABLE)
    await _pause(shot)
    await change_command(shot.scene.bus, disable=Command.INTX_DISABLE)


async def messages_switched(shot: Shot) -> None:
    """MSI-X off while it is on, or on while it is off, and back after a while."""
    on, off = MessageControl.ENABLE, MessageControl.NONE
    await shot.place.table.set_control(off if shot.msix else on)
    await _pause(shot)
    await shot.place.table.set_control(on if shot.msix else off)


async def messages_flick(shot: Shot) -> None:
    """MSI-X and the Function Mask change with every packet."""
    offset = shot.place.table.offset
    words = [shot.scene.rng.choice((0x0000, 0x8000, 0xC000)) for _ in range(4)]
    words.append(int(MessageControl.ENABLE) if shot.msix else 0)
    await _at_once(shot, [_config(shot, offset, 0b1100, word << 16) for word in words])


async def function_masked(shot: Shot) -> None:
    """The Function Mask set, and cleared after a while."""
    kept = MessageControl.ENABLE if shot.msix else MessageControl.NONE
    await shot.place.table.set_control(kept | MessageControl.FUNCTION_MASK)
    await _pause(shot)
    await shot.place.table.set_control(kept)


async def vector_masked(shot: Shot) -> None:
    """The queue's vector masked, its entry given other data, and unmasked."""
    table, vector = shot.place.table, _vector(shot)
    await table.mask(vector)
    await _pause(shot)
    if shot.scene.rng.random() < 0.5:
        await table.program(vector, target_of(vector))
    await table.unmask(vector)


async def vector_flicks(shot: Shot) -> None:
    """The vector's mask bit changes with every packet; posted writes, nothing waits for anything."""
    at = shot.place.table.entry_offset(_vector(shot)) + VECTOR_CONTROL
    bits = [MASKED, 0] * shot.scene.rng.randint(1, 4)
    await _at_once(shot, [shot.scene.request(Space.MEMORY, at, ALL_BYTES, bit) for bit in bits])


async def vector_moves(shot: Shot) -> None:
    """The queue's events go to no vector for a while (VPCI-INT-18)."""
    bus = shot.scene.bus
    await bus.io_write(Register.QUEUE_SELECT, 2, shot.target.queue)
    if not shot.msix:
        return
    await bus.io_write(Register.QUEUE_VECTOR, 2, NO_VECTOR)
    await _pause(shot)
    await bus.io_write(Register.QUEUE_VECTOR, 2, _vector(shot))


# --- the disk, the sizes, the link


async def disk_resized(shot: Shot) -> None:
    """The capacity changes, and perhaps again a little later or at once."""
    host = shot.scene.host
    await host.set_capacity(host.capacity() + 1 + shot.scene.rng.randrange(8))
    if shot.scene.rng.random() < 0.5:
        await _pause(shot)
        await host.set_capacity(host.capacity() + 1)


async def sizes_change(shot: Shot) -> None:
    """Another Max_Read_Request_Size; what was cut before may still come."""
    bus, offset = shot.scene.bus, shot.scene.function.capabilities[CapabilityId.PCI_EXPRESS] + PCIE_CONTROL
    control = await bus.config_read(offset, 2)
    await bus.config_write(offset, 2, control & ~0x7000 | shot.scene.rng.randrange(6) << 12)


async def errors_cleared(shot: Shot) -> None:
    """Ones to every error bit, and both status registers read."""
    await clear_errors(shot.scene)


async def clear_errors(scene: Scene) -> None:
    """Ones to every error bit, and both status registers read."""
    bus, offset = scene.bus, scene.function.capabilities[CapabilityId.PCI_EXPRESS] + PCIE_CONTROL
    await bus.config_write(Header.STATUS, 2, 0xFFFF)
    await bus.config_write(offset + 2, 2, 0xF)
    await bus.config_read(Header.COMMAND, 4)
    await bus.config_read(offset, 4)


async def host_crowds(shot: Shot) -> None:
    """Requests of all kinds back to back: long reads of BAR1, posted writes between, refused ones."""
    scene = shot.scene
    base = scene.base_of(Space.MEMORY)
    wild = _foreign(shot)
    poisoned = memory_write(base, bytes(64))
    poisoned.poisoned = True
    unused = base + 16 * shot.place.table.size
    packets = [
        memory_read(base, 512),
        scene.request(Space.CONFIG, 0, ALL_BYTES, None),
        memory_write(unused, bytes(100)),
        wild,
        scene.request(Space.IO, 0, ALL_BYTES, None),
        poisoned,
        memory_read(base + 0x800, 8),
        scene.request(Space.CONFIG, Header.CACHE_LINE_SIZE, 1, 0x55),
    ]
    scene.rng.shuffle(packets)
    await _at_once(shot, packets)


def held(port: Port, clocks: int) -> Act:
    """A stream stands still for up to so many clocks, and one notification comes meanwhile."""

    async def act(shot: Shot) -> None:
        shot.scene.host.hold(port, shot.scene.rng.randint(1 + clocks // 2, clocks))
        await kick_again(shot)

    return act


async def nothing(shot: Shot) -> None:
    """Only what goes wrong by itself, or something that meets it. The other queues go on."""
    chance = shot.scene.rng.random()
    if chance < 0.2:
        await reset(shot)
        return
    if chance < 0.5:
        await shot.scene.rng.choice((kick_again, kick_another, read_isr, errors_cleared, host_crowds))(shot)
    await shot.finish(shot.loads[1:])


async def media_fails(shot: Shot) -> None:
    """The next request to the disk fails."""
    await shot.scene.host.fail_media()


# --- tools


def _write(shot: Shot, offset: int, enables: int, value: int) -> Tlp:
    """A register write of the byte lanes in `enables`, the value in the lowest of them."""
    lane = (enables & -enables).bit_length() - 1
    return shot.scene.request(Space.IO, offset, enables, value << 8 * lane)


def _config(shot: Shot, offset: int, enables: int, value: int) -> Tlp:
    return shot.scene.request(Space.CONFIG, offset, enables, value)


def _foreign(shot: Shot) -> Tlp:
    """A write to nobody."""
    return memory_write(shot.scene.base_of(Space.MEMORY) ^ 0x4000_0000, shot.scene.rng.randbytes(40))


async def _at_once(shot: Shot, packets: list[Tlp]) -> None:
    await shot.scene.send_all(packets)


async def _pause(shot: Shot) -> None:
    await shot.scene.bus.delay(shot.scene.rng.choice(PAUSES))


def _vector(shot: Shot) -> int:
    """The vector of the queue the shot is aimed at."""
    return (shot.target.queue + 1) % shot.place.table.size
