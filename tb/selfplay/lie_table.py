"""The table of lies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lie:
    """`what` is done once; `rules` are those by which it must be told; `needs` names what a bout must offer.

    Needs are names of choices, and `msix`, `intx`, `event_idx`, `no_event_idx`,
    `calm` (no suppression of interrupts).
    """

    name: str
    what: str
    rules: str
    needs: tuple[str, ...] = ()


# What the guest wishes to be told of, by its flags, its event index, or the empty ring.
_WISH = "VRING-INT-01 VRING-INT-02 VRING-INT-05"
_FORM = (
    Lie("requester_id", "a packet carries the id of another device", "BAD-DEV-18"),
    Lie("function_number", "a packet carries the id of another function", "BAD-DEV-18"),
    Lie("traffic_class", "a packet has a traffic class", "VPCI-INT-16"),
    Lie("attribute_not_allowed", "a packet asks for ID-based ordering", "VPCI-INT-16"),
    Lie("poisoned_write", "a DMA write is poisoned", "BAD-DEV-18"),
    Lie("digest", "a packet announces a digest", "BAD-DEV-18"),
    Lie("wide_address", "a 4-DW header for an address below 4 GiB", "BAD-DEV-18"),
    Lie("enables_with_hole", "the byte enables of a long read leave a hole", "BAD-DEV-18"),
    Lie("last_enables", "last byte enables on a packet of one DW", "BAD-DEV-18"),
    Lie("no_last_enables", "no last byte enables on a longer packet", "BAD-DEV-18"),
    Lie("crosses_page", "a read crosses a 4 KiB boundary", "BAD-DEV-18"),
    Lie("payload_short", "a write has less payload than its header says", "BAD-DEV-18"),
    Lie("io_write", "a DMA write becomes an I/O write", "BAD-DEV-18"),
    Lie("locked_read", "a DMA read is locked", "BAD-DEV-18"),
    Lie("over_the_limit", "a packet is larger than Device Control allows", "VFIO-16"),
    Lie("tag_in_use", "a tag is used again before its read is answered", "BAD-DEV-18"),
    Lie("dead_tag_used", "the tag of a read given up is used again at once", "BAD-DEV-18", ("dma_faults",)),
    Lie("tag_too_large", "a tag above those that Device Control allows", "BAD-DEV-18"),
    Lie("dma_without_bus_master", "DMA goes on without bus master", "PCI-CFG-14", ("bus_master_gaps",)),
    Lie(
        "bad_answer_used",
        "a read that failed is taken for good",
        "BAD-RING-37 VRING-US-03 block",
        ("dma_faults",),
    ),
)
_ANSWERS = (
    Lie("config_value", "a bit of configuration space reads wrong", "configuration"),
    Lie("register_value", "a bit of a register reads wrong", "register"),
    Lie("table_value", "a bit of the MSI-X table reads wrong", "PCI-MSIX-03", ("msix",)),
    Lie("pending_value", "a pending bit is invented", "PCI-MSIX-04", ("msix",)),
    Lie("isr_value", "the ISR reads a bit that was never set", "VPCI-INT-02"),
    Lie("isr_empty", "the ISR reads 0 though a cause was told by INTx", "VPCI-INT-02", ("intx", "calm")),
    Lie(
        "interrupt_status",
        "Interrupt Status is the wrong way round",
        "PCI-CFG-05 PCI-CFG-13 VPCI-INT-17 VPCI-INT-02",
    ),
    Lie(
        "error_missing",
        "an error on a DMA read does not show in the Status register",
        "PCI-CFG-05",
        ("dma_faults",),
    ),
    Lie("error_invented", "the Status register shows an error that never was", "PCI-CFG-05"),
    Lie(
        "request_error_missing",
        "Unsupported Request Detected is not set",
        "PCI-FLR-07 PCI-CFG-05",
        ("wild_accesses",),
    ),
    Lie("pending_clear", "Transactions Pending is clear while reads wait", "PCI-FLR-07", ("slow_answers",)),
    Lie("pending_stuck", "Transactions Pending stays set", "PCI-FLR-07"),
    Lie("completion_dropped", "an access is never completed", "PCI-CFG-01"),
    Lie("completion_twice", "an access is completed twice", "VPCI-DISC-09"),
    Lie("completion_tag", "a completion has the wrong tag", "VPCI-DISC-09"),
    Lie("completion_requester", "a completion has the wrong requester id", "VPCI-DISC-09"),
    Lie("completion_id", "a completion has the wrong completer id", "VPCI-DISC-09"),
    Lie("completion_count", "a completion has the wrong byte count", "VPCI-DISC-09"),
    Lie("completion_lower", "a completion has the wrong lower address", "VPCI-DISC-09"),
    Lie("completion_attributes", "a completion has attributes of its own", "VPCI-DISC-09"),
    Lie("completion_class", "a completion has a traffic class of its own", "VPCI-DISC-09"),
    Lie("completion_poisoned", "a completion is poisoned", "VPCI-DISC-09"),
    Lie("completion_refused", "a good access is refused", "PCI-CFG-01"),
    Lie("refusal_hidden", "an access that nobody decodes succeeds", "VPCI-REG-23", ("wild_accesses",)),
    Lie("completion_data", "a write is answered with data, or a read without", "VPCI-DISC-09 BAD-DEV-18"),
    Lie("completion_off_boundary", "a part of a completion ends off the boundary", "VPCI-DISC-09", ("msix",)),
    Lie("isr_kept", "reading the ISR does not clear it", "VPCI-INT-02 PCI-INT-01 PCI-CFG-05 VPCI-INT-17"),
    Lie(
        "deassert_late",
        "Deassert_INTA follows the completion of the ISR read",
        "VPCI-INT-02 PCI-INT-01 VPCI-STAT-08 PCI-CFG-13",
        ("intx", "calm", "prompt_line"),
    ),
    Lie("select_lost", "a write to QUEUE_SELECT is lost", "VPCI-REG-21"),
    Lie("vector_lost", "a write to a vector register is lost", "VPCI-INT-10", ("msix",)),
    Lie("command_lost", "a write to Command is lost", "PCI-CFG-03 PCI-CFG-05 PCI-CFG-01"),
    Lie("entry_lost", "a write to the MSI-X table is lost", "PCI-MSIX-03", ("msix",)),
    Lie("status_lost", "a write to the status register is lost", "VPCI-STAT-13"),
    Lie("reset_keeps_features", "reset leaves the features", "VPCI-STAT-06 VPCI-STAT-17"),
    Lie(
        "dma_after_reset",
        "DMA goes on after the completion of a reset",
        "VPCI-STAT-04 BAD-DEV-08 BAD-DEV-09 VPCI-Q-16",
    ),
)
_QUEUE = (
    Lie("slot_early", "a slot is read before the index that shows it", "VRING-AV-06"),
    Lie("slot_skipped", "a slot is left out", "VRING-AV-03 VRING-AV-06"),
    Lie("index_half_read", "half the available index is read", "VPCI-Q-15"),
    Lie("descriptor_twice", "a descriptor is fetched twice", "VRING-DESC-12"),
    Lie("descriptor_other", "a descriptor is read that no chain has led to", "VRING-AV-06 VRING-DESC-12"),
    Lie("reads_writable", "a writable buffer is read", "VRING-DESC-02"),
    Lie("reads_elsewhere", "memory is read that was given to nobody", "BAD-DEV-09"),
    Lie("writes_readable", "a readable buffer is written", "VRING-DESC-02"),
    Lie("writes_descriptor", "the descriptor table is written", "BAD-DEV-08"),
    Lie("writes_available", "the available ring is written", "BAD-DEV-08"),
    Lie("writes_beyond", "memory behind the used ring is written", "BAD-DEV-08"),
    Lie("writes_elsewhere", "memory is written that was given to nobody", "BAD-DEV-08"),
    Lie("data_byte", "a byte of the answer is wrong", "block"),
    Lie("data_dropped", "a part of the answer is not written", "VRING-US-03"),
    Lie("data_shifted", "an answer is written 4 bytes on", "block VRING-US-04 BAD-DEV-08 VRING-DESC-02"),
    Lie("status_value", "the status byte is wrong", "block"),
    Lie("status_dropped", "the status byte is not written", "VRING-US-03"),
    Lie("status_early", "the status is written before the disk has answered", "block"),
    Lie("used_early", "a chain is used before its answer is written", "VRING-US-03"),
    Lie("used_too_long", "the used length is larger than the buffers", "BAD-DEV-04"),
    Lie("used_length", "the used length is wrong", "VRING-US-04"),
    Lie("used_head", "a used element names a head that is not in flight", "BAD-DEV-02 VRING-US-05"),
    Lie("used_head_past", "a used element names a head past the queue", "BAD-DEV-01"),
    Lie("used_twice", "a chain is used twice", "VRING-US-05"),
    Lie("used_never", "a chain is never used", "BAD-DEV-11"),
    Lie("taken_never", "a chain is never taken", "BAD-DEV-11 VPCI-Q-17"),
    Lie("element_slot", "a used element goes to the wrong slot", "VRING-US-03"),
    Lie("element_late", "the used index goes ahead of its element", "VRING-US-03"),
    Lie("index_skips", "the used index skips one", "VRING-US-03"),
    Lie("index_again", "the used index is written without an advance", "VRING-US-05"),
    Lie("index_half", "half the used index is written", "BAD-DEV-17"),
    Lie("index_joined", "an element lies in one packet with the index", "VRING-US-03"),
    Lie("index_never", "the used index is never written", "VRING-US-03 VPCI-Q-17"),
    Lie("flags_wrong", "used.flags gets a value it must not have", "VRING-US-09 VRING-KICK-01"),
    Lie("event_wrong", "avail_event is not what was taken", "VRING-KICK-02", ("event_idx",)),
    Lie("event_not_asked", "avail_event is written without EVENT_IDX", "VRING-KICK-03", ("no_event_idx",)),
    Lie("event_missing", "avail_event is not written", "VRING-KICK-05", ("event_idx",)),
    Lie(
        "no_second_look",
        "the index is not read again after avail_event",
        "VRING-AV-09 BAD-DEV-11",
        ("event_idx",),
    ),
    Lie("kick_ignored", "a kick is ignored", "VPCI-Q-17"),
    Lie("kick_late", "a kick is served 2 ms late", "VPCI-Q-17"),
    Lie("queue_starved", "one queue is left waiting while others are served", "VPCI-Q-17 BAD-DEV-11"),
    Lie("suppression_not_read", "the guest's suppression is not read after a used index", "VRING-INT-04"),
    Lie("served_when_stopped", "a malformed chain does not stop the queue", "stop", ("malformed_chains",)),
)
_INTERRUPTS = (
    Lie(
        "message_missing",
        "from here on messages are not sent",
        f"{_WISH} PCI-MSIX-04 VPCI-INT-02",
        ("msix", "calm"),
    ),
    Lie("message_twice", "a message is sent twice", f"{_WISH} VPCI-INT-16", ("msix",)),
    Lie(
        "message_unwanted",
        "a message is sent though the guest wants none",
        f"{_WISH} VPCI-INT-16",
        ("msix",),
    ),
    Lie("message_data", "a message carries other data", "PCI-MSIX-16", ("msix",)),
    Lie("message_address", "a message goes elsewhere", "BAD-DEV-08", ("msix",)),
    Lie("message_enables", "a message is not a whole DW", "PCI-MSIX-18", ("msix",)),
    Lie(
        "message_masked",
        "a message is sent while its vector is masked",
        "PCI-MSIX-07 PCI-MSIX-10 PCI-CFG-14 PCI-MSIX-16",
        ("msix",),
    ),
    Lie(
        "message_vector",
        "a message of another vector is sent",
        f"VPCI-INT-08 {_WISH} VPCI-INT-16",
        ("msix",),
    ),
    Lie("message_early", "a message goes ahead of the used index", "VPCI-INT-16", ("msix", "calm")),
    Lie("message_late", "a message is sent 2 ms late", _WISH, ("msix", "calm")),
    Lie(
        "unmasked_lost",
        "a pending message is lost when unmasked",
        f"PCI-MSIX-08 PCI-MSIX-04 {_WISH}",
        ("msix",),
    ),
    Lie(
        "assert_missing",
        "from here on Assert_INTA is not sent",
        "VPCI-INT-17 PCI-CFG-13 VPCI-INT-02",
        ("intx", "calm"),
    ),
    Lie("assert_early", "Assert_INTA goes ahead of the used index", "VPCI-INT-16", ("intx", "calm")),
    Lie("assert_twice", "Assert_INTA is sent twice", "PCI-INT-01", ("intx", "calm")),
    Lie(
        "assert_disabled",
        "Assert_INTA is sent while Interrupt Disable is set",
        f"PCI-CFG-12 {_WISH} VPCI-INT-16",
        ("intx",),
    ),
    Lie(
        "assert_under_msix",
        "Assert_INTA is sent while MSI-X is enabled",
        f"PCI-INT-02 {_WISH}",
        ("msix",),
    ),
    Lie("other_line", "INTB is asserted", "PCI-INT-01", ("intx", "calm")),
    Lie(
        "deassert_missing",
        "Deassert_INTA is never sent",
        "PCI-INT-01 VPCI-INT-02 VPCI-STAT-08 PCI-INT-03 PCI-CFG-13",
        ("intx", "calm", "prompt_line"),
    ),
    Lie("deassert_early", "Deassert_INTA is sent while the cause stands", "PCI-INT-01", ("intx", "calm")),
    Lie(
        "config_interrupt_missing",
        "a configuration change is not told",
        f"VPCI-STAT-24 {_WISH} VPCI-INT-17",
        ("resizes",),
    ),
    Lie(
        "config_interrupt_early",
        "a configuration change is told before it shows",
        "VPCI-REG-18 VBLK-03",
        ("resizes", "config_shows_late", "config_latency"),
    ),
    Lie(
        "config_old_again",
        "the old configuration shows again after the new one",
        "VPCI-REG-18 VBLK-03",
        ("resizes", "config_shows_late", "config_latency"),
    ),
    Lie(
        "config_torn",
        "the halves of the capacity change apart",
        "VPCI-REG-18 VBLK-03",
        ("resizes", "config_shows_late", "config_latency"),
    ),
)
_DISK = (
    Lie("disk_sector", "the disk is asked for another sector", "block"),
    Lie("disk_count", "the disk is asked for one sector more", "block"),
    Lie("disk_operation", "the disk is asked for something else", "block"),
    Lie("disk_data", "the disk gets a wrong byte", "block"),
    Lie("disk_short", "the disk gets too little", "block"),
    Lie("disk_twice", "the disk is asked twice for one request", "block"),
    Lie("disk_unasked", "the disk is asked for what no request asks for", "block"),
    Lie(
        "disk_after_fault",
        "a write whose data could not be read reaches the disk as zeros",
        "block",
        ("dma_faults", "disk_asked_early"),
    ),
)
LIES = {lie.name: lie for lie in (*_FORM, *_ANSWERS, *_QUEUE, *_INTERRUPTS, *_DISK)}
UNTOLD = frozenset({
    "disk_after_fault", "kick_ignored", "kick_late", "queue_starved", "message_masked", "unmasked_lost",
    "config_interrupt_missing", "config_interrupt_early", "config_old_again", "config_torn", "no_second_look",
    "isr_kept", "bad_answer_used", "index_never", "used_never", "error_invented", "error_missing",
    "deassert_late", "dma_after_reset", "message_late",
})  # fmt: skip
"""Lies that need not be told each time.

What is late or missing may be missed by no one; what is masked may be on its way. A lie that is told in none
of many bouts is a hole of the judge all the same.
"""
FAMILIES = {
    "stop": ("BAD-RING", "BAD-BLK", "VRING-DESC", "VRING-IND", "VRING-AV-04"),
    "block": ("VBLK-",),
    "register": ("VPCI-REG", "VPCI-STAT", "VPCI-Q-0", "VPCI-INT-1"),
    "configuration": ("PCI-CFG", "PCI-BAR", "PCI-MSIX-0", "VPCI-DISC", "PCI-FLR-01"),
}
"""How the rules begin that a word in `rules` stands for.

They are those of chain errors, of the disk's requests, of BAR0, of configuration space.
"""
