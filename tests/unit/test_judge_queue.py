"""The judge on a virtqueue: what may be read and written, in which order, and what is owed (VRING)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tb.models.judge.media import BlockWriteData
from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import F_EVENT_IDX
from tb.pcie.tlp import Channel, TlpType, completion_for, memory_read, memory_write
from tests.unit.fake_function import FUNCTION_ID, HOST_ID, RING, FakeFunction, judged
from tests.unit.planting import (
    Facts,
    altered,
    assert_clean,
    doubled,
    dropped,
    find,
    first_rule,
    flipped,
    inserted,
    moved,
    read_of,
    rules,
    write_to,
)

HEADER, STATUS, DATA = 0x18_0000, 0x18_0800, 0x18_1000
AVAILABLE = RING + 0x80
USED = RING + 0x1000
EVENT_IDX = 1 << F_EVENT_IDX


def served(kind: int = 0, *, features: int = 0, count: int = 512, requests: int = 1) -> FakeFunction:
    """A function that has served requests one by one."""
    function = FakeFunction()
    function.start(features=features)
    for number in range(requests):
        function.request(kind, 3 + number, count)
        function.kick()
    return function


def with_read(facts: Facts, place: int, address: int, count: int, content: bytes) -> Facts:
    """`facts` with one DMA read more before `place`, answered at once."""
    request = memory_read(address, count, 31, requester_id=FUNCTION_ID)
    seen = inserted(facts, place, request)
    lead = address & 3
    data = (bytes(lead) + content).ljust(4 * request.length, b"\0")
    return inserted(seen, place + 1, completion_for(request, data, completer_id=HOST_ID), Channel.RX_CPL)


def after_kick(facts: Facts) -> int:
    """Just behind the last completion of an access."""
    return find(facts, lambda _tlp: True, channel=Channel.TX_CPL, nth=-1) + 1


# --- reads


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        (USED, "BAD-DEV-09"),
        (USED + 4, "BAD-DEV-09"),
        (DATA, "VRING-DESC-02"),
        (STATUS, "VRING-DESC-02"),
        (HEADER - 16, "BAD-DEV-09"),
        (0x1F_0000, "BAD-DEV-09"),
        (RING + 16 * 5, "VRING-AV-06"),
        (AVAILABLE + 4 + 2 * 3, "VRING-AV-06"),
    ],
    ids=[
        "used index",
        "used element",
        "writable data",
        "status",
        "before buffer",
        "nowhere",
        "descriptor",
        "slot",
    ],
)
def test_a_read_of_what_it_may_not_read_is_told(address: int, rule: str) -> None:
    facts = served().facts
    place = find(facts, write_to(DATA))
    assert first_rule(with_read(facts, place, address, 2, bytes(2))) == rule


def test_a_descriptor_fetched_twice_is_told() -> None:
    facts = served().facts
    second = find(facts, read_of(RING + 16))
    again = [*facts[: second + 1], *altered(facts, second, tag=30)[second : second + 1], *facts[second + 1 :]]
    assert first_rule(again) == "VRING-DESC-12"


def test_descriptors_act_as_fetched_not_as_memory_is() -> None:
    """What counts is the bytes the host answered with: another answer makes the same write wrong."""
    facts = served().facts
    fetch = find(facts, read_of(RING + 16))
    answer = facts[fetch + 1].tlp
    assert answer is not None
    other = altered(facts, fetch + 1, data=flipped(answer.data, 1, 0x08))
    assert "VRING-US-04" in rules(other) or "BAD-DEV-08" in rules(other)


def test_a_slot_before_the_index_exposes_it_is_told() -> None:
    facts = served().facts
    index = find(facts, read_of(AVAILABLE))
    slot = find(facts, read_of(AVAILABLE + 4))
    assert first_rule(moved(facts, slot, index)) == "VRING-AV-06"


def test_half_an_index_is_told() -> None:
    facts = served().facts
    assert first_rule(with_read(facts, after_kick(facts), AVAILABLE + 3, 1, b"\0")) == "VPCI-Q-15"


def test_rereading_the_available_index_is_right() -> None:
    facts = served().facts
    assert_clean(with_read(facts, len(facts), AVAILABLE + 2, 2, b"\x01\0"))


def test_dma_before_any_notify_is_told() -> None:
    function = FakeFunction()
    function.start()
    assert (
        first_rule(with_read(function.facts, len(function.facts), AVAILABLE + 2, 2, bytes(2))) == "VPCI-Q-16"
    )


def test_parts_of_a_descriptor_and_of_buffers_may_be_read_apart() -> None:
    function = FakeFunction(max_read=8)
    function.start()
    function.request(1, 3, 512)
    function.kick()
    assert_clean(function)


# --- writes


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        (HEADER, "VRING-DESC-02"),
        (RING + 16, "BAD-DEV-08"),
        (AVAILABLE, "BAD-DEV-08"),
        (0x1F_0000, "BAD-DEV-08"),
        (DATA + 512, "BAD-DEV-08"),
        (DATA + 508, "VRING-US-04"),
        (USED, "VRING-US-09"),
    ],
    ids=["readable", "descriptors", "available", "nowhere", "past the buffer", "again", "used.flags"],
)
def test_a_write_where_it_may_not_is_told(address: int, rule: str) -> None:
    facts = served().facts
    place = find(facts, write_to(STATUS))
    stray = memory_write(address, bytes(2), requester_id=FUNCTION_ID)
    assert first_rule(inserted(facts, place, stray)) == rule


@pytest.mark.parametrize("place", [0, 17, 127])
def test_a_wrong_data_byte_is_told(place: int) -> None:
    facts = served().facts
    at = find(facts, write_to(DATA + 128))
    tlp = facts[at].tlp
    assert tlp is not None
    assert rules(altered(facts, at, data=flipped(tlp.data, place))) == {"VBLK-06"}


def test_a_wrong_status_byte_is_told() -> None:
    facts = served().facts
    assert rules(altered(facts, find(facts, write_to(STATUS)), data=b"\1\0\0\0")) == {"VBLK-06"}


def test_data_not_enabled_count_for_nothing() -> None:
    facts = served().facts
    assert_clean(altered(facts, find(facts, write_to(STATUS)), data=b"\0\1\2\3"))


def test_missing_data_are_told_at_the_used_element() -> None:
    facts = served().facts
    assert first_rule(dropped(facts, find(facts, write_to(DATA + 128)))) == "VRING-US-03"
    assert first_rule(dropped(facts, find(facts, write_to(STATUS)))) == "VRING-US-03"


def test_data_may_come_in_any_order_but_before_the_status() -> None:
    facts = served().facts
    first, status = find(facts, write_to(DATA)), find(facts, write_to(STATUS))
    assert_clean(moved(facts, first, first + 2))
    assert first_rule(moved(facts, status, first)) == "VRING-US-03"


def test_data_before_the_disk_answered_are_told() -> None:
    facts = served().facts
    data = find(facts, write_to(DATA))
    assert first_rule(moved(facts, data, data - 2)) == "VBLK-06"


def test_a_used_element_before_the_data_is_told() -> None:
    facts = served().facts
    assert (
        first_rule(moved(facts, find(facts, write_to(USED + 4)), find(facts, write_to(STATUS))))
        == "VRING-US-03"
    )


def test_the_used_index_before_the_element_is_told() -> None:
    facts = served().facts
    index = find(facts, write_to(USED))
    assert first_rule(moved(facts, index, find(facts, write_to(USED + 4)))) == "VRING-US-03"


def element(head: int, length: int) -> bytes:
    return head.to_bytes(4, "little") + length.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (element(0, 512), "VRING-US-04"),
        (element(0, 514), "BAD-DEV-04"),
        (element(1, 513), "BAD-DEV-02"),
        (element(9, 513), "BAD-DEV-01"),
        (element(0x1_0000, 513), "BAD-DEV-01"),
    ],
    ids=["short", "long", "not a head", "past the queue", "high id bits"],
)
def test_a_wrong_used_element_is_told(content: bytes, rule: str) -> None:
    facts = served().facts
    assert first_rule(altered(facts, find(facts, write_to(USED + 4)), data=content)) == rule


def test_a_head_used_twice_is_told() -> None:
    facts = served().facts
    again = memory_write(USED + 12, element(0, 513), requester_id=FUNCTION_ID)
    assert first_rule(inserted(facts, len(facts), again)) == "VRING-US-05"


def test_an_element_in_the_wrong_slot_is_told() -> None:
    facts = served().facts
    assert first_rule(altered(facts, find(facts, write_to(USED + 4)), address=USED + 12)) == "VRING-US-03"


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"data": b"\0\0\2\0"}, "VRING-US-03"),
        ({"data": b"\0\0\0\0"}, "VRING-US-05"),
        ({"data": b"\0\0\xff\xff"}, "VRING-US-03"),
        ({"first_be": 0b0100}, "BAD-DEV-17"),
        ({"first_be": 0b1000}, "BAD-DEV-17"),
        ({"first_be": 0b1111}, "VRING-US-09"),
    ],
    ids=["two ahead", "no advance", "backward", "low byte", "high byte", "flags too"],
)
def test_a_wrong_used_index_is_told(fields: dict[str, Any], rule: str) -> None:
    facts = served().facts
    assert first_rule(altered(facts, find(facts, write_to(USED)), **fields)) == rule


def test_indices_wrap_around() -> None:
    function = FakeFunction()
    function.start(features=EVENT_IDX)
    for number in range(20):
        function.set_suppression(used_event=number)
        function.request(0, number % 8, 512, head=3 * (number & 1))
        function.kick()
    assert_clean(function)


def test_a_batch_is_served_in_order_or_not() -> None:
    function = FakeFunction()
    function.start()
    function.request(0, 1, 512)
    function.request(1, 2, 512, head=3, place=0x19_0000)
    function.kick()
    assert_clean(function)


# --- EVENT_IDX


def test_avail_event_without_the_feature_is_told() -> None:
    facts = served().facts
    stray = memory_write(USED + 4 + 64, b"\1\0", requester_id=FUNCTION_ID)
    assert first_rule(inserted(facts, len(facts), stray)) == "VRING-KICK-03"


def test_avail_event_must_be_what_was_taken() -> None:
    facts = served(features=EVENT_IDX).facts
    event = find(facts, write_to(USED + 4 + 64))
    assert first_rule(altered(facts, event, data=b"\2\0\0\0")) == "VRING-KICK-02"
    assert first_rule(altered(facts, event, data=b"\0\0\0\0")) == "VRING-KICK-02"
    assert "VRING-KICK-05" in rules(dropped(facts, event))


def test_the_index_must_be_read_again_after_avail_event() -> None:
    facts = served(features=EVENT_IDX).facts
    event = find(facts, write_to(USED + 4 + 64))
    assert rules(dropped(facts, event + 1, 2)) == {"VRING-AV-09"}


# --- chains


def indirect(
    function: FakeFunction, *, entries: int = 3, length: int | None = None, table: int = 0x1A_0004
) -> None:
    """A read of one sector whose descriptors lie in a table at an odd place."""
    function.header(HEADER, 0, 5)
    function.put_descriptor(table, HEADER, 16, 1, 2)
    function.put_descriptor(table + 16, STATUS, 1, 2, 0)
    function.put_descriptor(table + 32, DATA, 512, 3, 1)
    function.descriptor(0, table, 16 * entries if length is None else length, 4)
    function.make_available(0)


def test_an_indirect_table_is_walked() -> None:
    function = FakeFunction()
    function.start(features=1 << 28)
    indirect(function)
    function.kick()
    assert_clean(function)


def test_an_indirect_table_may_be_read_in_one_piece() -> None:
    function = FakeFunction()
    function.start(features=1 << 28)
    indirect(function)
    function.kick()
    facts = function.facts
    first = find(facts, read_of(0x1A_0004))
    table = bytes(function.memory[0x1A_0004:0x1A_0034])
    burst = with_read(dropped(facts, first, 6), first, 0x1A_0004, 48, table)
    assert_clean(burst)


def test_a_read_past_an_indirect_table_is_told() -> None:
    function = FakeFunction()
    function.start(features=1 << 28)
    indirect(function)
    function.kick()
    facts = function.facts
    first = find(facts, read_of(0x1A_0004))
    beyond = with_read(facts, first, 0x1A_0034, 16, bytes(16))
    assert "BAD-DEV-09" in rules(beyond)


def malformed(build: str) -> FakeFunction:
    """A function that met a malformed chain, then a right one."""
    function = FakeFunction()
    function.start(features=1 << 28)
    function.request(0, 3, 512)
    if build == "loop":
        function.descriptor(1, DATA, 512, 3, 1)
    elif build == "next":
        function.descriptor(1, DATA, 512, 3, 8)
    elif build == "zero length":
        function.descriptor(1, DATA, 0, 3, 2)
    elif build == "order":
        function.descriptor(2, STATUS, 1, 0)
    elif build == "short header":
        function.descriptor(0, HEADER, 15, 1, 1)
    elif build == "no status":
        function.descriptor(0, HEADER, 16, 0)
    elif build == "head":
        function.make_available(8)
        function.memory[AVAILABLE + 4 : AVAILABLE + 6] = b"\x08\0"
    elif build == "index":
        function.memory[AVAILABLE + 2 : AVAILABLE + 4] = b"\x10\0"
    elif build == "table length":
        function.memory[AVAILABLE + 2 : AVAILABLE + 4] = b"\0\0"
        indirect(function, length=40)
    function.kick()
    return function


BUILDS = [
    "loop",
    "next",
    "zero length",
    "order",
    "short header",
    "no status",
    "head",
    "index",
    "table length",
]


@pytest.mark.parametrize("build", BUILDS)
def test_a_queue_that_stops_at_a_malformed_chain_is_right(build: str) -> None:
    function = malformed(build)
    function.request(0, 4, 512, head=3, place=0x19_0000)
    function.kick()
    assert_clean(function)


@pytest.mark.parametrize("build", BUILDS)
def test_using_a_malformed_chain_is_told(build: str) -> None:
    facts = malformed(build).facts
    used = memory_write(USED + 4, element(0, 0), requester_id=FUNCTION_ID)
    assert rules(inserted(facts, len(facts), used))


@pytest.mark.parametrize("build", BUILDS)
def test_going_on_after_a_malformed_chain_is_told(build: str) -> None:
    function = malformed(build)
    for _ in range(12):
        read = memory_read(AVAILABLE + 2, 2, 31, requester_id=FUNCTION_ID)
        function.add(Channel.TX_REQ, read)
        function.add(Channel.RX_CPL, completion_for(read, bytes(4), completer_id=HOST_ID))
    assert rules(function.facts)


@pytest.mark.parametrize("status", [1, 4])
def test_a_failed_read_stops_the_queue(status: int) -> None:
    facts = served().facts
    fetch = find(facts, read_of(RING + 16))
    failed = altered(facts, fetch + 1, status=status, type=TlpType.COMPLETION, data=b"", length=0)
    assert "BAD-RING-37" in rules(failed)
    assert_clean(failed[: fetch + 2])


def test_a_read_left_unanswered_frees_the_function_of_its_debts() -> None:
    function = served()
    fetch = find(function.facts, read_of(RING + 16))
    tlp = function.facts[fetch].tlp
    assert tlp is not None
    tag = tlp.tag
    until = function.facts[: fetch + 1]
    assert "BAD-DEV-11" in rules(until)
    function.facts = until
    function.tell(lambda judge, ns: judge.unanswered(ns, tag))
    assert_clean(function)


# --- the disk


def media(facts: Facts, nth: int = 0) -> int:
    return [i for i, fact in enumerate(facts) if fact.media is not None][nth]


@pytest.mark.parametrize("kind", [0, 1, 4])
def test_a_disk_request_comes_once(kind: int) -> None:
    function = served(kind, count=0 if kind == 4 else 512)
    facts = function.facts
    assert_clean(facts)
    assert rules(dropped(facts, media(facts)))
    assert rules(doubled(facts, media(facts)))


@pytest.mark.parametrize("field", ["op", "sector", "count"])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_wrong_disk_request_is_told(kind: int, field: str) -> None:
    facts = served(kind).facts
    place = media(facts)
    event: Any = facts[place].media
    wrong = type(event)(**{n: getattr(event, n) ^ (n == field) for n in ("op", "sector", "count")})
    seen = [*facts[:place], type(facts[place])(facts[place].time_ns, media=wrong), *facts[place + 1 :]]
    assert first_rule(seen) == "VBLK-06"


def test_wrong_data_for_the_disk_are_told() -> None:
    facts = served(1).facts
    place = media(facts, 1)
    event: Any = facts[place].media
    wrong = type(event)(flipped(event.data, 77))
    seen = [*facts[:place], type(facts[place])(facts[place].time_ns, media=wrong), *facts[place + 1 :]]
    assert first_rule(seen) == "VBLK-06"


def test_a_media_error_becomes_the_status() -> None:
    function = FakeFunction()
    function.start()
    function.media_fails = True
    function.request(0, 3, 512)
    function.kick()
    assert_clean(function)
    facts = function.facts
    assert rules(altered(facts, find(facts, write_to(STATUS)), data=bytes(4))) == {"VBLK-10"}


@pytest.mark.parametrize(
    ("kind", "sector", "count", "rule"),
    [
        (8, 0, 20, "VBLK-14"),
        (8, 0, 12, "VBLK-14"),
        (77, 0, 0, "VBLK-11"),
        (0, 63, 1024, "VBLK-12"),
        (0, 3, 100, "VBLK-12"),
        (1, 1 << 60, 512, "VBLK-22"),
    ],
)
def test_answers_without_the_disk_are_judged(kind: int, sector: int, count: int, rule: str) -> None:
    function = FakeFunction()
    function.start()
    function.request(kind, sector, count)
    function.kick()
    assert_clean(function)
    facts = function.facts
    status = find(facts, write_to(STATUS))
    tlp = facts[status].tlp
    assert tlp is not None
    assert rules(altered(facts, status, data=flipped(tlp.data, 0, 2))) == {rule}


# --- reset and the end


def reset_in_flight() -> tuple[Facts, Facts, Facts]:
    """Facts up to the middle of a request, those of the rest of it, and those of a reset."""
    function = served()
    middle = find(function.facts, write_to(DATA + 128))
    before, rest = function.facts[:middle], function.facts[middle:]
    mark = len(function.facts)
    function.io_write(0x12, 1, 0)
    return before, rest, function.facts[mark:]


def test_dma_may_go_on_until_the_reset_completes() -> None:
    before, rest, (write, completion, *_) = reset_in_flight()
    assert_clean([*before, write, *rest[:3], completion])
    assert_clean([*before, write, *rest, completion])
    assert_clean([*before, write, completion])


def test_dma_after_the_reset_is_told() -> None:
    before, rest, (write, completion, *_) = reset_in_flight()
    assert first_rule([*before, write, completion, rest[0]]) == "VPCI-STAT-04"


def test_an_interrupt_after_the_reset_is_told() -> None:
    function = served()
    message = find(function.facts, write_to(0xFEE0_1100))
    late = function.facts[message]
    function.facts = dropped(function.facts, message)
    function.io_write(0x12, 1, 0)
    assert first_rule([*function.facts, late]) == "VRING-INT-01"


def test_a_queue_set_up_again_starts_at_zero() -> None:
    function = served(requests=2)
    function.io_write(0x12, 1, 0)
    function.attach()
    function.request(0, 3, 512)
    function.kick()
    assert_clean(function)
    stale = find(function.facts, write_to(USED), nth=-1)
    assert rules(altered(function.facts, stale, data=b"\0\0\3\0"))


def test_a_cold_reset_forgets_everything() -> None:
    function = served()
    function.tell(lambda judge, ns: judge.cold_reset(ns))
    again = FakeFunction()
    again.time_ns = function.time_ns
    again.start()
    again.request(0, 3, 512)
    again.kick()
    assert_clean([*function.facts, *again.facts])


@pytest.mark.parametrize("kept", range(1, 22))
def test_a_request_cut_off_anywhere_is_told_at_the_end(kept: int) -> None:
    facts = served().facts
    kick = after_kick(facts)
    whole = len(facts) - kick
    assert rules(facts[: kick + min(kept, whole - 1)])


def test_a_kick_that_nothing_follows_is_told() -> None:
    facts = served().facts
    assert rules(facts[: after_kick(facts)]) == {"VPCI-Q-17"}


@pytest.mark.parametrize("table", [True, False])
def test_a_function_may_count_out_a_loop(table: bool) -> None:
    function = FakeFunction(queue_size=64)
    function.start()
    if table:
        function.header(HEADER, 0, 5)
        function.put_descriptor(0x1A_0000, HEADER, 16, 1, 0)
        function.descriptor(0, 0x1A_0000, 16 * 40, 4)
        function.make_available(0)
    else:
        function.request(0, 3, 512)
        function.descriptor(1, DATA, 512, 3, 1)
    function.kick()
    assert not judged(function.facts, queue_size=64)


@pytest.mark.parametrize(("more", "fine"), [(1, True), (3, False)])
def test_a_loop_is_counted_out_by_the_entries_of_its_table(more: int, fine: bool) -> None:
    """VRING-DESC-04: a table of two descriptors that point at each other is left after two of them."""
    function = FakeFunction(queue_size=64)
    function.start()
    table = 0x1A_0000
    function.put_descriptor(table, HEADER, 16, 1, 1)
    function.put_descriptor(table + 16, DATA, 512, 1, 0)
    function.descriptor(0, table, 32, 4)
    function.make_available(0)
    function.kick()
    for number in range(more):
        function.dma_read(table + 16 * (number % 2), 16)
    assert (not judged(function.facts, queue_size=64)) == fine


def test_a_write_may_open_before_its_data_but_not_end_before_them() -> None:
    facts = served(1).facts
    request, data = media(facts), find(facts, read_of(DATA))
    assert_clean(moved(facts, request, data))
    early = moved(moved(facts, request, data), request + 1, data + 1)
    assert first_rule(early) == "VBLK-06"


def test_a_write_opened_before_its_data_failed_is_cut_short() -> None:
    facts = served(1).facts
    request, data = media(facts), find(facts, read_of(DATA))
    opened = moved(facts, request, data)[: data + 3]
    failed = altered(opened, data + 2, status=1, type=TlpType.COMPLETION, data=b"", length=0)
    whole, answer = facts[request + 1 : request + 3]
    cut = replace(whole, media=BlockWriteData(bytes(64)))
    assert_clean([*failed, cut, answer])
    assert rules([*failed, whole, answer]) == {"BAD-RING-37"}


def test_a_write_cut_off_by_a_reset_gets_no_byte_that_was_not_read() -> None:
    function = served(1)
    facts = function.facts
    request, data = media(facts), find(facts, read_of(DATA))
    opened = moved(facts, request, data)[: data + 2]
    rest = facts[request + 1 : request + 3]
    mark = len(function.facts)
    function.io_write(0x12, 1, 0)
    write, completion = function.facts[mark : mark + 2]
    answer = facts[data + 1]
    cut = replace(rest[0], media=BlockWriteData(bytes(64)))
    assert_clean([*opened, write, cut, rest[1], answer, completion])
    assert first_rule([*opened, write, *rest, answer, completion]) == "VBLK-06"
    assert first_rule([*opened, *rest]) == "VBLK-06"


# --- several queues take turns


OTHER_RING = 0x11_0000


def passed_over(chains: int) -> Facts:
    """So many chains of queue 0 are taken while queue 1, kicked before, waits; then it is served, too."""
    function = FakeFunction(queues=2)
    function.start()
    function.io_write(0x0E, 2, 1)
    function.io_write(0x08, 4, OTHER_RING >> 12)
    function.hold = True
    function.io_write(0x10, 2, 1)
    for number in range(chains):
        function.request(0, 3 + number, 512, place=0x18_0000)
        function.kick()
        function.work(0)
    function.work(1)
    return function.facts


@pytest.mark.parametrize("queue_turns", [2, 4])
def test_a_queue_that_waits_is_not_passed_over_for_ever(queue_turns: int) -> None:
    profile = replace(VIRTIO_PCI_RTL, queue_turns=queue_turns)
    assert not judged(passed_over(queue_turns), queues=2, profile=profile)
    verdicts = judged(passed_over(queue_turns + 3), queues=2, profile=profile)
    assert [verdict.rule for verdict in verdicts] == ["BAD-REG-06"]


def test_a_device_may_drain_one_queue_first_when_its_profile_says_so() -> None:
    assert not judged(passed_over(12), queues=2, profile=replace(VIRTIO_PCI_RTL, queue_turns=0))
