"""PCI configuration space of the function: type 0 header, the capabilities its profile lists, and beyond.

State is three byte arrays: the contents, the writable bits, the bits that writing one clears. Whoever owns
the function looks at ``command`` and ``msix_control`` after a write; nothing here calls anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from tb.models.devices.base import DeviceModel, DeviceType
from tb.models.profile import Profile

SIZE = 256
EXTENDED_SIZE = 4096
HEADER_SIZE = 0x40

COMMAND = 0x04
STATUS = 0x06
BAR0 = 0x10
EXPANSION_ROM = 0x30
INTERRUPT_LINE = 0x3C

COMMAND_IO = 1 << 0
COMMAND_MEMORY = 1 << 1
COMMAND_BUS_MASTER = 1 << 2
COMMAND_PARITY_RESPONSE = 1 << 6
COMMAND_INTX_DISABLE = 1 << 10

STATUS_INTERRUPT = 1 << 3
STATUS_CAPABILITIES = 1 << 4

MSIX_FUNCTION_MASK = 1 << 14
MSIX_ENABLE = 1 << 15

CAPABILITY_PCIE = 0x10
CAPABILITY_MSIX = 0x11
WIDE_BAR = 4
_LOW_32 = 0xFFFF_FFFF

VENDOR = 0x1AF4
DEVICE_IDS = {
    DeviceType.NET: 0x1000,
    DeviceType.BLOCK: 0x1001,
    DeviceType.BALLOON: 0x1002,
    DeviceType.CONSOLE: 0x1003,
    DeviceType.ENTROPY: 0x1005,
}


def bar0_size(profile: Profile, device: DeviceModel) -> int:
    """Bytes of BAR0: the header and the device configuration, up to a power of two (VPCI-REG-17)."""
    header = 24 if device.vectors else 20
    return max(profile.bar0_minimum, 1 << (header + device.config_length - 1).bit_length())


@dataclass(slots=True, frozen=True)
class Bar:
    """A memory BAR: its `number`, `size` in bytes, the low `kind` bits of its register (PCI-BAR-03)."""

    number: int
    size: int
    kind: int

    @property
    def wide(self) -> bool:
        """Whether the next register holds the upper half of its address."""
        return bool(self.kind & WIDE_BAR)


def config_size(profile: Profile) -> int:
    """Bytes of configuration space: 256, or 4096 where the profile says what lies past them."""
    extended = any(offset >= SIZE for offset, *_ in profile.config_dwords)
    return EXTENDED_SIZE if extended else SIZE


class ConfigSpace:
    """Configuration space; everything past it reads 0 (PCI-CFG-01).

    Attributes:
        command: the command register, for whoever has to ask it at every access.
        bars: the memory BARs by number.
        capabilities: the offset of the first capability of each id.
    """

    __slots__ = (
        "_clearable",
        "_content",
        "_reset",
        "_scratch",
        "_writable",
        "bar0_size",
        "bars",
        "capabilities",
        "command",
        "has_msix",
        "msix_offset",
        "size",
    )

    def __init__(self, profile: Profile, device: DeviceModel) -> None:
        self.size = config_size(profile)
        self._content = bytearray(self.size)
        self._writable = bytearray(self.size)
        self._clearable = bytearray(self.size)
        self._scratch = profile.scratch_config
        self.command = 0
        self.bar0_size = bar0_size(profile, device)
        self.has_msix = device.vectors > 0
        self.bars = {number: Bar(number, size, kind) for number, size, kind in profile.bars}
        if not self.has_msix:
            self.bars = {
                number: bar
                for number, bar in self.bars.items()
                if number not in (profile.msix_table[0], profile.msix_pending[0])
            }
        self.capabilities: dict[int, int] = {}
        if self._scratch:
            self._writable[HEADER_SIZE:] = b"\xff" * (self.size - HEADER_SIZE)
        self._add_header(profile, device)
        self._add_bars(profile)
        self._add_capabilities(profile, device)
        self._reset = bytes(self._content)

    def _define(self, offset: int, size: int, value: int, writable: int = 0, clearable: int = 0) -> None:
        place = slice(offset, offset + size)
        self._content[place] = value.to_bytes(size, "little")
        self._writable[place] = writable.to_bytes(size, "little")
        self._clearable[place] = clearable.to_bytes(size, "little")

    def _add_header(self, profile: Profile, device: DeviceModel) -> None:
        self._define(0x00, 2, VENDOR)
        self._define(0x02, 2, profile.device_id or DEVICE_IDS[device.type])
        self._define(COMMAND, 2, 0, profile.command_writable)
        self._define(STATUS, 2, 0, 0, profile.status_clearable)
        self._define(0x08, 1, profile.revision)
        self._define(0x09, 3, profile.class_codes[device.type.name.lower()])
        self._define(0x0C, 1, 0, 0xFF if profile.cache_line_writable else 0)
        self._define(0x0D, 1, 0, 0xFF if profile.latency_timer_writable else 0)
        self._define(0x2C, 2, profile.subsystem_vendor)
        self._define(0x2E, 2, profile.subsystem_id or device.type)
        self._define(INTERRUPT_LINE, 1, 0, 0xFF)
        self._define(0x3D, 1, 1)

    def _add_bars(self, profile: Profile) -> None:
        self._define(BAR0, 4, 1, 0x1_0000_0000 - self.bar0_size)
        for bar in self.bars.values():
            writable = (1 << 64) - bar.size
            self._define(BAR0 + 4 * bar.number, 4, bar.kind, writable & _LOW_32)
            if bar.wide:
                self._define(BAR0 + 4 * bar.number + 4, 4, 0, writable >> 32)
        if profile.expansion_rom:
            self._define(EXPANSION_ROM, 4, 0, 0x1_0000_0000 - profile.expansion_rom | 1)

    def _add_capabilities(self, profile: Profile, device: DeviceModel) -> None:
        for offset, value, writable, clearable in profile.config_dwords:
            self._define(offset, 4, value, writable, clearable)
        link = 0x34
        for kind, offset in profile.capabilities:
            if kind == CAPABILITY_MSIX and not self.has_msix:
                continue
            self.capabilities.setdefault(kind, offset)
            self._content[link] = offset
            self._content[STATUS] |= STATUS_CAPABILITIES
            self._define(offset, 2, kind)
            link = offset + 1
        self.msix_offset = self.capabilities.get(CAPABILITY_MSIX, 0)
        if self.has_msix:
            place = self.msix_offset
            self._define(place + 2, 2, device.vectors - 1, MSIX_ENABLE | MSIX_FUNCTION_MASK)
            self._define(place + 4, 4, profile.msix_table[1] | profile.msix_table[0])
            self._define(place + 8, 4, profile.msix_pending[1] | profile.msix_pending[0])

    def copy(self) -> ConfigSpace:
        """An independent copy of the state."""
        twin = object.__new__(ConfigSpace)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin._content = self._content[:]
        return twin

    def reset(self) -> None:
        """Conventional reset: all but scratch bytes as after power-up."""
        for place, value in enumerate(self._reset):
            if place < HEADER_SIZE or not self._is_scratch(place):
                self._content[place] = value
        self.command = 0

    def _is_scratch(self, place: int) -> bool:
        return self._scratch and self._writable[place] == 0xFF

    def read(self, offset: int, size: int) -> int:
        """``size`` bytes (1, 2, 4) at ``offset``, little-endian."""
        return int.from_bytes(self._content[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Write the low ``size`` bytes of ``value``; read-only bits keep theirs (PCI-CFG-02, PCI-CFG-05)."""
        content, writable, clearable = self._content, self._writable, self._clearable
        for place in range(offset, min(offset + size, self.size)):
            byte = value & 0xFF
            value >>= 8
            mask = writable[place]
            content[place] = (content[place] & ~mask | byte & mask) & ~(byte & clearable[place])
        if offset < STATUS:
            self.command = content[COMMAND] | content[COMMAND + 1] << 8

    def set_bus_master(self) -> None:
        """Set the bus master bit without a guest's write (VPCI-STAT-27)."""
        self.command |= COMMAND_BUS_MASTER
        self._content[COMMAND] |= COMMAND_BUS_MASTER

    @property
    def msix_control(self) -> int:
        """Message Control of MSI-X; 0 without the capability."""
        if not self.has_msix:
            return 0
        place = self.msix_offset + 2
        return self._content[place] | self._content[place + 1] << 8

    def set_interrupt_status(self, pending: bool) -> None:
        """Interrupt Status (bit 3) shows a pending INTx whatever Interrupt Disable says (PCI-CFG-13)."""
        if pending:
            self._content[STATUS] |= STATUS_INTERRUPT
        else:
            self._content[STATUS] &= ~STATUS_INTERRUPT & 0xFF

    def set_bits(self, offset: int, mask: int) -> None:
        """Set bits that the function itself sets (errors, Transactions Pending) in the 16-bit ``offset``."""
        self._content[offset] |= mask & 0xFF
        self._content[offset + 1] |= mask >> 8

    def clear_bits(self, offset: int, mask: int) -> None:
        """Clear bits that the function itself clears in the 16-bit register at ``offset``."""
        self._content[offset] &= ~mask & 0xFF
        self._content[offset + 1] &= ~(mask >> 8) & 0xFF

    def bar_base(self, number: int) -> int:
        """Address that BAR0 or a memory BAR decodes; 0 while it is not set, and where there is none."""
        if number == 0:
            return self.read(BAR0, 4) & ~(self.bar0_size - 1)
        bar = self.bars.get(number)
        if bar is None:
            return 0
        return self.read(BAR0 + 4 * number, 8 if bar.wide else 4) & ~(bar.size - 1)
