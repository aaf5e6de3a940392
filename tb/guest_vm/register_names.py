"""What a guest's access is called: region and offset to the register's name."""

from __future__ import annotations

from tb.vfio_user.protocol import Region

_CONFIG = {
    0x00: "vendor and device id",
    0x04: "command",
    0x06: "status",
    0x08: "revision and class",
    0x0C: "cache line size",
    0x0D: "latency timer",
    0x0E: "header type",
    0x10: "BAR0",
    0x14: "BAR1",
    0x18: "BAR2 to BAR5",
    0x28: "CardBus CIS",
    0x2C: "subsystem ids",
    0x30: "expansion ROM",
    0x34: "capabilities pointer",
    0x35: "reserved",
    0x3C: "interrupt line",
    0x3D: "interrupt pin",
    0x3E: "grant and latency",
    0x40: "MSI-X capability",
    0x4C: "capabilities",
}
_BAR0 = {
    0x00: "device features",
    0x04: "driver features",
    0x08: "queue address",
    0x0C: "queue size",
    0x0E: "queue_select",
    0x10: "queue notify",
    0x12: "device status",
    0x13: "ISR status",
    0x14: "device config",
}
_BAR0_VECTORS = {0x14: "config vector", 0x16: "queue vector", 0x18: "device config"}
_PBA = 0x800
_ENTRY = ("message address", "message upper address", "message data", "vector control")
_SPACES = {Region.CONFIG: "config", Region.BAR0: "BAR0", Region.BAR1: "BAR1"}


def space_name(region: int) -> str:
    """The region's short name."""
    return _SPACES.get(Region(region), f"region {region}") if region in set(Region) else f"region {region}"


def register_name(region: int, offset: int, *, msix: bool) -> str:
    """The register that holds the byte at `offset`; `msix` says whether MSI-X is enabled (it moves BAR0)."""
    if region == Region.CONFIG:
        return _at_or_below(_CONFIG, offset)
    if region == Region.BAR0:
        return _at_or_below(_BAR0 | _BAR0_VECTORS if msix else _BAR0, offset)
    if region == Region.BAR1 and offset < _PBA:
        return f"MSI-X {_ENTRY[offset // 4 % 4]}"
    return "MSI-X pending bits" if region == Region.BAR1 else "unknown"


def _at_or_below(names: dict[int, str], offset: int) -> str:
    return names[max(start for start in names if start <= offset)]
