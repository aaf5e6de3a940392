"""Scenarios on configuration space and the BARs: every register, every bit, every byte enable."""

from __future__ import annotations

from tb.guest.enumeration import (
    CapabilityId,
    Command,
    Header,
    assign_bar,
    change_command,
    set_command,
)
from tb.guest.errors import ConfigurationError
from tb.pcie.tlp import Tlp, TlpType, config_read, config_write, memory_read, memory_write
from tb.sequences.scene import ALL_BYTES, Scene, Space

CONFIG_BYTES = 256
ONES = 0xFFFF_FFFF
BAR_REGISTERS = range(Header.BAR0, Header.BAR0 + 24, 4)
BUS_DEVICE = 0x0100
"""Bus and device that configuration requests name; the low three bits are the function's number."""
LINE_AND_PIN = Header.INTERRUPT_LINE
DECODING = Command.IO | Command.MEMORY


async def identify(scene: Scene) -> None:
    """Enumerate, and hold the answer against what a legacy block function must be.

    What it may choose is the judge's to score, read by read.
    """
    function = await scene.enumerate()
    identity = function.identity
    facts = (
        ("VPCI-DISC-02", "device id", identity.device, 0x1001),
        ("VPCI-DISC-04", "subsystem", identity.subsystem, 2),
        ("PCI-CFG-09", "interrupt pin", identity.interrupt_pin, 1),
    )
    for rule, what, seen, expected in facts:
        if seen != expected:
            raise ConfigurationError(rule, f"{what} is {seen!r}, not {expected!r}")


async def read_everything(scene: Scene) -> None:
    """Every byte of configuration space by 1, 2 and 4 bytes, beyond the header too."""
    for size in (1, 2, 4):
        for offset in range(0, CONFIG_BYTES, size):
            await scene.bus.config_read(offset, size)
    for offset in (0x100, 0x104, 0x200, 0xFFC):
        await scene.read_dw(Space.CONFIG, offset)


async def read_every_enable(scene: Scene) -> None:
    """Every register with each of the 16 byte enables."""
    for offset in range(0, CONFIG_BYTES, 4):
        for enables in range(16):
            await scene.read_dw(Space.CONFIG, offset, enables)


async def write_every_bit(scene: Scene) -> None:
    """Ones, zeros, and a walking one and a walking zero in every register; each is read back."""
    walking = [1 << bit for bit in range(32)]
    for offset in range(0, CONFIG_BYTES, 4):
        before = await scene.bus.config_read(offset, 4)
        for value in (ONES, 0, *walking, *(ONES ^ one for one in walking)):
            await scene.bus.config_write(offset, 4, value)
            await scene.bus.config_read(offset, 4)
        await scene.bus.config_write(offset, 4, before)
        await scene.bus.config_read(offset, 4)


async def write_every_enable(scene: Scene) -> None:
    """Random values into every register under each byte enable, over ones and over zeros."""
    for offset in range(0, CONFIG_BYTES, 4):
        before = await scene.bus.config_read(offset, 4)
        for enables in range(16):
            for start in (0, ONES):
                await scene.write_dw(Space.CONFIG, offset, start)
                await scene.write_dw(Space.CONFIG, offset, scene.rng.getrandbits(32) ^ start, enables)
                await scene.bus.config_read(offset, 4)
        await scene.bus.config_write(offset, 4, before)


async def write_random_registers(scene: Scene, count: int = 600) -> None:
    """Random writes of any width anywhere, with a look at another register in between, so that leaks show."""
    for _ in range(count):
        offset = scene.rng.randrange(0, CONFIG_BYTES, 4)
        await scene.write_dw(Space.CONFIG, offset, scene.rng.getrandbits(32), scene.rng.randrange(16))
        await scene.bus.config_read(scene.rng.randrange(0, CONFIG_BYTES, 4), 4)
    for offset in range(0, CONFIG_BYTES, 4):
        await scene.bus.config_read(offset, 4)


async def size_bars_bit_by_bit(scene: Scene) -> None:
    """All BARs and the ROM: walking ones, byte writes, sizing with decoding on (PCI-BAR-05, -06)."""
    await set_command(scene.bus, Command.NONE)
    for register in (*BAR_REGISTERS, Header.EXPANSION_ROM):
        for bit in range(32):
            await scene.bus.config_write(register, 4, 1 << bit)
            await scene.bus.config_read(register, 4)
        for byte in range(4):
            for value in (0xFF, 0x00, 0xA5):
                await scene.bus.config_write(register + byte, 1, value)
                await scene.bus.config_read(register, 4)
        await scene.bus.config_write(register, 4, 0)
    await scene.enumerate()
    for register in BAR_REGISTERS:
        before = await scene.bus.config_read(register, 4)
        await scene.bus.config_write(register, 4, ONES)
        sized = await scene.bus.config_read(register, 4)
        for space in (Space.IO, Space.MEMORY):
            await _probe(scene, space, sized & ~0xF)  # nobody claims the address of a BAR that is being sized
        await scene.bus.config_write(register, 4, before)


async def decode_every_address_bit(scene: Scene) -> None:
    """Move both BARs and see that exactly their own addresses answer: each address bit is flipped alone."""
    await scene.enumerate()
    memory_bar = scene.function.memory_bar
    for index, space in ((0, Space.IO), (memory_bar, Space.MEMORY)):
        bar = scene.function.bars[index]
        low_bit = bar.size.bit_length() - 1
        for base in (bar.size, 1 << 31, 0x5A5A_5A5A & -bar.size & ONES, 0xA5A5_0000 & -bar.size & ONES):
            await assign_bar(scene.bus, bar, base)
            scene.function.bases[index] = base
            await scene.read_dw(space, 0)
            await scene.read_dw(space, bar.size - 4)
            for bit in range(low_bit, 32):
                await _probe(scene, space, base ^ (1 << bit))
    for bit in range(32, 64, 5):
        await _probe(scene, Space.MEMORY, scene.function.bases[memory_bar] ^ 1 << bit)
    await scene.enumerate()


async def switch_decoding(scene: Scene) -> None:
    """I/O and memory decoding one by one: refused accesses leave no trace (VPCI-REG-23)."""
    await scene.enumerate()
    for enabled in (Command.NONE, Command.IO, Command.MEMORY, DECODING):
        await set_command(scene.bus, enabled)
        for space in (Space.IO, Space.MEMORY):
            for offset in (0, 4, 8, 0x10, 0x14):
                await scene.read_dw(space, offset)
            await scene.write_dw(space, 4, ONES)
            await scene.write_dw(space, 0x10, 0x0007_0000, 0b0100)
    await set_command(scene.bus, DECODING)
    for offset in range(0, 32, 4):
        await scene.read_dw(Space.IO, offset)
        await scene.read_dw(Space.MEMORY, offset)


async def refuse_foreign_requests(scene: Scene) -> None:
    """Requests a legacy endpoint does not take: each is answered as unsupported, none changes anything."""
    await scene.enumerate()
    io, memory = scene.base_of(Space.IO), scene.base_of(Space.MEMORY)
    word = (0x1234_5678).to_bytes(4, "little")
    refused = (
        Tlp(TlpType.CONFIG_READ_1, address=0, first_be=15, length=1),
        Tlp(TlpType.CONFIG_WRITE_1, address=4, first_be=15, length=1, data=word),
        Tlp(TlpType.MEMORY_READ_LOCKED, address=memory, first_be=15, length=1),
        Tlp(TlpType.FETCH_ADD, address=memory, length=1, data=word),
        Tlp(TlpType.SWAP, address=memory, length=1, data=word),
        Tlp(TlpType.COMPARE_AND_SWAP, address=memory, first_be=15, last_be=15, length=2, data=word * 2),
        Tlp(TlpType.IO_READ, address=io ^ 0x8000, first_be=15, length=1),
        memory_write(memory ^ 0x4000_0000, word),
        memory_read(memory ^ 0x4000_0000, 4),
        *(config_read(Header.VENDOR_ID, target_id=BUS_DEVICE | number) for number in range(1, 8)),
        *(config_write(Header.COMMAND, 2, 0, target_id=BUS_DEVICE | number) for number in (1, 2, 4)),
    )
    for tlp in refused:
        await scene.send(tlp)
        await scene.bus.config_read(Header.COMMAND, 4)
        await scene.read_dw(Space.MEMORY, 0)
        await clear_device_status(scene)


async def poison_requests(scene: Scene) -> None:
    """Poisoned writes in every space are dropped and recorded as parity errors, which are cleared again."""
    await scene.enumerate()
    for space in Space:
        for value in (ONES, 0):
            tlp = scene.request(space, 4, ALL_BYTES, value)
            tlp.poisoned = True
            await scene.send(tlp)
            await scene.read_dw(space, 4)
            await scene.bus.config_read(Header.STATUS, 2)
            await scene.bus.config_write(Header.STATUS + 1, 1, 0x00)
            await scene.bus.config_read(Header.STATUS, 2)
            await scene.bus.config_write(Header.STATUS + 1, 1, 0x80)
            await scene.bus.config_read(Header.STATUS, 2)
            await clear_device_status(scene)


async def clear_device_status(scene: Scene) -> None:
    """The PCI Express device status: read it, clear its bits one by one."""
    offset = scene.function.capabilities[CapabilityId.PCI_EXPRESS] + 0x0A
    for bit in range(4):
        await scene.bus.config_read(offset, 2)
        await scene.bus.config_write(offset, 2, 1 << bit)
        await scene.bus.config_read(offset, 2)


async def vary_the_requester(scene: Scene) -> None:
    """Tags, requester ids, classes, attributes and target ids come back in completions as they went out."""
    await scene.enumerate()
    for _ in range(64):
        tlp = scene.request(scene.rng.choice(list(Space)), 4 * scene.rng.randrange(4), ALL_BYTES, None)
        tlp.requester_id = scene.rng.randrange(1, 1 << 16)
        tlp.tag = scene.rng.getrandbits(8)
        if tlp.type is TlpType.MEMORY_READ:
            tlp.traffic_class = scene.rng.randrange(8)
            tlp.attributes = scene.rng.randrange(4)
        if tlp.type is TlpType.CONFIG_READ:
            tlp.target_id = scene.rng.getrandbits(13) << 3
        await scene.send(tlp)


async def toggle_interrupt_disable(scene: Scene) -> None:
    """Bit 10 alone changes when it is toggled, whatever the others are (PCI-CFG-08)."""
    await scene.enumerate()
    others = [Command.IO, Command.MEMORY, Command.BUS_MASTER, Command.PARITY, Command.SERR]
    for other in others:
        await set_command(scene.bus, other)
        await change_command(scene.bus, enable=Command.INTX_DISABLE)
        await change_command(scene.bus, disable=Command.INTX_DISABLE)
    await set_command(scene.bus, DECODING)


async def _probe(scene: Scene, space: Space, address: int) -> None:
    """Read a DW at an absolute address, whoever it belongs to."""
    kind = TlpType.IO_READ if space is Space.IO else TlpType.MEMORY_READ
    await scene.send(Tlp(kind, address=address, first_be=ALL_BYTES, length=1))
