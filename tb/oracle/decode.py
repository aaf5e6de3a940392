"""Says in words what an observation of a trace looked at, and which requirement it belongs to."""

from __future__ import annotations

from typing import Any

from tb.models.config_space import ConfigSpace
from tb.models.devices.base import DeviceModel
from tb.models.places import ENTRY_FIELDS, Place, bar0_place, config_register
from tb.models.profile import Profile
from tb.models.ring import DeviceRing
from tb.oracle.trace import Row


def describe(row: Row, device: DeviceModel, config: ConfigSpace, base: int, rings: list[DeviceRing]) -> Place:
    """What the observation ``row`` looked at; ``base`` is where device configuration starts in BAR0."""
    operation = row["op"]
    if operation == "io_r":
        return bar0_place(row["addr"], row["size"], device, base)
    if operation == "cfg_r":
        _, _, name, rule = config_register(row["addr"], config)
        return name, rule
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


def _memory_place(offset: int, profile: Profile, vectors: int) -> Place:
    entry, part = divmod(offset, 16)
    if entry < vectors:
        return f"MSI-X entry {entry} {ENTRY_FIELDS[part >> 2]}", "PCI-MSIX-03"
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
