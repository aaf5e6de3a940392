"""The profile: every choice the specification leaves to the implementation, by name, with its requirement.

A profile is a TOML file with exactly these fields. The shipped ones lie in ``profiles/`` beside this module;
a user writes his own for his device and loads it with ``Profile.from_toml``. Nothing else in the golden model
tells one implementation from another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

from tb.models.profile_checks import frozen, impossible, type_fault

SHIPPED = Path(__file__).parent / "profiles"


class ProfileError(Exception):
    """A profile that cannot be used; the message says which file and field, and what would be right."""


def _choice(requirement: str, decides: str) -> Any:
    """A field without a default: what it ``decides`` and the ``requirement`` it belongs to."""
    return field(metadata={"requirement": requirement, "decides": decides})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """One implementation's choices. ``docs/profiles.md`` shows this table with the shipped values."""

    name: str = _choice("", "what reports call this profile")

    # --- configuration space
    command_writable: int = _choice("PCI-CFG-03", "mask of the command bits that keep what is written")
    status_clearable: int = _choice("PCI-CFG-05", "mask of the status bits that writing one clears")
    cache_line_writable: bool = _choice("PCI-CFG-11", "whether Cache Line Size keeps what is written")
    latency_timer_writable: bool = _choice("PCI-CFG-11", "whether Latency Timer keeps what is written")
    subsystem_vendor: int = _choice("VPCI-DISC-05", "PCI Subsystem Vendor ID")
    class_codes: Mapping[str, int] = _choice("VPCI-DISC-10", "24-bit class code per device type")
    device_id: int = _choice("VPCI-DISC-02", "PCI Device ID, 0 for the one of the device type")
    subsystem_id: int = _choice("VPCI-DISC-04", "PCI Subsystem Device ID, 0 for the device type")
    revision: int = _choice("VPCI-DISC-03", "PCI Revision ID")
    bars: tuple[tuple[int, ...], ...] = _choice(
        "PCI-BAR-03",
        "memory BARs: [number, bytes, low bits (0: 32-bit, 4: 64-bit, 8 more: prefetchable)]; BAR0 is I/O",
    )
    expansion_rom: int = _choice("PCI-BAR-07", "bytes that the expansion ROM BAR asks for, 0 for none")
    capabilities: tuple[tuple[int, ...], ...] = _choice(
        "PCI-CFG-10", "the capability list in its order: [id, config offset]; MSI-X (0x11) needs vectors"
    )
    config_dwords: tuple[tuple[int, ...], ...] = _choice(
        "PCI-CFG-01",
        "DWs past the header, those of the capabilities and from 0x100 on: [offset, reset value, writable "
        "bits, write-1-clear bits]; id and link of a capability are put in",
    )
    msix_table: tuple[int, ...] = _choice("PCI-MSIX-02", "where the MSI-X table lies: [BAR, offset]")
    msix_pending: tuple[int, ...] = _choice("PCI-MSIX-02", "where the pending bits lie: [BAR, offset]")
    scratch_config: bool = _choice(
        "PCI-CFG-01", "whether config bytes past the header that no capability owns keep what is written"
    )

    # --- errors and DMA reads
    device_status_bits: Mapping[str, int] = _choice(
        "PCI-FLR-07",
        "mask of Device Status error bits (1 correctable, 2 non-fatal, 4 fatal, 8 unsupported request) that "
        "each kind of error sets",
    )
    completion_timeout_ns: int = _choice(
        "BAD-RING-37", "ns after which the function gives a DMA read up that is not completely answered"
    )
    completion_timeout_margin_ns: int = _choice(
        "BAD-RING-37", "ns by which it may be earlier or later with that"
    )
    tag_rest_ns: int = _choice(
        "BAD-DEV-18", "ns for which the tag of a read that was given up is not used again (0: at once)"
    )
    transactions_pending_ns: int = _choice(
        "PCI-FLR-07", "ns after the last DMA read ended by which Transactions Pending is 0 at rest"
    )

    # --- BAR0
    access_width: Literal["byte_enables", "register_start", "register_start_uncut", "exact"] = _choice(
        "VPCI-REG-10", "what an access does that is not one register's natural width and offset"
    )
    bar0_minimum: int = _choice("VPCI-REG-17", "smallest BAR0, bytes")
    queue_select_limit: int = _choice("VPCI-REG-21", "queue_select ignores values from here on (65536: none)")
    missing_queue_pfn: int = _choice("VPCI-REG-21", "QUEUE_PFN of a queue that does not exist")
    notify_read: int = _choice("VPCI-REG-20", "what reading QUEUE_NOTIFY returns")
    missing_queue_vector: Literal["none", "stored"] = _choice(
        "VPCI-REG-21", "whether QUEUE_VECTOR of a queue that does not exist keeps what is written"
    )
    pfn_zero: Literal["reset_device", "stop_queue", "address_zero"] = _choice(
        "DIS-1", "what writing 0 to QUEUE_PFN does"
    )
    pfn_zero_missing_queue: bool = _choice(
        "VPCI-Q-09", "whether writing 0 to QUEUE_PFN works too while a missing queue is selected"
    )
    pfn_rewrite: Literal["ignored", "moved", "restarted"] = _choice(
        "VPCI-Q-11", "what a new QUEUE_PFN does to a live queue (moved: ring indices are kept)"
    )
    features_masked: bool = _choice("VPCI-STAT-17", "whether features that are not offered are dropped")
    features_lock: Literal["never", "first_notify"] = _choice(
        "VPCI-STAT-25", "from when on a write to the driver features is ignored until reset"
    )
    features_ok_locks: bool = _choice("VPCI-STAT-09", "whether status bit 3 makes feature writes ignored")
    bad_feature: Literal["not_offered", "offered"] = _choice(
        "VPCI-STAT-20", "whether feature bit 30 is offered as a trap; acknowledging it clears the features"
    )
    status_driver_sets_bus_master: bool = _choice(
        "VPCI-STAT-27", "whether writing exactly 3 to the status sets the PCI bus master bit"
    )
    isr_queue_under_msix: bool = _choice("DIS-2", "whether a queue interrupt sets the ISR with MSI-X enabled")
    isr_config_under_msix: bool = _choice(
        "VPCI-INT-04", "whether a configuration change sets the ISR with MSI-X enabled"
    )
    isr_config_change: int = _choice("DIS-3", "ISR bits that a configuration change sets")
    queue_interrupt: Literal["driver_ok", "always"] = _choice("VPCI-STAT-11", "when a used buffer interrupts")
    config_interrupt: Literal["driver_ok", "always"] = _choice(
        "DIS-8", "when a configuration change interrupts"
    )
    vector_out_of_range: Literal["no_vector", "stored"] = _choice(
        "VPCI-INT-10", "what a vector register holds after a vector past the table was written"
    )
    vector_release_clears_pending: bool = _choice(
        "VPCI-INT-18", "whether a message pends no longer once no vector register names its entry"
    )
    msix_disable_raises_intx: bool = _choice(
        "VPCI-INT-07", "whether disabling MSI-X with ISR bits set asserts INTx"
    )
    intx_deassert_ns: int = _choice(
        "VPCI-INT-02",
        "ns by which Deassert_INTA may follow the completion of the ISR read or reset that asks for it "
        "(0: it is ahead of it)",
    )
    interrupt_latency_ns: int = _choice(
        "VPCI-INT-02",
        "ns of its own time in which a cause that the function knows shows in the ISR, and again so many in "
        "which its interrupt leaves",
    )
    completion_latency_ns: int = _choice(
        "PCI-CFG-01",
        "ns of its own time from the acceptance of a request, or the completion before, to its completion",
    )
    dma_latency_ns: int = _choice(
        "VPCI-Q-17",
        "ns of its own time that the function may stand still while a queue needs it: kicked, chains "
        "available, a chain half done, a used index to be written or decided on",
    )
    completion_accept_clocks: int = _choice(
        "PIN-ACCEPT",
        "clocks that a completion of the function's own read may wait to be taken, whatever its sending side "
        "does",
    )
    posted_behind_non_posted: bool = _choice(
        "PIN-POSTED",
        "whether a posted write waits until the request before it is completed (PCI Express wants it taken)",
    )
    posted_latency_ns: int = _choice(
        "PIN-POSTED", "ns of its own time that the function may let a posted write wait to be taken"
    )
    queue_turns: int = _choice(
        "BAD-REG-06",
        "most chains that another queue may be served while one waits for its turn (0: no limit)",
    )
    bus_master_off: Literal["stalls", "clears_driver_ok", "clears_driver_ok_only", "ignored"] = _choice(
        "VPCI-STAT-28",
        "what clearing bus master does to a running function (the last two: DMA goes on all the same)",
    )
    late_bus_master_tolerated: bool = _choice(
        "VPCI-STAT-27", "whether DRIVER_OK without bus master makes clearing bus master harmless from then on"
    )
    reset_fence: Literal["write_completion", "status_read", "immediate"] = _choice(
        "VPCI-STAT-04", "the completion after which a reset function sends nothing any more"
    )

    # --- MSI-X
    msix_partial_read: Literal["value", "zero"] = _choice(
        "PCI-MSIX-05", "what a read of less than a whole DW of BAR1 returns (such writes are dropped)"
    )
    undecoded_memory_read: int = _choice(
        "PCI-CFG-15", "byte that a read of BAR1 returns while memory decode is off"
    )
    msix_entry_writable: tuple[int, ...] = _choice(
        "PCI-MSIX-03", "writable bits of an entry's four DWs: address low, address high, data, vector control"
    )
    msix_pending_without_bus_master: Literal["pending", "lost"] = _choice(
        "PCI-MSIX-22", "what becomes of a message while bus master is off"
    )

    # --- split virtqueue
    ring_features: int = _choice("VPCI-STAT-22", "transport feature bits offered (24 and above)")
    max_segments: int = _choice("BAD-RING-34", "most buffers a chain may have")
    chain_limit_counts: Literal["table", "whole_chain"] = _choice(
        "VRING-DESC-04", "whether a loop is found per descriptor table or by max_segments alone"
    )
    zero_length_descriptor: Literal["stop", "accept"] = _choice("DIS-4", "what a zero-length descriptor does")
    writable_before_readable: Literal["stop", "accept"] = _choice(
        "VRING-DESC-05", "what a readable descriptor after a writable one does"
    )
    indirect_not_negotiated: Literal["table", "stop"] = _choice(
        "DIS-7", "what INDIRECT means when the feature was not negotiated"
    )
    indirect_after_direct: Literal["table", "data"] = _choice(
        "DIS-5", "what INDIRECT means on a descriptor that is not the first"
    )
    indirect_with_next: Literal["ignored", "resume"] = _choice(
        "VRING-IND-03", "what NEXT means beside INDIRECT (resume: back to the main table afterwards)"
    )
    nested_indirect: Literal["stop", "data"] = _choice("VRING-IND-02", "what INDIRECT means inside a table")
    broken: Literal["queue", "device"] = _choice("VPCI-STAT-14", "what a malformed chain stops until reset")
    available_jump: Literal["stop", "in_flight_limit"] = _choice(
        "BAD-RING-01",
        "when an available index too far ahead stops the queue: at once, or once the ring is full",
    )
    requests_overlap: bool = _choice(
        "VRING-US-06",
        "whether requests wait for the media side by side, so that a bad chain voids earlier ones",
    )
    idle_flushes: Literal["in_order", "reversed"] = _choice(
        "VRING-US-06", "order in which the flushes of one batch complete when nothing was written before"
    )
    waits_for_driver_ok: tuple[str, ...] = _choice(
        "VPCI-STAT-11", "devices whose data queues are not served before DRIVER_OK"
    )
    driver_ok_kicks: tuple[str, ...] = _choice(
        "VPCI-Q-17", "devices that look into all their queues when DRIVER_OK is set"
    )
    early_notify_kicks: tuple[str, ...] = _choice(
        "VPCI-STAT-11", "devices that a notification before DRIVER_OK makes look into all their queues"
    )
    interrupts_after_drain: tuple[str, ...] = _choice(
        "VRING-INT-03",
        "devices that interrupt only when no chain waits any more, and decide on it then but for EVENT_IDX",
    )
    interrupts_anyway: tuple[str, ...] = _choice(
        "VRING-INT-01",
        "devices that interrupt after each look into a queue, even when they could use no chain",
    )
    stopped_supply: Literal["waits", "counts"] = _choice(
        "VPCI-STAT-14",
        "what a stopped device does that has something to say: waits, or counts the buffers, takes none "
        "when there are enough, and loses it",
    )
    survey_limit: Literal["each_chain", "all_chains"] = _choice(
        "VRING-DESC-04", "what may have no more descriptors than the queue when buffers are counted ahead"
    )
    used_flags: Literal["zero", "toggles"] = _choice(
        "VRING-KICK-01", "whether used.flags asks for no kicks while the function drains the ring"
    )
    avail_event: Literal["after_drain", "per_chain", "any"] = _choice(
        "VRING-KICK-05",
        "when avail_event is written with EVENT_IDX (any: after a drain, and on the way with any value)",
    )
    first_decision: Literal["interrupts", "by_event"] = _choice(
        "VRING-INT-03",
        "with EVENT_IDX: whether the first used buffers after a start interrupt in any case",
    )

    # --- on the bus: what only the judge of packets asks
    dma_attributes: Literal["none", "data"] = _choice(
        "VPCI-INT-16",
        "whether packets for buffers carry Relaxed Ordering or No Snoop where Device Control allows it",
    )
    available_reads: Literal["exact", "any"] = _choice(
        "VRING-AV-06",
        "what is read of an available ring: what is needed, each slot once and in order, or anything in it; "
        "a slot counts only if an index read with it or before exposed it",
    )
    descriptor_reads: Literal["exact", "any"] = _choice(
        "VRING-DESC-12",
        "what is read of a descriptor table: what a chain has led to, once, or anything in it; a descriptor "
        "counts only for chains exposed by then, its first copy only",
    )
    read_granule: int = _choice(
        "BAD-DEV-09", "bytes of the aligned blocks that a read may take whole when it needs a part (1: none)"
    )
    other_reads: tuple[Literal["flush", "used_ring", "writable_buffers"], ...] = _choice(
        "BAD-DEV-09", "reads that are made although they bring nothing new (flush: a read of no byte)"
    )
    reads_under_way: int = _choice(
        "VRING-US-10", "how many reads at most follow when a queue must stop: those on their way"
    )
    answer_writes: Literal["in_order", "once", "until_used"] = _choice(
        "VRING-US-03",
        "how writable buffers are written: each byte once, data before status; in any order; or anything any "
        "number of times, and what is there with the used element counts",
    )
    used_elements: Literal["in_order", "until_index"] = _choice(
        "VRING-US-03",
        "how used elements are written: once, slot by slot, after all else of their chain; or so that all is "
        "right with the used index",
    )
    completion_order: Literal["in_order", "any"] = _choice(
        "VRING-US-06", "whether chains are used in the order in which they were made available"
    )
    gives_back: tuple[Literal["malformed", "unread"], ...] = _choice(
        "VRING-US-10",
        "chains that are given back and do not stop their queue: malformed ones, with length 0; those with "
        "a buffer that cannot be read, with an error for their status",
    )
    chains_in_flight: int = _choice(
        "BAD-RING-26",
        "most chains whose slot was read and that are not used yet (0: as many as the ring has)",
    )
    polls: bool = _choice(
        "VPCI-Q-17", "whether the available index is looked at without a kick, from DRIVER_OK on"
    )
    interrupt_delay_ns: int = _choice(
        "VRING-INT-01", "longest time for which interrupts of queues are held back to send one for several"
    )
    spurious_interrupts: int = _choice(
        "VRING-INT-01", "most interrupts of a queue without a cause between two that have one"
    )

    # --- device configuration
    config_latency_ns: int = _choice(
        "VPCI-REG-18",
        "ns after a change of the media for which the device configuration may still show the old one, as "
        "long as nothing tells of the new one",
    )
    config_write_takes: Literal["written_bytes", "last_read"] = _choice(
        "BAD-REG-25",
        "what a configuration write stores: its bytes, or the last read content with them put in",
    )

    # --- block
    block_features: int = _choice("VBLK-02", "block feature bits offered, RO (5) and MQ (12) aside")
    block_any_layout: bool = _choice("VPCI-STAT-19", "whether block offers ANY_LAYOUT too")
    block_config_length: int = _choice("VBLK-03", "bytes of block configuration")
    block_seg_max: int = _choice("VBLK-23", "seg_max, 0 for the queue size - 2")
    block_geometry: bool = _choice("VBLK-03", "whether geometry is reported, else zeros")
    block_id: Literal["padded", "terminated"] = _choice(
        "VBLK-14", "GET_ID gives 20 bytes padded with NUL, or the serial and one NUL"
    )
    block_scsi: Literal["unsupported", "refused_with_errors"] = _choice(
        "VBLK-19", "SCSI commands: unknown type, or refused with errors = 255 in their own header"
    )
    block_unoffered: Literal["refused", "served"] = _choice(
        "VBLK-15", "DISCARD, WRITE_ZEROES and a written cache mode without their feature bits being offered"
    )
    block_used_length: Literal["written_prefix", "whole_buffer"] = _choice(
        "VRING-US-04", "used length of a block request: bytes really written first, or all writable ones"
    )

    # --- net
    net_features: int = _choice("VNET-02", "network feature bits offered")
    net_config_length: int = _choice("VNET-04", "bytes of network configuration")
    net_header_follows: Literal["features", "last_feature_write"] = _choice(
        "VNET-06", "whether the header length falls back to 10 bytes with reset, or at the next feature write"
    )
    net_without_link: Literal["serves", "returns_unread"] = _choice(
        "VNET-29", "what becomes of transmit requests without a link: served as ever, or given back unread"
    )
    net_early_frame: Literal["kept", "lost"] = _choice(
        "VNET-13", "what becomes of a waiting frame when DRIVER_OK is set, or its queue notified before"
    )
    net_short_frame: Literal["stop", "drop"] = _choice(
        "VNET-11", "what a transmit request does that ends with its header"
    )

    # --- console
    console_features: int = _choice("VCON-02", "console feature bits offered")
    console_config_length: int = _choice("VCON-03", "bytes of console configuration")
    console_looks_ahead: bool = _choice(
        "VCON-05", "whether a port counts its empty buffers before there is input, which finds bad chains"
    )

    # --- balloon
    balloon_features: int = _choice("VBAL-02", "balloon feature bits offered")
    balloon_config_length: int = _choice("VBAL-04", "bytes of balloon configuration")

    @classmethod
    def from_toml(cls, path: Path) -> Profile:
        """Load a profile. Raises ``ProfileError`` naming the file and each wrong, unknown, missing field."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProfileError(f"{path}: is no TOML: {error}") from error
        faults = _faults(values)
        if faults:
            raise ProfileError("\n".join(f"{path}: {fault}" for fault in faults))
        checked: dict[str, Any] = {name: frozen(value) for name, value in values.items()}
        refused = impossible(checked)
        if refused:
            raise ProfileError("\n".join(f"{path}: {fault}" for fault in refused))
        return cls(**checked)


def choose(base: Profile, choices: Mapping[str, Any], *, name: str) -> Profile:
    """`base` under another name with some `choices` made otherwise, as TOML has them.

    Raises ``ProfileError`` naming each field that is unknown or of the wrong kind.
    """
    known = {f.name for f in fields(Profile)}
    faults = [f"{choice} is no field of a profile" for choice in sorted(choices.keys() - known)]
    for choice in sorted(known & choices.keys()):
        fault = type_fault(_TYPES[choice], choices[choice])
        if fault:
            faults.append(f"{choice} {fault}, not {choices[choice]!r}")
    if faults:
        raise ProfileError("; ".join(faults))
    values = {each: getattr(base, each) for each in known}
    values |= {"name": name, **{choice: frozen(value) for choice, value in choices.items()}}
    refused = impossible(values)
    if refused:
        raise ProfileError("; ".join(refused))
    return Profile(**values)


_TYPES: dict[str, Any] = get_type_hints(Profile)


def _faults(values: Mapping[str, Any]) -> list[str]:
    known = {f.name for f in fields(Profile)}
    faults = [f"{name} is no field of a profile" for name in sorted(values.keys() - known)]
    faults += [f"{name} is missing" for name in sorted(known - values.keys())]
    for name in sorted(known & values.keys()):
        fault = type_fault(_TYPES[name], values[name])
        if fault:
            faults.append(f"{name} {fault}, not {values[name]!r}")
    return faults


def _shipped(name: str) -> Profile:
    return Profile.from_toml(SHIPPED / f"{name}.toml")


QEMU_7_2 = _shipped("qemu_7_2")
QEMU_2011 = _shipped("qemu_2011")
BHYVE = _shipped("bhyve")
VIRTIO_PCI_RTL = _shipped("virtio_pci_rtl")

PROFILES = {profile.name: profile for profile in (VIRTIO_PCI_RTL, QEMU_7_2, QEMU_2011, BHYVE)}


def load_profile(name: str) -> Profile:
    """The shipped profile ``name`` (any case), or the one in the TOML file of that path."""
    shipped = PROFILES.get(name.upper())
    if shipped is not None:
        return shipped
    path = Path(name)
    if path.suffix != ".toml":
        raise ProfileError(f"{name} is no shipped profile ({', '.join(PROFILES)}) and no TOML file")
    return Profile.from_toml(path)
