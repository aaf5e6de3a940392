"""Everything a correct function and a correct host may choose, by name; each bout draws some, and how often.

A choice with `accused_by` is legal, and the judge does not know it yet: the rules name its verdict.
Such a choice is
drawn only when it is asked for by name.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LATENCY_NS = 3_000
"""Longest time that a delayed interrupt takes."""
TIMEOUT_NS = 60_000
"""After this time a read is given up."""
MODERATION_NS = 30_000
"""For how long interrupts are held back where they are moderated."""
STRENGTHS = (0.05, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """`what` is chosen where the choice is on; `accused_by` names the rules by which the judge wrongly
    accuses it.
    """

    name: str
    what: str
    accused_by: str = ""


_FUNCTION = (
    Choice("split_reads", "a DMA read is cut at any byte"),
    Choice("split_writes", "a DMA write is cut at any byte"),
    Choice("slots_together", "several available slots in one read"),
    Choice("chains_overlap", "several chains of a queue are in work at once and end in any order"),
    Choice("table_at_once", "an indirect table is read whole"),
    Choice("header_early", "the header is read while the chain is still walked"),
    Choice("header_with_data", "the header and the data behind it in one read"),
    Choice("data_ahead", "readable data are read before the header says what they are for"),
    Choice("disk_asked_early", "the disk is asked for a write before all its data have come"),
    Choice("data_any_order", "the data of a request are written in any order"),
    Choice("used_together", "one used index for several elements"),
    Choice("elements_joined", "neighbouring used elements in one packet"),
    Choice("index_with_flags", "flags and index of the available ring in one read"),
    Choice("one_look", "one look at the guest's suppression for several used indices"),
    Choice("looks_again", "the available index is read again without a kick"),
    Choice("completions_overtake", "completions of different accesses overtake each other"),
    Choice("completion_parts", "a memory read is completed in several parts"),
    Choice("interrupt_delayed", "an interrupt takes effect some µs after its cause"),
    Choice("message_each", "two causes of one vector under way make two messages"),
    Choice("finishes_when_stopped", "a queue that must stop still gives back what it has served"),
    Choice(
        "finishes_behind",
        "so does a chain behind the one for which it must stop",
        "VRING-DESC-03 BAD-RING-37",
    ),
    Choice(
        "loops_counted",
        "a loop is found by counting while chains behind it are in work",
        "VRING-DESC-03",
    ),
    Choice("errors_show_late", "an error shows in its bit some 100 ns after its packet"),
    Choice("config_shows_late", "a changed configuration shows some 100 ns after the change"),
    Choice("relaxed_ordering", "Relaxed Ordering on data, where Device Control allows it"),
    Choice("no_snoop", "No Snoop, where Device Control allows it"),
    Choice("status_first", "the status byte is written before the data"),
    Choice("bytes_twice", "the same bytes are written twice"),
    Choice("zeros_first", "a buffer is cleared before it is filled"),
    Choice("elements_any_order", "the used elements of one index in any order"),
    Choice("available_line", "the available ring is read by lines of 64 bytes"),
    Choice("index_with_slots", "flags, index and slots in one read"),
    Choice("descriptors_ahead", "several descriptors of the queue's table in one read", "BAD-DEV-09 VBLK-06"),
    Choice(
        "table_read_on",
        "the rest of an indirect table is read after the chain has ended",
        "BAD-DEV-09 BAD-DEV-08",
    ),
    Choice("flush_read", "a read of no bytes flushes what was written before"),
    Choice("used_index_read", "the function reads its own used index"),
    Choice("looks_at_driver_ok", "the available index is read when DRIVER_OK is set"),
    Choice("moderated", "interrupts are held back for some 10 µs and joined"),
    Choice("spurious_message", "now and then a message without a cause", "VRING-INT-01 VPCI-INT-02"),
    Choice("message_for_all", "as many messages of one vector as causes, however many are under way"),
    Choice("late_when_unmasked", "a message released by an unmasking leaves behind other packets"),
    Choice("id_of_writes", "bus and device number are those of the last configuration write"),
    Choice("pending_now", "Transactions Pending is sampled once, between two reads", "PCI-FLR-07"),
    Choice(
        "silent_when_stopped",
        "a queue that must stop does not interrupt for what it has given back",
        "VRING-INT-01",
    ),
    Choice(
        "looks_overlap",
        "looks at the guest's suppression overlap, and each decides",
        "VRING-INT-01 VPCI-INT-16",
    ),
    Choice(
        "limits_late",
        "a request is held against the capacity some time after its header came",
        "VRING-US-03 VBLK-06",
    ),
)
_HOST = (
    Choice("slow_answers", "DMA reads are answered after some µs"),
    Choice("answers_overtake", "answers of different reads overtake each other"),
    Choice("answer_parts", "answers come in parts"),
    Choice("answers_of_128", "parts end at multiples of 128 bytes"),
    Choice("accesses_overlap", "the host does not wait for one completion before the next request"),
    Choice("slow_disk", "the disk answers after some µs"),
    Choice("dma_faults", "a DMA read is refused, spoilt, cut short or never answered"),
    Choice("late_answers", "a DMA read is answered after the function has given it up"),
    Choice("stray_answers", "completions come that nobody has asked for"),
    Choice("disk_faults", "the disk refuses a request"),
    Choice("malformed_chains", "a driver makes chains that no driver makes"),
    Choice("resizes", "the disk changes its capacity"),
    Choice("resize_in_reset", "the disk changes its capacity while a reset is under way", "VRING-INT-01"),
    Choice("equal_requests", "requests in flight that the disk cannot tell one from the other", "VBLK-06"),
    Choice(
        "posted_bursts",
        "a hundred posted writes at once, executed some 10 µs later",
        "PCI-MSIX-16 VRING-INT-01",
    ),
    Choice("wild_accesses", "accesses of any width to any register"),
    Choice("power_cycles", "the function is reset by its pin"),
    Choice("bus_master_gaps", "bus master is taken away and given back"),
    Choice("limits_change", "Device Control changes while requests are under way"),
)
CHOICES = {choice.name: choice for choice in (*_FUNCTION, *_HOST)}
WIDE = frozenset({
    "relaxed_ordering", "no_snoop", "status_first", "bytes_twice", "zeros_first", "elements_any_order",
    "available_line", "index_with_slots", "descriptors_ahead", "table_read_on", "flush_read",
    "used_index_read", "looks_at_driver_ok", "looks_again", "moderated", "spurious_message",
})  # fmt: skip
"""Choices for which the profile makes the judge less strict: some lies would be none beside them."""
KNOWN = tuple(choice.name for choice in CHOICES.values() if not choice.accused_by)
UNKNOWN = tuple(choice.name for choice in CHOICES.values() if choice.accused_by)


@dataclass(slots=True)
class Settings:
    """What one bout has drawn: how often each choice is taken, and how long things last (largest delay,
    ns).
    """

    strength: Mapping[str, float]
    pace_ns: int = 100
    depth: int = 1
    answer_ns: int = 200
    disk_ns: int = 400
    gap_ns: int = 2_000
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def takes(self, name: str) -> bool:
        """Whether the choice is taken this time."""
        strength = self.strength[name]
        return strength > 0 and self.rng.random() < strength

    def has(self, name: str) -> bool:
        """Whether the choice is on at all in this bout."""
        return self.strength[name] > 0

    def wait(self) -> int:
        """A while between two steps of the function, ns."""
        return int(self.rng.random() * self.pace_ns)


def draw(rng: random.Random, allowed: Iterable[str]) -> Settings:
    """Settings of a bout that takes none but the `allowed` choices."""
    drawn = {name: rng.choice(STRENGTHS) if rng.random() < 0.5 else 0.0 for name in CHOICES}
    names = frozenset(allowed)
    strength = {name: value if name in names else 0.0 for name, value in drawn.items()}
    if strength["malformed_chains"]:  # the judge knows of a bad head as soon as its slot is read
        strength |= {"index_with_slots": 0.0, "available_line": 0.0}
    depth = rng.choice((2, 3, 8)) if strength["chains_overlap"] else 1
    return Settings(
        strength,
        pace_ns=rng.choice((60, 400, 1_200)),
        depth=depth,
        answer_ns=rng.choice((2_000, 4_000)) if strength["slow_answers"] else 400,
        disk_ns=rng.choice((3_000, 8_000)) if strength["slow_disk"] else 200,
        gap_ns=rng.choice((1_000, 8_000)),
        rng=random.Random(rng.random()),
    )
