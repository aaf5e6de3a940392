"""Every register and field by its place: what it is called, and which requirement a wrong value breaks."""

from __future__ import annotations

from tb.models.config_space import BAR0, CAPABILITY_MSIX, CAPABILITY_PCIE, EXPANSION_ROM, ConfigSpace
from tb.models.devices.base import DeviceModel, DeviceType
from tb.models.registers import (
    CONFIG_VECTOR,
    GUEST_FEATURES,
    HOST_FEATURES,
    ISR,
    NAMES,
    QUEUE_NOTIFY,
    QUEUE_PFN,
    QUEUE_SELECT,
    QUEUE_SIZE,
    QUEUE_VECTOR,
    STATUS,
    WIDTHS,
)

Place = tuple[str, str]
"""Name, requirement."""

REGISTER_RULES = {
    HOST_FEATURES: "VPCI-STAT-16",
    GUEST_FEATURES: "VPCI-STAT-17",
    QUEUE_PFN: "VPCI-Q-08",
    QUEUE_SIZE: "VPCI-Q-03",
    QUEUE_SELECT: "VPCI-REG-21",
    QUEUE_NOTIFY: "VPCI-REG-20",
    STATUS: "VPCI-STAT-13",
    ISR: "VPCI-INT-02",
    CONFIG_VECTOR: "VPCI-INT-10",
    QUEUE_VECTOR: "VPCI-INT-10",
}

# (first byte, bytes, name, requirement) of configuration space
_CONFIG_REGISTERS = (
    (0x00, 2, "Vendor ID", "VPCI-DISC-01"),
    (0x02, 2, "Device ID", "VPCI-DISC-02"),
    (0x04, 2, "Command", "PCI-CFG-03"),
    (0x06, 2, "Status", "PCI-CFG-05"),
    (0x08, 1, "Revision ID", "VPCI-DISC-03"),
    (0x09, 3, "Class Code", "VPCI-DISC-10"),
    (0x0C, 1, "Cache Line Size", "PCI-CFG-11"),
    (0x0D, 1, "Latency Timer", "PCI-CFG-11"),
    (BAR0, 4, "BAR0", "PCI-BAR-01"),
    (0x2C, 2, "Subsystem Vendor ID", "VPCI-DISC-05"),
    (0x2E, 2, "Subsystem ID", "VPCI-DISC-04"),
    (0x34, 1, "Capabilities Pointer", "PCI-CFG-10"),
    (EXPANSION_ROM, 4, "Expansion ROM", "PCI-BAR-07"),
    (0x3C, 1, "Interrupt Line", "PCI-CFG-09"),
    (0x3D, 1, "Interrupt Pin", "PCI-CFG-09"),
)
_MSIX_REGISTERS = (
    (0, 2, "MSI-X capability header", "PCI-CFG-10"),
    (2, 2, "MSI-X Message Control", "PCI-MSIX-01"),
    (4, 4, "MSI-X Table Offset", "PCI-MSIX-02"),
    (8, 4, "MSI-X PBA Offset", "PCI-MSIX-02"),
)
# (first byte, bytes, name, requirement) of the PCI Express capability
_EXPRESS_REGISTERS = (
    (0, 2, "PCI Express capability header", "PCI-CFG-10"),
    (2, 2, "PCI Express Capabilities", "PCI-CFG-16"),
    (4, 4, "Device Capabilities", "PCI-FLR-01"),
    (8, 2, "Device Control", "VFIO-16"),
    (10, 2, "Device Status", "PCI-FLR-07"),
)
ENTRY_FIELDS = ("address", "upper address", "data", "vector control")

# (first byte, bytes, name) of device configurations
_DEVICE_FIELDS: dict[DeviceType, tuple[tuple[int, int, str], ...]] = {
    DeviceType.NET: ((0, 6, "mac"), (6, 2, "status"), (8, 2, "max_virtqueue_pairs"), (10, 2, "mtu")),
    DeviceType.BLOCK: (
        (0, 8, "capacity"),
        (8, 4, "size_max"),
        (12, 4, "seg_max"),
        (16, 4, "geometry"),
        (20, 4, "blk_size"),
        (24, 8, "topology"),
        (32, 1, "writeback"),
        (34, 2, "num_queues"),
        (36, 12, "discard limits"),
        (48, 9, "write zeroes limits"),
    ),
    DeviceType.CONSOLE: ((0, 2, "cols"), (2, 2, "rows"), (4, 4, "max_nr_ports"), (8, 4, "emerg_wr")),
    DeviceType.BALLOON: ((0, 4, "num_pages"), (4, 4, "actual"), (8, 4, "command"), (12, 4, "poison")),
    DeviceType.ENTROPY: (),
}
_CONFIG_RULES = {
    DeviceType.NET: "VNET-04",
    DeviceType.BLOCK: "VBLK-03",
    DeviceType.CONSOLE: "VCON-03",
    DeviceType.BALLOON: "VBAL-04",
    DeviceType.ENTROPY: "VRNG-04",
}

Span = tuple[int, int, str, str]
"""First byte, bytes, name, requirement."""


def register_at(offset: int) -> int | None:
    """The register of the legacy header that the byte at ``offset`` of BAR0 belongs to."""
    return next((first for first, width in WIDTHS.items() if first <= offset < first + width), None)


def device_field(place: int, device: DeviceModel) -> Span:
    """The field of the device configuration that its byte ``place`` belongs to."""
    rule = _CONFIG_RULES[device.type]
    if place < device.config_length:
        for first, length, name in _DEVICE_FIELDS[device.type]:
            if first <= place < first + length:
                return first, length, f"device configuration {name} (+{place})", rule
    return place, 1, f"device configuration byte {place}, past its end", "VPCI-REG-14"


def bar0_place(offset: int, size: int, device: DeviceModel, base: int) -> Place:
    """What an access to BAR0 reaches; ``base`` is where the device configuration starts."""
    if offset >= base:
        _, _, name, rule = device_field(offset - base, device)
        return name, rule
    if offset in NAMES:
        natural = WIDTHS[offset] == size
        return NAMES[offset], REGISTER_RULES[offset] if natural else "VPCI-REG-10"
    return f"BAR0 offset {offset:#x}, where no register starts", "VPCI-REG-10"


def config_register(offset: int, config: ConfigSpace) -> Span:
    """The register of configuration space that the byte at ``offset`` belongs to."""
    for first, length, name, rule in _CONFIG_REGISTERS:
        if first <= offset < first + length:
            return first, length, name, rule
    if BAR0 < offset < BAR0 + 24:
        return _bar(offset, config)
    for kind, registers in _CAPABILITY_REGISTERS.items():
        start = config.capabilities.get(kind)
        for first, length, name, rule in registers:
            if start is not None and first <= offset - start < first + length:
                return start + first, length, name, rule
    return offset & ~3, 4, f"configuration space {offset & ~3:#x}", "PCI-CFG-01"


def _bar(offset: int, config: ConfigSpace) -> Span:
    number = (offset - BAR0) >> 2
    first = BAR0 + 4 * number
    if number in config.bars:
        return first, 4, f"BAR{number}", "PCI-BAR-01"
    if number - 1 in config.bars and config.bars[number - 1].wide:
        return first, 4, f"BAR{number - 1}, upper half", "PCI-BAR-03"
    return first, 4, f"BAR{number}, which is not there", "PCI-BAR-08"


_CAPABILITY_REGISTERS = {CAPABILITY_MSIX: _MSIX_REGISTERS, CAPABILITY_PCIE: _EXPRESS_REGISTERS}
