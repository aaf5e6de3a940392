"""Says in words what an observation of a trace looked at, and which requirement it belongs to."""

from __future__ import annotations

from typing import Any

from tb.models.config_space import BAR0, ConfigSpace
from tb.models.devices.base import DeviceModel, DeviceType
from tb.models.profile import Profile
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
from tb.models.ring import DeviceRing
from tb.oracle.trace import Row

Place = tuple[str, str]  # what was looked at, requirement

_REGISTER_RULES = {
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
    (BAR0 + 4, 4, "BAR1", "PCI-BAR-01"),
    (0x2C, 2, "Subsystem Vendor ID", "VPCI-DISC-05"),
    (0x2E, 2, "Subsystem ID", "VPCI-DISC-04"),
    (0x34, 1, "Capabilities Pointer", "PCI-CFG-10"),
    (0x3C, 1, "Interrupt Line", "PCI-CFG-09"),
    (0x3D, 1, "Interrupt Pin", "PCI-CFG-09"),
)
_MSIX_REGISTERS = (
    (0, 2, "MSI-X capability header", "PCI-CFG-10"),
    (2, 2, "MSI-X Message Control", "PCI-MSIX-01"),
    (4, 4, "MSI-X Table Offset", "PCI-MSIX-02"),
    (8, 4, "MSI-X PBA Offset", "PCI-MSIX-02"),
)
_ENTRY_FIELDS = ("address", "upper address", "data", "vector control")

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


def describe(row: Row, device: DeviceModel, config: ConfigSpace, base: int, rings: list[DeviceRing]) -> Place:
    """What the observation ``row`` looked at; ``base`` is where device configuration starts in BAR0."""
    operation = row["op"]
    if operation == "io_r":
        return _io_place(row["addr"], row["size"], device, base)
    if operation == "cfg_r":
        return _config_place(row["addr"], config)
    if operation == "mem_r":
        return _memory_place(row["addr"], device.profile, device.vectors)
    if operation in ("ram_r", "poll"):
        return _ram_place(row["addr"], rings)
    return _OTHERS[operation]


_OTHERS: dict[str, Place] = {
    "intx": ("level of INTx", "VPCI-INT-05"),
    "used_set": ("used elements of a batch", "VRING-US-02"),
    "net_tx_seen": ("frame sent to the wire", "VNET-12"),
    "serial_out": ("output of a console port", "VCON-05"),
}


def _io_place(offset: int, size: int, device: DeviceModel, base: int) -> Place:
    if offset >= base:
        place = offset - base
        rule = _CONFIG_RULES[device.type]
        for first, length, name in _DEVICE_FIELDS[device.type]:
            if first <= place < first + length:
                return f"device configuration {name} (+{place})", rule
        return f"device configuration byte {place}, past its end", "VPCI-REG-14"
    if offset in NAMES:
        natural = WIDTHS[offset] == size
        return NAMES[offset], _REGISTER_RULES[offset] if natural else "VPCI-REG-10"
    return f"BAR0 offset {offset:#x}, where no register starts", "VPCI-REG-10"


def _config_place(offset: int, config: ConfigSpace) -> Place:
    for first, length, name, rule in _CONFIG_REGISTERS:
        if first <= offset < first + length:
            return name, rule
    if config.has_msix:
        for first, length, name, rule in _MSIX_REGISTERS:
            if first <= offset - config.msix_offset < first + length:
                return name, rule
    return f"configuration space {offset:#x}", "PCI-CFG-01"


def _memory_place(offset: int, profile: Profile, vectors: int) -> Place:
    entry, part = divmod(offset, 16)
    if entry < vectors:
        return f"MSI-X entry {entry} {_ENTRY_FIELDS[part >> 2]}", "PCI-MSIX-03"
    if offset >= profile.msix_pending[1]:
        return "MSI-X pending bits", "PCI-MSIX-04"
    return f"BAR1 offset {offset:#x}, past the MSI-X table", "PCI-MSIX-12"


def _ram_place(address: int, rings: list[DeviceRing]) -> Place:
    for number, ring in enumerate(rings):
        layout = ring.layout
        if layout is None or not layout.used <= address < layout.end:
            continue
        if address == layout.used_flags:
            return f"queue {number} used flags", "VRING-KICK-01"
        if address == layout.used_index:
            return f"queue {number} used index", "VRING-US-03"
        if address >= layout.avail_event:
            return f"queue {number} avail_event", "VRING-KICK-02"
        return f"queue {number} used element {(address - layout.used - 4) // 8}", "VRING-US-02"
    return f"guest memory at {address:#x}", "VRING-US-04"


def shown(value: Any, row: Row) -> str:
    """A value as a report shows it: numbers in the width of the access, bytes cut where they get long."""
    if isinstance(value, int):
        return f"{value:#0{2 + 2 * row.get('size', 1)}x}"
    text = "nothing" if value in (None, "") else ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 64 else f"{text[:60]}… ({len(text) // 2} bytes)"


def first_mismatch(expected: Any, saw: Any) -> str:
    """Where two strings of bytes part, for those too long to compare by eye."""
    if not (isinstance(expected, str) and isinstance(saw, str)) or max(len(expected), len(saw)) <= 64:
        return ""
    place = next(
        (i for i, (a, b) in enumerate(zip(expected, saw, strict=False)) if a != b),
        min(len(expected), len(saw)),
    )
    first = place & ~1
    return f"; first at byte {first // 2}: {expected[first : first + 16]} against {saw[first : first + 16]}"
