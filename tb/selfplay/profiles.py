"""Draws a profile: every field at random among the values a correct function may have.

Values that are legal and that the judge does not know yet stand apart;
they are drawn only when their field is asked
for by name, as a choice.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from tb.models.config_space import CAPABILITY_MSIX, CAPABILITY_PCIE
from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.selfplay.choices import LATENCY_NS, MODERATION_NS, TIMEOUT_NS, Settings

F_SEG_MAX, F_GEOMETRY, F_BLK_SIZE, F_FLUSH, F_CONFIG_WCE = 2, 4, 6, 9, 11
F_DISCARD, F_WRITE_ZEROES = 13, 14
_RELAXED, _NO_SNOOP = 1 << 4, 1 << 11
_EXTENDED_TAGS = 1 << 5
_ROLE_BASED = 1 << 15


@dataclass(frozen=True, slots=True)
class Values:
    """The `legal` values of a field; of `unknown` ones the judge does not know that they are
    (`accused_by`).
    """

    legal: tuple[Any, ...]
    unknown: tuple[Any, ...] = ()
    accused_by: str = ""


_SCHEMES = ((), ("block",))
_FLAG = Values((False, True))
_PLAIN_BITS = {kind: 10 if "unsupported" in kind else 2 for kind in VIRTIO_PCI_RTL.device_status_bits}
VALUES: dict[str, Values] = {
    "command_writable": Values((0x0547, 0x0507, 0x0407)),
    "device_id": Values((0, 0x1001)),
    "expansion_rom": Values((0, 0x8000)),
    "completion_accept_clocks": Values((0, 2)),
    "posted_behind_non_posted": _FLAG,
    "posted_latency_ns": Values((30_000, 1_000)),
    "gives_back": Values(((),), (("malformed",), ("unread",), ("malformed", "unread")), "VRING-DESC-09"),
    "config_latency_ns": Values((0, 40, 400, 2_000)),
    "intx_deassert_ns": Values((0,), (400, 3_000), "PCI-INT-01"),
    "first_decision": Values(("interrupts", "by_event")),
    "device_status_bits": Values((VIRTIO_PCI_RTL.device_status_bits, _PLAIN_BITS)),
    "cache_line_writable": _FLAG,
    "latency_timer_writable": _FLAG,
    "subsystem_vendor": Values((0x1AF4, 0x1B36, 0x0000)),
    "scratch_config": _FLAG,
    "access_width": Values(("byte_enables", "register_start", "register_start_uncut", "exact")),
    "bar0_minimum": Values((32, 64, 128, 256)),
    "queue_select_limit": Values((0x10000, 1024)),
    "missing_queue_pfn": Values((0, 0xFFFFFFFF)),
    "notify_read": Values((0xFFFFFFFF, 0, 0xFFFF)),
    "missing_queue_vector": Values(("none", "stored")),
    "pfn_zero": Values(("reset_device", "stop_queue", "address_zero")),
    "pfn_zero_missing_queue": _FLAG,
    "pfn_rewrite": Values(("ignored", "moved"), ("restarted",), "VRING-AV-06"),
    "features_masked": _FLAG,
    "features_lock": Values(("never", "first_notify")),
    "features_ok_locks": _FLAG,
    "bad_feature": Values(("not_offered", "offered")),
    "status_driver_sets_bus_master": _FLAG,
    "isr_queue_under_msix": _FLAG,
    "isr_config_under_msix": _FLAG,
    "isr_config_change": Values((2, 3)),
    "queue_interrupt": Values(("always",), ("driver_ok",), "VRING-INT-01"),
    "config_interrupt": Values(("driver_ok", "always")),
    "vector_out_of_range": Values(("no_vector", "stored")),
    "vector_release_clears_pending": _FLAG,
    "msix_disable_raises_intx": _FLAG,
    "bus_master_off": Values(("stalls", "clears_driver_ok")),
    "late_bus_master_tolerated": _FLAG,
    "reset_fence": Values(("write_completion", "immediate"), ("status_read",), "VPCI-STAT-04"),
    "msix_partial_read": Values(("value", "zero")),
    "undecoded_memory_read": Values((0xFF, 0x00)),
    "msix_pending_without_bus_master": Values(("pending", "lost")),
    "max_segments": Values((256, 128, 16)),
    "chain_limit_counts": Values(("table", "whole_chain")),
    "zero_length_descriptor": Values(("stop", "accept")),
    "writable_before_readable": Values(("stop", "accept")),
    "indirect_not_negotiated": Values(("table", "stop")),
    "indirect_after_direct": Values(("table", "data")),
    "indirect_with_next": Values(("ignored", "resume")),
    "nested_indirect": Values(("stop", "data")),
    "broken": Values(("queue", "device")),
    "available_jump": Values(("stop",), ("in_flight_limit",), "VRING-AV-04"),
    "requests_overlap": Values((False,), (True,), "VBLK-06"),
    "idle_flushes": Values(("in_order", "reversed")),
    "waits_for_driver_ok": Values(_SCHEMES),
    "driver_ok_kicks": Values(_SCHEMES),
    "early_notify_kicks": Values(((),), (("block",),), "VPCI-Q-16"),
    "interrupts_after_drain": Values(((),), (("block",),), "VRING-INT-01"),
    "interrupts_anyway": Values(((),), (("block",),), "VRING-INT-01"),
    "stopped_supply": Values(("waits", "counts")),
    "survey_limit": Values(("each_chain", "all_chains")),
    "used_flags": Values(("zero", "toggles")),
    "avail_event": Values(("after_drain", "per_chain")),
    "config_write_takes": Values(("written_bytes", "last_read")),
    "block_any_layout": _FLAG,
    "block_seg_max": Values((0, 254, 1)),
    "block_geometry": _FLAG,
    "block_id": Values(("padded", "terminated")),
    "block_scsi": Values(("unsupported", "refused_with_errors")),
    "block_unoffered": Values(("refused", "served")),
    "block_used_length": Values(("written_prefix", "whole_buffer")),
    "net_features": Values((0x00010020, 0x00018020)),
    "net_config_length": Values((10, 12)),
    "net_header_follows": Values(("features", "last_feature_write")),
    "net_without_link": Values(("serves", "returns_unread")),
    "net_early_frame": Values(("kept", "lost")),
    "net_short_frame": Values(("drop", "stop")),
    "console_features": Values((0, 3)),
    "console_config_length": Values((12, 8)),
    "console_looks_ahead": _FLAG,
    "balloon_features": Values((0, 2)),
    "balloon_config_length": Values((8,)),
}
"""The fields that can be drawn one by one; `draw_profile` makes the others fit each other."""
BARS = (
    (((1, 0x1000, 0),), (1, 0), (1, 0x800)),
    (((2, 0x4000, 4),), (2, 0x1000), (2, 0x2000)),
    (((1, 0x1000, 0), (2, 0x2000, 12)), (1, 0), (2, 0x800)),
    (((4, 0x8000, 4), (1, 0x100, 0)), (4, 0), (4, 0x4000)),
)
"""Memory BARs, and where the MSI-X table and its pending bits lie."""
_TOGETHER = frozenset({
    "name", "status_clearable", "class_codes", "subsystem_id", "revision", "bars", "capabilities",
    "config_dwords", "msix_table", "msix_pending", "msix_entry_writable", "ring_features", "block_features",
    "block_config_length", "dma_attributes", "available_reads", "descriptor_reads", "read_granule",
    "other_reads", "reads_under_way", "answer_writes", "used_elements", "completion_order",
    "chains_in_flight", "polls", "interrupt_delay_ns", "spurious_interrupts",
    "interrupt_latency_ns", "completion_latency_ns", "completion_timeout_ns", "dma_latency_ns", "queue_turns",
    "completion_timeout_margin_ns", "tag_rest_ns", "transactions_pending_ns",
})  # fmt: skip
UNKNOWN_FIELDS = tuple(name for name, values in VALUES.items() if values.unknown)


def missing_fields() -> set[str]:
    """Fields of a profile that nobody draws."""
    return {each.name for each in fields(Profile)} - VALUES.keys() - _TOGETHER


def draw_profile(rng: random.Random, allowed: Collection[str] = ()) -> Profile:
    """A profile; of the fields named in `allowed` the values that the judge does not know yet, too."""
    drawn: dict[str, Any] = {}
    for name, values in VALUES.items():
        known, unknown = rng.choice(values.legal), rng.choice(values.unknown or (None,))
        drawn[name] = unknown if unknown is not None and name in allowed and rng.random() < 0.7 else known
    drawn |= _capabilities(rng) | _features(rng)
    return replace(VIRTIO_PCI_RTL, name="selfplay", **drawn)


def fit(profile: Profile, settings: Settings) -> Profile:
    """`profile` with what the judge must know of the choices that are on; it is strict about the others."""
    has = settings.has
    ahead = has("available_line") or has("index_with_slots")
    others: list[Literal["flush", "used_ring", "writable_buffers"]] = []
    if has("flush_read"):
        others.append("flush")
    if has("used_index_read"):
        others.append("used_ring")
    answer: Literal["in_order", "once", "until_used"] = "once" if has("status_first") else "in_order"
    if has("bytes_twice") or has("zeros_first"):
        answer = "until_used"
    return replace(
        profile,
        dma_attributes="data" if has("relaxed_ordering") or has("no_snoop") else "none",
        available_reads="any" if ahead else "exact",
        descriptor_reads="any" if has("descriptors_ahead") or has("table_read_on") else "exact",
        read_granule=1,
        other_reads=tuple(others),
        reads_under_way=8,
        answer_writes=answer,
        used_elements="until_index" if has("elements_any_order") else "in_order",
        completion_order="any" if settings.depth > 1 else "in_order",
        chains_in_flight=0 if ahead else settings.depth,
        polls=has("looks_at_driver_ok") or has("looks_again"),
        interrupt_delay_ns=MODERATION_NS if has("moderated") else 0,
        spurious_interrupts=1 if has("spurious_message") else 0,
        interrupt_latency_ns=LATENCY_NS + 4 * settings.pace_ns,
        completion_latency_ns=1_000 + 16 * settings.pace_ns,
        completion_timeout_ns=TIMEOUT_NS,
        dma_latency_ns=1_000 + 16 * settings.pace_ns,
        completion_timeout_margin_ns=1_000,
        tag_rest_ns=1_000_000,
        transactions_pending_ns=200,
        queue_turns=0,
    )


def _capabilities(rng: random.Random) -> dict[str, Any]:
    """MSI-X and PCI Express capability: where they lie, what the function can."""
    largest = rng.choice((0, 1, 2, 3))
    extended = rng.choice((0, _EXTENDED_TAGS))
    attributes = rng.choice((0, _RELAXED, _NO_SNOOP, _RELAXED | _NO_SNOOP))
    msix, pcie = rng.choice(((0x40, 0x50), (0x98, 0x40), (0x80, 0xC0)))
    order = ((CAPABILITY_MSIX, msix), (CAPABILITY_PCIE, pcie))
    beyond = rng.choice(((), ((0x100, 0x0001_0003, 0, 0), (0x104, 0x1234_5678, 0xFFFF_FFFF, 0))))
    bars, table, pending = rng.choice(BARS)
    return {
        "capabilities": rng.choice((order, order[::-1])),
        "config_dwords": (
            (pcie, 0x0012_0000, 0, 0),
            (pcie + 4, _ROLE_BASED | extended | largest, 0, 0),
            (pcie + 8, 0x2000 | attributes, 0x70EF | extended << 3 | attributes, 0x000F_0000),
            *beyond,
        ),
        "bars": bars,
        "msix_table": table,
        "msix_pending": pending,
    }


def _features(rng: random.Random) -> dict[str, Any]:
    """Features that a device may offer together, and a configuration long enough for them."""
    block = sum(1 << bit for bit in (F_SEG_MAX, F_GEOMETRY, F_BLK_SIZE, F_FLUSH) if rng.random() < 0.6)
    length = rng.choice((24, 36, 60))
    if length >= 36 and block >> F_FLUSH & 1:
        block |= rng.choice((0, 1 << F_CONFIG_WCE))
    if length == 60:
        block |= rng.choice((0, 1 << F_DISCARD, 1 << F_DISCARD | 1 << F_WRITE_ZEROES))
    ring = sum(1 << bit for bit in (24, 27, 28, 29) if rng.random() < 0.8)
    return {"block_features": block, "block_config_length": length, "ring_features": ring}
