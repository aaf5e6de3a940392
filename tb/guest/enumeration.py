"""What firmware and the operating system do with a PCI function before a driver sees it.

Each verb is one step: identify, size the BARs, assign them, walk the capabilities, enable decoding. Every
step reads back what it wrote and restores what it disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from tb.guest.errors import ConfigurationError, ProbeError, ReadBackError
from tb.guest.host_bus import HostBus
from tb.guest.registers import DEVICE_IDS, LEGACY_REVISION, VENDOR_ID

BAR_COUNT = 6
IO_BASE = 0xC000
MEMORY_BASE = 0xE000_0000
DEVICE_CAPABILITIES, DEVICE_CONTROL = 4, 8
"""Offsets in the PCI Express capability."""
SMALLEST_PAYLOAD = 128
MAX_CAPABILITIES = 48
"""More cannot fit between 0x40 and 0x100, so a longer list loops."""


class Header(IntEnum):
    """Byte offsets in a type 0 configuration header."""

    VENDOR_ID = 0x00
    DEVICE_ID = 0x02
    COMMAND = 0x04
    STATUS = 0x06
    REVISION_ID = 0x08
    CLASS_CODE = 0x09
    CACHE_LINE_SIZE = 0x0C
    LATENCY_TIMER = 0x0D
    HEADER_TYPE = 0x0E
    BAR0 = 0x10
    BAR1 = 0x14
    SUBSYSTEM_VENDOR_ID = 0x2C
    SUBSYSTEM_ID = 0x2E
    EXPANSION_ROM = 0x30
    CAPABILITIES = 0x34
    INTERRUPT_LINE = 0x3C
    INTERRUPT_PIN = 0x3D


class Command(IntFlag):
    """Command register bits that a function of this kind implements (PCI-CFG-03)."""

    NONE = 0
    IO = 1 << 0
    MEMORY = 1 << 1
    BUS_MASTER = 1 << 2
    PARITY = 1 << 6
    SERR = 1 << 8
    INTX_DISABLE = 1 << 10


class PciStatus(IntFlag):
    """Status register bits (PCI-CFG-05)."""

    INTERRUPT = 1 << 3
    CAPABILITIES = 1 << 4
    MASTER_DATA_PARITY = 1 << 8
    SIGNALLED_TARGET_ABORT = 1 << 11
    RECEIVED_TARGET_ABORT = 1 << 12
    RECEIVED_MASTER_ABORT = 1 << 13
    SIGNALLED_SYSTEM_ERROR = 1 << 14
    DETECTED_PARITY = 1 << 15


class CapabilityId(IntEnum):
    """Capability ids this guest looks at."""

    POWER_MANAGEMENT = 0x01
    MSI = 0x05
    VENDOR = 0x09
    PCI_EXPRESS = 0x10
    MSIX = 0x11


@dataclass(slots=True, frozen=True)
class Identity:
    """The registers that say what the function is."""

    vendor: int
    device: int
    revision: int
    class_code: int
    subsystem_vendor: int
    subsystem: int
    interrupt_pin: int


@dataclass(slots=True, frozen=True)
class Bar:
    """One base address register. `size` in bytes, a power of two; `is_io` tells I/O from memory space.

    `wide`: the next register holds the upper half of its address.
    """

    index: int
    size: int
    is_io: bool
    wide: bool = False

    @property
    def register(self) -> int:
        return Header.BAR0 + 4 * self.index


@dataclass(slots=True)
class PciFunction:
    """What enumeration found."""

    identity: Identity
    bars: dict[int, Bar] = field(default_factory=dict)
    bases: dict[int, int] = field(default_factory=dict)
    capabilities: dict[int, int] = field(default_factory=dict)
    """Capability id to its offset in configuration space, in list order."""

    @property
    def memory_bar(self) -> int:
        """The first memory BAR. ConfigurationError where there is none."""
        for index, bar in self.bars.items():
            if not bar.is_io:
                return index
        raise ConfigurationError("PCI-MSIX-02", "the function has no memory BAR")


async def read_identity(bus: HostBus) -> Identity:
    """Identity registers, each by its natural width. ProbeError when nobody answers (all ones)."""
    vendor = await bus.config_read(Header.VENDOR_ID, 2)
    if vendor == 0xFFFF:
        raise ProbeError("VPCI-DISC-01", "no function answers configuration reads: the vendor id is ffff")
    return Identity(
        vendor=vendor,
        device=await bus.config_read(Header.DEVICE_ID, 2),
        revision=await bus.config_read(Header.REVISION_ID, 1),
        class_code=(await bus.config_read(Header.REVISION_ID, 4)) >> 8,
        subsystem_vendor=await bus.config_read(Header.SUBSYSTEM_VENDOR_ID, 2),
        subsystem=await bus.config_read(Header.SUBSYSTEM_ID, 2),
        interrupt_pin=await bus.config_read(Header.INTERRUPT_PIN, 1),
    )


def check_legacy(identity: Identity) -> None:
    """A legacy driver's probe (FreeBSD vtpci_probe): vendor, device range, revision; else ProbeError."""
    if identity.vendor != VENDOR_ID:
        raise ProbeError("VPCI-DISC-01", f"the vendor id is {identity.vendor:#06x}, not {VENDOR_ID:#06x}")
    if identity.device not in DEVICE_IDS:
        raise ProbeError("VPCI-DISC-06", f"device id {identity.device:#06x} is outside the legacy range")
    if identity.revision != LEGACY_REVISION:
        raise ProbeError("VPCI-DISC-03", f"revision {identity.revision} is not the legacy revision 0")


async def size_bar(bus: HostBus, index: int) -> Bar | None:
    """Write ones, read back, restore (PCI-BAR-01). None for an absent BAR. Decoding must be off."""
    register = Header.BAR0 + 4 * index
    before = await bus.config_read(register, 4)
    await bus.config_write(register, 4, 0xFFFF_FFFF)
    mask = await bus.config_read(register, 4)
    await bus.config_write(register, 4, before)
    if await bus.config_read(register, 4) != before:
        raise ConfigurationError("PCI-BAR-01", f"BAR{index} does not return to {before:#010x} after sizing")
    if mask == 0:
        return None
    is_io = bool(mask & 1)
    wide = not is_io and mask & 0x6 == 4
    if not is_io and mask & 0x6 and not wide:
        raise ConfigurationError("PCI-BAR-03", f"BAR{index} has the reserved type of {mask:#010x}")
    address_bits = mask & (0xFFFF_FFFC if is_io else 0xFFFF_FFF0)
    size = (~address_bits & 0xFFFF_FFFF) + 1
    if wide and index == BAR_COUNT - 1:
        raise ConfigurationError("PCI-BAR-03", "BAR5 is a 64-bit BAR, whose upper half has no register")
    if size & (size - 1) or not address_bits:
        raise ConfigurationError("PCI-BAR-04", f"BAR{index} sizes to {mask:#010x}, not to a power of two")
    return Bar(index, size, is_io, wide)


async def assign_bar(bus: HostBus, bar: Bar, base: int) -> None:
    """Put a BAR at `base` (a multiple of its size) and read it back."""
    kind = 1 if bar.is_io else await bus.config_read(bar.register, 4) & 0xF
    halves = [(bar.register, base & 0xFFFF_FFFF, kind)]
    if bar.wide:
        halves.append((bar.register + 4, base >> 32, 0))
    for register, half, low_bits in halves:
        await bus.config_write(register, 4, half)
        seen = await bus.config_read(register, 4)
        if seen != half | low_bits:
            what = f"BAR{bar.index} reads {seen:#010x} after {half | low_bits:#010x}"
            raise ConfigurationError("PCI-BAR-01", what)


async def walk_capabilities(bus: HostBus) -> dict[int, int]:
    """Capability id to offset, in list order. ConfigurationError for a loop or a bad pointer (PCI-CFG-10)."""
    status = await bus.config_read(Header.STATUS, 2)
    if not status & PciStatus.CAPABILITIES:
        return {}
    found: dict[int, int] = {}
    pointer = await bus.config_read(Header.CAPABILITIES, 1) & 0xFC
    for _ in range(MAX_CAPABILITIES):
        if pointer == 0:
            return found
        if pointer < 0x40:
            raise ConfigurationError("PCI-CFG-10", f"capability pointer {pointer:#x} points into the header")
        found.setdefault(await bus.config_read(pointer, 1), pointer)
        pointer = await bus.config_read(pointer + 1, 1) & 0xFC
    raise ConfigurationError("PCI-CFG-10", "the capability list does not end")


async def set_command(bus: HostBus, value: Command) -> None:
    """Write the command register and read it back. The status half is not touched."""
    await bus.config_write(Header.COMMAND, 2, value)
    seen = await bus.config_read(Header.COMMAND, 2)
    if seen != value:
        raise ConfigurationError("PCI-CFG-03", f"the command register reads {seen:#06x} after {value:#06x}")


async def change_command(
    bus: HostBus, *, enable: Command = Command.NONE, disable: Command = Command.NONE
) -> None:
    """Set and clear bits of the command register, leaving the others."""
    current = Command(await bus.config_read(Header.COMMAND, 2))
    await set_command(bus, (current | enable) & ~disable)


async def set_payload_size(bus: HostBus, function: PciFunction, most: int) -> int:
    """Let the function send packets of up to `most` bytes, as far as it can; returns what it may send.

    Without a PCI Express capability nothing is changed. ReadBackError when the size does not stick.
    """
    offset = function.capabilities.get(CapabilityId.PCI_EXPRESS)
    if offset is None:
        return SMALLEST_PAYLOAD
    supported = await bus.config_read(offset + DEVICE_CAPABILITIES, 4) & 7
    code = min(supported, (most // SMALLEST_PAYLOAD).bit_length() - 1)
    control = await bus.config_read(offset + DEVICE_CONTROL, 2) & ~(7 << 5) | code << 5
    await bus.config_write(offset + DEVICE_CONTROL, 2, control)
    if await bus.config_read(offset + DEVICE_CONTROL, 2) != control:
        raise ReadBackError("VFIO-16", f"device control does not keep {control:#06x}")
    return SMALLEST_PAYLOAD << code


async def enumerate_function(bus: HostBus) -> PciFunction:
    """The whole walk, in a firmware's order. Leaves I/O and memory decoding on, bus mastering off."""
    identity = await read_identity(bus)
    check_legacy(identity)
    function = PciFunction(identity)
    await set_command(bus, Command.NONE)
    for index in range(BAR_COUNT):
        if index - 1 in function.bars and function.bars[index - 1].wide:
            continue  # the upper half of the BAR before it
        bar = await size_bar(bus, index)
        if bar is not None:
            function.bars[index] = bar
    if 0 not in function.bars or not function.bars[0].is_io:
        raise ProbeError("VPCI-DISC-07", "BAR0 is not an I/O BAR, so there is no legacy interface")
    next_base = {True: IO_BASE, False: MEMORY_BASE}
    for index, bar in function.bars.items():
        base = -(-next_base[bar.is_io] // bar.size) * bar.size
        await assign_bar(bus, bar, base)
        function.bases[index] = base
        next_base[bar.is_io] = base + bar.size
    function.capabilities = await walk_capabilities(bus)
    await set_command(bus, Command.IO | Command.MEMORY)
    return function
