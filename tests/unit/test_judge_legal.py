"""What a right function of another make may do, by a field of its profile, and what it may not even then.

Each `Legal` trace is clean under its choices, and told by the RTL's own strict profile. Each `Danger` is the
neighbour that looks like it and spoils something: told under the lenient profile too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import F_EVENT_IDX
from tests.unit import legal_steps as do
from tests.unit.by_hand import ByHand, played
from tests.unit.fake_function import RING, Fact, judged
from tests.unit.legal_steps import SIZE, USED

EVENT_IDX = 1 << F_EVENT_IDX
Facts = list[Fact]


@dataclass(slots=True, frozen=True)
class Legal:
    """`rule` is what the RTL's profile calls it; empty where the specification alone decides."""

    facts: Callable[[], Facts]
    rule: str
    choices: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Danger:
    """`rule` names it although `choices` allow its neighbour."""

    facts: Callable[[], Facts]
    rule: str
    choices: dict[str, Any]


def verdicts(facts: Facts, **choices: Any) -> list[Any]:
    return judged(facts, queue_size=SIZE, profile=replace(VIRTIO_PCI_RTL, **choices))


def by(steps: Callable[[ByHand], None], **options: Any) -> Callable[[], Facts]:
    return lambda: played(steps, **options)


SEVERAL = {"chains_in_flight": 0}
LENIENT = {"available_reads": "any", "descriptor_reads": "any"}
DELAY = {"interrupt_delay_ns": 20_000}

LEGAL = {
    "relaxed ordering on written data": Legal(
        do.marked(2, do.of_buffers), "VPCI-INT-16", {"dma_attributes": "data"}
    ),
    "no snoop on read data": Legal(do.marked(3, do.of_buffers, 1), "VPCI-INT-16", {"dma_attributes": "data"}),
    "status before data": Legal(by(do.status_first), "VRING-US-03", {"answer_writes": "once"}),
    "zeros first": Legal(by(do.zeros_first), "VBLK-06", {"answer_writes": "until_used"}),
    "zeros before the disk is asked": Legal(
        by(do.zeros_before_the_disk_is_asked), "VBLK-06", {"answer_writes": "until_used"}
    ),
    "the answer twice": Legal(by(do.twice), "VRING-US-04", {"answer_writes": "until_used"}),
    "flags, index and slots in one read": Legal(
        by(do.whole_ring, requests=3), "VRING-AV-06", SEVERAL | {"available_reads": "any"}
    ),
    "slots by the line": Legal(
        by(do.slots_by_line), "VRING-AV-06", {"available_reads": "any", "read_granule": 64}
    ),
    "slots backwards": Legal(
        by(do.slots_backwards, requests=2), "VRING-AV-03", SEVERAL | {"available_reads": "any"}
    ),
    "the whole table in one read": Legal(
        by(do.whole_table, requests=3), "VRING-AV-06", {"descriptor_reads": "any"}
    ),
    "the table behind a malformed chain": Legal(
        by(do.table_behind_a_malformed_chain), "VRING-AV-06", {"descriptor_reads": "any"}
    ),
    "descriptors by the line": Legal(
        by(do.descriptors_by_line, requests=2), "VRING-AV-06", {"descriptor_reads": "any"}
    ),
    "a line of a buffer": Legal(by(do.line_of_a_buffer), "BAD-DEV-09", {"read_granule": 64}),
    "a flush at the used ring": Legal(by(do.flush_at(USED)), "BAD-DEV-09", {"other_reads": ("flush",)}),
    "its own used index": Legal(by(do.used_index_read_back), "BAD-DEV-09", {"other_reads": ("used_ring",)}),
    "a writable buffer": Legal(
        by(do.writable_buffer_read), "VRING-DESC-02", {"other_reads": ("writable_buffers",)}
    ),
    "neighbouring buffers in one read": Legal(by(do.neighbours_at_once), ""),
    "data in any pieces": Legal(by(do.split_anywhere), ""),
    "byte enables with holes": Legal(by(do.holes), ""),
    "a look at DRIVER_OK": Legal(by(do.looking), "VPCI-Q-16", {"driver_ok_kicks": ("block",)}),
    "polling": Legal(by(do.looking), "VPCI-Q-16", {"polls": True}),
    "one message for three chains, later": Legal(by(do.moderated, requests=3), "VRING-INT-01", DELAY),
    "a do.spurious message": Legal(by(do.spurious(1)), "VRING-INT-01", {"spurious_interrupts": 1}),
    "a do.spurious Assert_INTA": Legal(
        by(do.spurious_line, msix=False), "VRING-INT-01", {"spurious_interrupts": 1}
    ),
    "used.do.flags that change": Legal(by(do.flags(1, 0)), "VRING-US-09", {"used_flags": "toggles"}),
    "used.do.flags of one that polls": Legal(
        by(do.flags(1, 1)), "VRING-US-09", {"used_flags": "toggles", "polls": True}
    ),
    "several in flight": Legal(by(do.in_flight, requests=3), "BAD-RING-26", SEVERAL),
    "out of order": Legal(
        by(do.last_first, requests=3), "VRING-US-06", {"completion_order": "any", "chains_in_flight": 0}
    ),
    "a batch in one packet": Legal(by(do.a_batch, requests=3), "BAD-RING-26", SEVERAL),
    "a batch with EVENT_IDX": Legal(
        by(do.a_batch, requests=3, features=EVENT_IDX), "BAD-RING-26", SEVERAL | {"polls": True}
    ),
    "a malformed chain given back": Legal(
        by(do.malformed_goes_back(0), requests=2), "VRING-DESC-09", {"gives_back": ("malformed",)}
    ),
    "a chain given back whose data could not be read": Legal(
        by(do.unread_goes_back(1), requests=2, kind=1), "BAD-RING-37", {"gives_back": ("unread",)}
    ),
    "a read with a hole": Legal(by(do.read_with_a_hole), ""),
    "avail_event that moderates kicks": Legal(
        by(do.far_event, features=EVENT_IDX), "VRING-KICK-02", {"avail_event": "any"}
    ),
    "elements backwards, the answers last": Legal(
        by(do.elements_backwards, requests=3),
        "VRING-US-03",
        {"used_elements": "until_index", "answer_writes": "until_used", "chains_in_flight": 0},
    ),
}

DANGER = {
    "relaxed ordering on the used ring": Danger(
        do.marked(2, do.of_used_ring), "VPCI-INT-16", {"dma_attributes": "data"}
    ),
    "relaxed ordering on a message": Danger(
        do.marked(2, do.is_message), "VPCI-INT-16", {"dma_attributes": "data"}
    ),
    "no snoop on a read of the rings": Danger(
        do.marked(1, lambda tlp: RING <= tlp.address < USED), "VPCI-INT-16", {"dma_attributes": "data"}
    ),
    "what Device Control forbids": Danger(
        do.forbidden_by_device_control, "VPCI-INT-16", {"dma_attributes": "data"}
    ),
    "id-based ordering": Danger(do.marked(4, do.of_buffers), "VPCI-INT-16", {"dma_attributes": "data"}),
    "status, and no data": Danger(by(do.status_without_data), "VRING-US-03", {"answer_writes": "once"}),
    "zeros last": Danger(by(do.zeros_last), "VBLK-06", {"answer_writes": "until_used"}),
    "zeros after used": Danger(by(do.zeros_after_used), "BAD-DEV-08", {"answer_writes": "until_used"}),
    "one byte short": Danger(by(do.one_byte_short), "VRING-US-03", {"answer_writes": "until_used"}),
    "a slot read before it was exposed": Danger(
        by(do.slot_read_early), "VRING-AV-06", SEVERAL | {"available_reads": "any"}
    ),
    "descriptors read before they were exposed": Danger(by(do.stale_descriptors), "BAD-DEV-09", LENIENT),
    "the second copy of a descriptor": Danger(by(do.second_copy), "BAD-DEV-08", LENIENT),
    "more than the line": Danger(by(do.beyond_the_line), "BAD-DEV-09", {"read_granule": 64}),
    "a flush elsewhere": Danger(by(do.flush_at(0x10_8000)), "BAD-DEV-09", {"other_reads": ("flush",)}),
    "its used index trusted": Danger(
        by(do.used_index_trusted), "VRING-US-03", {"other_reads": ("used_ring",)}
    ),
    "a look before DRIVER_OK": Danger(by(do.looking_early), "VPCI-Q-16", {"polls": True}),
    "a message held back for ever": Danger(by(do.silent), "VRING-INT-01", DELAY),
    "two do.spurious messages": Danger(by(do.spurious(2)), "VRING-INT-01", {"spurious_interrupts": 1}),
    "a do.spurious message of a masked vector": Danger(
        by(do.spurious(1, masked=True)), "PCI-MSIX-07", {"spurious_interrupts": 1}
    ),
    "a message before its time and none later": Danger(
        by(do.spurious_and_then_none), "VRING-INT-01", {"spurious_interrupts": 1}
    ),
    "used.do.flags left up": Danger(by(do.flags(1, 1)), "VRING-AV-08", {"used_flags": "toggles"}),
    "used.do.flags down and no look": Danger(
        by(do.flags(1, 0, look=False)), "VRING-AV-09", {"used_flags": "toggles"}
    ),
    "used.do.flags of 2": Danger(by(do.flags(2, 0)), "VRING-KICK-01", {"used_flags": "toggles"}),
    "used.do.flags with EVENT_IDX": Danger(
        by(do.flags(1, 0), features=EVENT_IDX), "VRING-KICK-01", {"used_flags": "toggles"}
    ),
    "a malformed chain given back with a length": Danger(
        by(do.malformed_goes_back(1), requests=2), "BAD-DEV-04", {"gives_back": ("malformed",)}
    ),
    "data that could not be read, and no error": Danger(
        by(do.unread_goes_back(0), requests=2, kind=1), "VBLK-06", {"gives_back": ("unread",)}
    ),
    "a hole over what nobody gave": Danger(by(do.hole_over_a_slot), "VRING-AV-06", {}),
    "avail_event left far ahead": Danger(
        by(do.far_event_left, features=EVENT_IDX), "VRING-KICK-05", {"avail_event": "any"}
    ),
    "a head twice": Danger(
        by(do.one_twice, requests=3), "VRING-US-05", SEVERAL | {"completion_order": "any"}
    ),
    "a chain that is forgotten": Danger(
        by(do.one_never, requests=3), "BAD-DEV-11", SEVERAL | {"completion_order": "any"}
    ),
    "more in flight than said": Danger(by(do.in_flight, requests=3), "BAD-RING-26", {"chains_in_flight": 2}),
    "the index before an element": Danger(
        by(do.index_before_an_element, requests=3), "VRING-US-03", SEVERAL | {"used_elements": "until_index"}
    ),
    "an element changed afterwards": Danger(
        by(do.element_changed_afterwards, requests=3),
        "VRING-US-03",
        SEVERAL | {"used_elements": "until_index"},
    ),
    "the answer after the index": Danger(
        by(do.answer_after_the_index),
        "VRING-US-03",
        {"used_elements": "until_index", "answer_writes": "until_used"},
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_is_not_accused(name: str) -> None:
    case = LEGAL[name]
    assert not [str(verdict) for verdict in verdicts(case.facts(), **case.choices)]


@pytest.mark.parametrize("name", LEGAL)
def test_the_strict_profile_tells_it(name: str) -> None:
    case = LEGAL[name]
    told = [verdict.rule for verdict in verdicts(case.facts())]
    assert case.rule in told if case.rule else not told


@pytest.mark.parametrize("name", DANGER)
def test_its_dangerous_neighbour_is_told_all_the_same(name: str) -> None:
    case = DANGER[name]
    assert case.rule in {verdict.rule for verdict in verdicts(case.facts(), **case.choices)}
