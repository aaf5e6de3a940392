"""The guest's split queue: what it puts into the ring, and what it refuses to believe from the device."""

from __future__ import annotations

import random
import struct

import pytest

from tb.guest.errors import GuestUsageError, UsedRingError
from tb.guest.memory import SparseMemory
from tb.guest.ring import RingAddresses, crossed
from tb.guest.virtqueue import SplitQueue

READABLE = [(0x50_0000, 16)]
WRITABLE = [(0x60_0000, 512), (0x60_0400, 1)]


class Device:
    """The other end of a ring, written by hand."""

    def __init__(self, memory: SparseMemory, ring: RingAddresses) -> None:
        self.memory = memory
        self.ring = ring
        self.used = 0

    def available_index(self) -> int:
        return int.from_bytes(self.memory.read(self.ring.available_index, 2), "little")

    def head(self, position: int) -> int:
        return int.from_bytes(self.memory.read(self.ring.available_slot(position), 2), "little")

    def descriptor(self, index: int, table: int | None = None) -> tuple[int, int, int, int]:
        base = self.ring.base if table is None else table
        address, length, flags, following = struct.unpack("<QIHH", self.memory.read(base + 16 * index, 16))
        return address, length, flags, following

    def use(self, head: int, length: int = 0) -> None:
        self.memory.write(self.ring.used_element(self.used), struct.pack("<II", head, length))
        self.used = (self.used + 1) & 0xFFFF
        self.memory.write(self.ring.used_index, self.used.to_bytes(2, "little"))

    def set_event(self, value: int) -> None:
        self.memory.write(self.ring.available_event, value.to_bytes(2, "little"))


def make(size: int = 8, *, event_idx: bool = False, indirect: bool = False) -> tuple[SplitQueue, Device]:
    memory = SparseMemory()
    queue = SplitQueue(memory, 0, size, event_idx=event_idx, indirect=indirect)
    return queue, Device(memory, queue.ring)


@pytest.mark.parametrize(
    ("size", "available", "used"),
    [(1, 16, 4096), (128, 2048, 4096), (256, 4096, 8192), (32768, 524288, 593920)],
)
def test_ring_parts_lie_where_the_specification_puts_them(size: int, available: int, used: int) -> None:
    ring = RingAddresses(size, 0)
    assert (ring.available, ring.used) == (available, used)
    assert ring.used_event == available + 4 + 2 * size
    assert ring.available_event == used + 4 + 8 * size


@pytest.mark.parametrize("size", [0, 3, 65536])
def test_a_size_no_ring_can_have_is_refused(size: int) -> None:
    with pytest.raises(GuestUsageError):
        SplitQueue(SparseMemory(), 0, size)


def test_a_chain_is_linked_readable_before_writable() -> None:
    queue, device = make()
    head = queue.add(READABLE, WRITABLE, "a")
    first = device.descriptor(head)
    second = device.descriptor(first[3])
    third = device.descriptor(second[3])
    assert first[:3] == (0x50_0000, 16, 1)
    assert second[:3] == (0x60_0000, 512, 3)
    assert third[:3] == (0x60_0400, 1, 2)


def test_added_chains_are_invisible_until_published() -> None:
    queue, device = make()
    head = queue.add(READABLE, WRITABLE, "a")
    assert device.available_index() == 0
    assert queue.publish()
    assert device.available_index() == 1
    assert device.head(0) == head


def test_publishing_nothing_asks_for_no_kick() -> None:
    queue, _ = make()
    assert not queue.publish()


def test_an_indirect_chain_takes_one_descriptor_and_a_table() -> None:
    queue, device = make(indirect=True)
    head = queue.add(READABLE, WRITABLE, "a", indirect=True)
    table, length, flags, _ = device.descriptor(head)
    assert (length, flags) == (48, 4)
    assert [device.descriptor(i, table)[2:] for i in range(3)] == [(1, 1), (3, 2), (2, 0)]
    assert queue.free_descriptors == 7


def test_indirect_is_refused_when_not_negotiated() -> None:
    queue, _ = make()
    with pytest.raises(GuestUsageError, match="not negotiated"):
        queue.add(READABLE, WRITABLE, "a", indirect=True)


def test_a_full_ring_refuses_more_and_changes_nothing() -> None:
    queue, _ = make(4)
    queue.add(READABLE, WRITABLE, "a")
    with pytest.raises(GuestUsageError, match="1 free"):
        queue.add(READABLE, WRITABLE, "b")
    assert queue.available_index == 1


def test_completions_come_back_out_of_order_and_free_their_descriptors() -> None:
    queue, device = make()
    heads = [queue.add(READABLE, WRITABLE, name) for name in "ab"]
    queue.publish()
    device.use(heads[1], 513)
    device.use(heads[0], 1)
    assert [(done.token, done.length) for done in queue.collect()] == [("b", 513), ("a", 1)]
    assert queue.free_descriptors == 8


def test_indices_run_through_65535_to_0() -> None:
    queue, device = make(2)
    for _ in range(65540):
        head = queue.add(READABLE, (), None)
        queue.publish()
        device.use(head)
        assert len(queue.collect()) == 1
    assert queue.available_index == 4
    assert device.available_index() == 4


@pytest.mark.parametrize(("used_id", "rule"), [(8, "BAD-DEV-01"), (0x10000, "BAD-DEV-01"), (7, "BAD-DEV-02")])
def test_a_used_id_that_is_no_head_is_found(used_id: int, rule: str) -> None:
    queue, device = make()
    queue.add(READABLE, WRITABLE, "a")
    queue.publish()
    device.use(used_id)
    with pytest.raises(UsedRingError) as error:
        queue.collect()
    assert error.value.rule == rule


def test_a_head_returned_twice_is_found() -> None:
    queue, device = make()
    head = queue.add(READABLE, WRITABLE, "a")
    queue.add(READABLE, WRITABLE, "b")
    queue.publish()
    device.use(head)
    device.use(head)
    with pytest.raises(UsedRingError, match="BAD-DEV-02"):
        queue.collect()


def test_an_id_from_the_middle_of_a_chain_is_found() -> None:
    queue, device = make()
    head = queue.add(READABLE, WRITABLE, "a")
    queue.publish()
    device.use(device.descriptor(head)[3])
    with pytest.raises(UsedRingError, match="BAD-DEV-03"):
        queue.collect()


def test_a_length_beyond_the_writable_bytes_is_found() -> None:
    queue, device = make()
    head = queue.add(READABLE, WRITABLE, "a")
    queue.publish()
    device.use(head, 514)
    with pytest.raises(UsedRingError, match="BAD-DEV-04"):
        queue.collect()


def test_a_used_index_that_jumps_is_found() -> None:
    queue, device = make()
    queue.add(READABLE, WRITABLE, "a")
    queue.publish()
    device.memory.write(queue.ring.used_index, b"\x02\x00")
    with pytest.raises(UsedRingError, match="BAD-DEV-05"):
        queue.collect()


def test_no_notify_suppresses_the_kick_without_event_idx() -> None:
    queue, device = make()
    device.memory.write(queue.ring.used, b"\x01\x00")
    queue.add(READABLE, WRITABLE, "a")
    assert not queue.publish()
    assert queue.counts.kicks_suppressed == 1


def test_event_idx_ignores_the_flag_and_follows_the_event() -> None:
    queue, device = make(event_idx=True)
    device.memory.write(queue.ring.used, b"\x01\x00")
    queue.add(READABLE, (), "a")
    assert queue.publish()
    queue.add(READABLE, (), "b")
    assert not queue.publish()
    device.set_event(2)
    queue.add(READABLE, (), "c")
    assert queue.publish()


def test_used_event_follows_what_was_collected() -> None:
    queue, device = make(event_idx=True)
    head = queue.add(READABLE, (), "a")
    queue.publish()
    device.use(head)
    queue.collect()
    assert device.memory.read(queue.ring.used_event, 2) == b"\x01\x00"


def test_a_batch_never_waits_for_more_than_is_in_flight() -> None:
    queue, device = make(event_idx=True)
    heads = [queue.add(READABLE, (), name) for name in "abc"]
    queue.publish()
    queue.enable_interrupts(8)
    assert device.memory.read(queue.ring.used_event, 2) == b"\x02\x00"
    device.use(heads[0])
    queue.collect()
    assert device.memory.read(queue.ring.used_event, 2) == b"\x02\x00"


@pytest.mark.parametrize("event_idx", [False, True])
def test_interrupts_can_be_asked_away_and_back(event_idx: bool) -> None:
    queue, device = make(event_idx=event_idx)
    queue.disable_interrupts()
    if event_idx:
        assert device.memory.read(queue.ring.used_event, 2) == b"\xff\xff"
    else:
        assert device.memory.read(queue.ring.available, 2) == b"\x01\x00"
    queue.enable_interrupts()
    assert device.memory.read(queue.ring.available, 2) == b"\x00\x00"


@pytest.mark.parametrize(
    ("event", "new", "old", "expected"),
    [
        (0, 1, 0, True),
        (1, 1, 0, False),
        (0xFFFF, 0, 0xFFFF, True),
        (0xFFFE, 1, 0xFFFF, False),
        (5, 5, 5, False),
    ],
)
def test_crossing_an_event_works_modulo_two_to_the_sixteen(
    event: int, new: int, old: int, expected: bool
) -> None:
    assert crossed(event, new, old) is expected


def test_shuffled_descriptors_still_make_a_linked_chain() -> None:
    memory = SparseMemory()
    queue = SplitQueue(memory, 0, 64, shuffle=random.Random(3))
    device = Device(memory, queue.ring)
    at = queue.add([(0x1000 * i, 1) for i in range(1, 30)], (), "a")
    for i in range(1, 30):
        address, _, flags, following = device.descriptor(at)
        assert (address, bool(flags & 1)) == (0x1000 * i, i != 29)
        at = following


def test_reset_forgets_what_was_in_flight() -> None:
    queue, device = make()
    queue.add(READABLE, WRITABLE, "a")
    queue.publish()
    queue.reset()
    assert (queue.outstanding, queue.free_descriptors, device.available_index()) == (0, 8, 0)
