"""The split ring as data: layout, chain walk, interrupt decision (VPCI-Q, VRING)."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

import pytest

from tb.models.profile import BHYVE, QEMU_7_2, VIRTIO_PCI_RTL, Profile
from tb.models.virtqueue import (
    DESC_INDIRECT,
    DESC_NEXT,
    DESC_WRITE,
    F_EVENT_IDX,
    F_NOTIFY_ON_EMPTY,
    Chain,
    ChainError,
    Fetch,
    RingLayout,
    Segment,
    event_crossed,
    needs_interrupt,
    walk_chain,
)

_DESCRIPTOR = Struct("<QIHH")
Descriptors = dict[int, tuple[int, int, int, int]]  # address of the descriptor -> its fields

TABLE = 0x9000


def walk(
    descriptors: Descriptors,
    profile: Profile = VIRTIO_PCI_RTL,
    *,
    size: int = 8,
    head: int = 0,
    negotiated: bool = True,
) -> tuple[Chain, list[Fetch]]:
    """Walk a chain of a queue at address 0; what is not in ``descriptors`` is zero."""
    walker = walk_chain(RingLayout.of(0, size), head, profile, indirect_negotiated=negotiated)
    fetches = []
    try:
        fetch = next(walker)
        while True:
            fetches.append(fetch)
            fetch = walker.send(_DESCRIPTOR.pack(*descriptors.get(fetch.address, (0, 0, 0, 0))))
    except StopIteration as done:
        return done.value, fetches


def refused(descriptors: Descriptors, profile: Profile = VIRTIO_PCI_RTL, **options: int) -> str:
    with pytest.raises(ChainError) as caught:
        walk(descriptors, profile, **options)  # type: ignore[arg-type]
    return caught.value.rule


@pytest.mark.parametrize(
    ("size", "available", "used"),
    [(1, 16, 4096), (128, 2048, 4096), (256, 4096, 8192), (32768, 524288, 593920)],
)
def test_layout_follows_worked_examples(size: int, available: int, used: int) -> None:
    layout = RingLayout.of(0, size)
    assert (layout.available, layout.used) == (available, used)
    assert layout.end == used + 6 + 8 * size


def test_layout_does_not_wrap_at_2_to_the_44() -> None:
    layout = RingLayout.of(0xFFFFFFFF, 32768)
    assert layout.descriptors == 0xFFFFFFFF000
    assert layout.end > 1 << 44


def test_slots_wrap_at_the_size_not_at_the_index() -> None:
    layout = RingLayout.of(1, 8)
    assert layout.available_slot(65535) == layout.available_slot(7)
    assert layout.used_element(65536 + 8) == layout.used_element(0)


def test_walk_gives_segments_in_order_and_fetches_each_descriptor_once() -> None:
    chain, fetches = walk(
        {
            0x30: (0x1000, 16, DESC_NEXT, 5),
            0x50: (0x2000, 512, DESC_NEXT | DESC_WRITE, 1),
            0x10: (0x3000, 1, DESC_WRITE, 0),
        },
        head=3,
    )
    assert chain == Chain(3, (Segment(0x1000, 16),), (Segment(0x2000, 512), Segment(0x3000, 1)), 16, 513)
    assert [fetch.index for fetch in fetches] == [3, 5, 1]


def test_indirect_table_ignores_write_and_keeps_head() -> None:
    descriptors = {
        0x00: (TABLE, 32, DESC_INDIRECT | DESC_WRITE, 0),
        TABLE: (0x1000, 4, DESC_NEXT, 1),
        TABLE + 16: (0x2000, 8, DESC_WRITE, 0),
    }
    chain, _ = walk(descriptors)
    assert (chain.head, chain.readable_length, chain.writable_length) == (0, 4, 8)


def test_direct_descriptors_may_come_before_a_table() -> None:
    descriptors = {
        0x00: (0x1000, 16, DESC_NEXT, 1),
        0x10: (TABLE, 16, DESC_INDIRECT, 0),
        TABLE: (0x2000, 8, DESC_WRITE, 0),
    }
    chain, _ = walk(descriptors)
    assert chain.writable == (Segment(0x2000, 8),)
    as_data, _ = walk(descriptors, QEMU_7_2)
    assert as_data.readable[1] == Segment(TABLE, 16)


def test_next_beside_indirect_is_ignored_or_resumes() -> None:
    descriptors = {
        0x00: (TABLE, 16, DESC_INDIRECT | DESC_NEXT, 1),
        TABLE: (0x2000, 8, DESC_WRITE, 0),
        0x10: (0x3000, 1, DESC_WRITE, 0),
    }
    assert walk(descriptors)[0].writable_length == 8
    assert walk(descriptors, BHYVE)[0].writable_length == 9


def test_table_in_a_table_stops_or_is_data() -> None:
    descriptors = {0x00: (TABLE, 16, DESC_INDIRECT, 0), TABLE: (0x2000, 16, DESC_INDIRECT, 0)}
    assert refused(descriptors) == "VRING-IND-02"
    assert walk(descriptors, QEMU_7_2)[0].readable == (Segment(0x2000, 16),)


def test_table_not_negotiated_stops_only_where_the_profile_says() -> None:
    descriptors = {0x00: (TABLE, 16, DESC_INDIRECT, 0), TABLE: (0x2000, 16, 0, 0)}
    assert walk(descriptors, negotiated=False)[0].readable_length == 16
    assert refused(descriptors, BHYVE, negotiated=False) == "VRING-IND-01"


@pytest.mark.parametrize("length", [0, 8, 20])
def test_table_length_must_be_whole_entries(length: int) -> None:
    assert refused({0x00: (TABLE, length, DESC_INDIRECT, 0)}) == "VRING-IND-06"


def test_head_and_next_must_lie_inside_their_table() -> None:
    assert refused({}, head=8) == "BAD-RING-03"
    assert refused({0x00: (0x1000, 1, DESC_NEXT, 8)}) == "BAD-RING-05"
    table = {0x00: (TABLE, 16, DESC_INDIRECT, 0), TABLE: (0x1000, 1, DESC_NEXT, 1)}
    assert refused(table) == "BAD-RING-05"


def test_loops_end() -> None:
    loop = {0x00: (0x1000, 1, DESC_NEXT, 1), 0x10: (0x1000, 1, DESC_NEXT, 0)}
    assert refused(loop) == "VRING-DESC-04"
    assert refused(loop, BHYVE) == "VRING-DESC-04"
    resuming = {0x00: (TABLE, 16, DESC_INDIRECT | DESC_NEXT, 0), TABLE: (0x1000, 1, 0, 0)}
    assert refused(resuming, replace(BHYVE, chain_limit_counts="table")) == "VRING-DESC-04"


def test_more_segments_than_the_limit_stop() -> None:
    table = {TABLE + 16 * i: (0x1000, 1, DESC_NEXT if i < 299 else 0, i + 1) for i in range(300)}
    assert refused({0x00: (TABLE, 16 * 300, DESC_INDIRECT, 0)} | table) == "VRING-DESC-04"


def test_zero_length_and_wrong_order_stop_unless_accepted() -> None:
    empty = {0x00: (0x1000, 0, 0, 0)}
    order = {0x00: (0x1000, 1, DESC_WRITE | DESC_NEXT, 1), 0x10: (0x2000, 1, 0, 0)}
    assert refused(empty) == "VRING-DESC-09"
    assert refused(order) == "VRING-DESC-05"
    assert walk(empty, BHYVE)[0].readable == (Segment(0x1000, 0),)
    assert walk(order, BHYVE)[0].readable == (Segment(0x2000, 1),)


def test_event_is_crossed_when_one_of_the_new_indices_equals_it() -> None:
    """The published formula against its meaning, over every wrap of the 16-bit index."""
    for old in range(0, 0x10000, 251):
        for moved in (0, 1, 2, 3, 255, 256, 32768, 65535):
            new = old + moved & 0xFFFF
            for event in (old - 1 & 0xFFFF, old, new - 1 & 0xFFFF, new, old + moved // 2 & 0xFFFF):
                passed = (event - old & 0xFFFF) < moved
                assert event_crossed(event, new, old) == passed, (event, new, old)
    for index in range(0x10000):
        following = index + 1 & 0xFFFF
        assert event_crossed(index, following, index)
        assert not event_crossed(following, following, index)


def test_interrupt_decision_by_flags_event_and_emptiness() -> None:
    def decide(features: int, *, flags: int = 0, old: int | None = 4, drained: bool = False) -> bool:
        return needs_interrupt(features, flags=flags, used_event=9, new=5, old=old, drained=drained)

    event_idx, on_empty = 1 << F_EVENT_IDX, 1 << F_NOTIFY_ON_EMPTY
    assert decide(0)
    assert not decide(0, flags=1)
    assert not decide(event_idx)
    assert not decide(event_idx, flags=1)
    assert decide(event_idx, old=None)
    assert decide(on_empty, flags=1, drained=True)
    assert not decide(on_empty, flags=1)
