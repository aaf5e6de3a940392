"""What no function can choose: a profile that says so is refused, field by field, with the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

Values = Mapping[str, Any]
"""The fields of a profile by name, each of the right kind already."""

_HEADER_END, _CONFIG_END, _EXTENDED_END = 0x40, 0x100, 0x1000
_DW = 4
_MSIX = 0x11
# Bytes of the capabilities whose size their id tells.
_SIZES = {0x01: 8, 0x05: 10, 0x10: 0x3C, _MSIX: 12}
_SMALLEST_SIZE = 4
_MOST_IO_BYTES = 256
_SMALLEST_MEMORY_BAR, _SMALLEST_ROM = 16, 2048
_LAST_BAR = 5
_KINDS = (0, 4, 8, 12)
_WIDE = 4
_TRANSPORT_FEATURES = 24


def frozen(value: Any) -> Any:
    """A value of a TOML file, its lists as tuples."""
    return tuple(frozen(each) for each in value) if isinstance(value, list) else value


def type_fault(kind: Any, value: Any) -> str:
    """What the field must be, when ``value`` is not that; empty when it is."""
    origin = get_origin(kind)
    if origin is Literal:
        choices = get_args(kind)
        return "" if value in choices else "must be one of " + ", ".join(choices)
    if origin is tuple:
        item = get_args(kind)[0]
        fits = isinstance(value, list) and not any(type_fault(item, v) for v in value)
        return "" if fits else f"must be a list of {_items(item)}"
    if origin is not None:
        whole = isinstance(value, dict) and all(type(v) is int for v in value.values())
        return "" if whole else "must be a table of whole numbers"
    words = {bool: "true or false", int: "a whole number", str: "a text"}
    return "" if type(value) is kind else f"must be {words[kind]}"


def _items(kind: Any) -> str:
    """What a list must hold, in words."""
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    return {int: "whole numbers", str: "texts"}.get(kind, "lists of whole numbers")


def impossible(profile: Values) -> list[str]:
    """Every impossible choice of `profile`, a sentence each; empty where a function could make them all."""
    return [fault for check in _CHECKS for fault in check(profile)]


def _numbers(profile: Values) -> Iterator[str]:
    """Fields that are registers fit into them."""
    for name, least, most, rule in _LIMITS:
        value = profile[name]
        if not least <= value <= most:
            yield f"{name} must be {least:#x} to {most:#x}, not {value:#x} ({rule})"


def _bar0(profile: Values) -> Iterator[str]:
    size = profile["bar0_minimum"]
    if not (_power_of_two(size) and _DW <= size <= _MOST_IO_BYTES):
        what = f"must be a power of two from {_DW} to {_MOST_IO_BYTES}"
        yield f"bar0_minimum {what}, not {size}: a BAR decodes no other size (PCI-BAR-02, PCI-BAR-04)"


def _bars(profile: Values) -> Iterator[str]:
    taken: set[int] = {0}
    for entry in profile["bars"]:
        if len(entry) != 3:
            yield f"bars has {list(entry)}: each is [number, bytes, low bits]"
            continue
        number, size, kind = entry
        registers = {number, number + 1} if kind & _WIDE else {number}
        if kind not in _KINDS:
            yield f"BAR{number} has low bits {kind:#x}: a memory BAR has 0, 4, 8 or 12 (PCI-BAR-03)"
        if not _power_of_two(size) or size < _SMALLEST_MEMORY_BAR:
            yield f"BAR{number} has {size} bytes: it must be a power of two from 16 on (PCI-BAR-04)"
        if not registers <= set(range(1, _LAST_BAR + 1)):
            yield f"BAR{number} does not fit into the registers BAR1 to BAR5 (PCI-BAR-03)"
        if registers & taken:
            yield f"BAR{number} takes a register that another BAR has (PCI-BAR-03)"
        taken |= registers
    if profile["expansion_rom"] and (
        not _power_of_two(profile["expansion_rom"]) or profile["expansion_rom"] < _SMALLEST_ROM
    ):
        yield f"expansion_rom must be 0 or a power of two from {_SMALLEST_ROM} on (PCI-BAR-07)"


def _capabilities(profile: Values) -> Iterator[str]:
    """Capabilities lie past the header at whole DWs and do not overlap."""
    ends: list[tuple[int, int, int]] = []
    for entry in profile["capabilities"]:
        if len(entry) != 2:
            yield f"capabilities has {list(entry)}: each is [id, config offset]"
            continue
        kind, offset = entry
        end = offset + _SIZES.get(kind, _SMALLEST_SIZE)
        if offset % _DW or not _HEADER_END <= offset < _CONFIG_END or end > _CONFIG_END:
            yield (
                f"capability {kind:#04x} lies at {offset:#x}: it must be a whole DW from "
                f"{_HEADER_END:#x} on and end below {_CONFIG_END:#x} (PCI-CFG-10)"
            )
        for other, start, stop in ends:
            if start < end and offset < stop:
                yield f"capabilities {other:#04x} and {kind:#04x} overlap at {offset:#x} (PCI-CFG-10)"
        ends.append((kind, offset, end))
    if sum(kind == _MSIX for kind, _, _ in ends) > 1:
        yield "capabilities lists MSI-X twice (PCI-CFG-10)"


def _dwords(profile: Values) -> Iterator[str]:
    seen: set[int] = set()
    for entry in profile["config_dwords"]:
        if len(entry) != 4:
            yield f"config_dwords has {list(entry)}: each is [offset, reset value, writable, clearable]"
            continue
        offset, value, writable, clearable = entry
        if offset % _DW or not _HEADER_END <= offset < _EXTENDED_END:
            yield f"config_dwords names {offset:#x}: no whole DW past the header (PCI-CFG-01)"
        if offset in seen:
            yield f"config_dwords names {offset:#x} twice (PCI-CFG-01)"
        if max(value, writable, clearable) >> 32 or min(entry) < 0:
            yield f"config_dwords at {offset:#x} has a value of more than 32 bits (PCI-CFG-01)"
        if writable & clearable:
            both = writable & clearable
            yield f"config_dwords at {offset:#x}: bits {both:#x} are both written and cleared by ones"
        seen.add(offset)


def _msix(profile: Values) -> Iterator[str]:
    """Table and pending bits lie in memory BARs (PCI-MSIX-02)."""
    bars = {entry[0]: entry[1] for entry in profile["bars"] if len(entry) == 3}
    for name in ("msix_table", "msix_pending"):
        place = profile[name]
        if len(place) != 2:
            yield f"{name} has {list(place)}: it is [BAR, offset]"
        elif place[0] not in bars:
            yield f"{name} lies in BAR{place[0]}, which bars does not list (PCI-MSIX-02)"
        elif place[1] % 8 or not 0 <= place[1] < bars[place[0]]:
            where = f"it must be a multiple of 8 inside BAR{place[0]}"
            yield f"{name} lies at {place[1]:#x}: {where} (PCI-MSIX-02)"
    writable = profile["msix_entry_writable"]
    if len(writable) != 4 or any(bits >> 32 for bits in writable) or not writable[-1] & 1:
        yield "msix_entry_writable has four DWs of 32 bits, and the mask bit is writable (PCI-MSIX-03)"


def _reads(profile: Values) -> Iterator[str]:
    granule = profile["read_granule"]
    if not _power_of_two(granule):
        yield f"read_granule must be a power of two, not {granule}: blocks in memory are (BAD-DEV-09)"


def _features(profile: Values) -> Iterator[str]:
    low = profile["ring_features"] & (1 << _TRANSPORT_FEATURES) - 1
    if low:
        yield f"ring_features has {low:#x}: bits below {_TRANSPORT_FEATURES} are the device's (VPCI-STAT-22)"
    codes = profile["class_codes"]
    wrong = [name for name, code in codes.items() if not 0 <= code < 1 << 24]
    yield from (f"class_codes has {codes[name]:#x} for {name}: it has 24 bits" for name in wrong)


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


_LIMITS = (
    ("command_writable", 0, 0xFFFF, "PCI-CFG-03"),
    ("status_clearable", 0, 0xFFFF, "PCI-CFG-05"),
    ("subsystem_vendor", 0, 0xFFFF, "VPCI-DISC-05"),
    ("device_id", 0, 0xFFFF, "VPCI-DISC-02"),
    ("subsystem_id", 0, 0xFFFF, "VPCI-DISC-04"),
    ("revision", 0, 0xFF, "VPCI-DISC-03"),
    ("queue_select_limit", 1, 0x10000, "VPCI-REG-21"),
    ("missing_queue_pfn", 0, 0xFFFF_FFFF, "VPCI-REG-21"),
    ("notify_read", 0, 0xFFFF_FFFF, "VPCI-REG-20"),
    ("isr_config_change", 0, 0xFF, "DIS-3"),
    ("undecoded_memory_read", 0, 0xFF, "PCI-CFG-15"),
    ("ring_features", 0, 0xFFFF_FFFF, "VPCI-STAT-22"),
    ("max_segments", 1, 0x10000, "BAD-RING-34"),
    ("read_granule", 1, 4096, "BAD-DEV-09"),
    ("reads_under_way", 0, 0x10000, "VRING-US-10"),
    ("chains_in_flight", 0, 0x8000, "BAD-RING-26"),
    ("interrupt_delay_ns", 0, 1_000_000_000, "VRING-INT-01"),
    ("spurious_interrupts", 0, 0x10000, "VRING-INT-01"),
    ("block_features", 0, 0xFFFF_FFFF, "VBLK-02"),
    ("block_config_length", 8, 60, "VBLK-03"),
    ("block_seg_max", 0, 0xFFFF_FFFF, "VBLK-23"),
    ("net_config_length", 0, 64, "VNET-04"),
    ("console_config_length", 0, 64, "VCON-03"),
    ("balloon_config_length", 0, 64, "VBAL-04"),
)
_CHECKS: tuple[Callable[[Values], Iterator[str]], ...] = (
    _numbers,
    _bar0,
    _bars,
    _capabilities,
    _dwords,
    _msix,
    _reads,
    _features,
)
