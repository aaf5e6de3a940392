"""The judge on error bits and Transactions Pending: each error sets its bits, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.profile import VIRTIO_PCI_RTL
from tb.pcie.tlp import (
    Channel,
    Tlp,
    completion_for,
    config_read,
    io_read,
    memory_read,
    memory_write,
)
from tests.unit.fake_function import BAR0, FUNCTION_ID, HOST_ID, RING, Fact, FakeFunction, judged
from tests.unit.planting import Facts, assert_clean, find, read_of, rules

STATUS, DEVICE_STATUS = 0x04, 0x58
CORRECTABLE, NON_FATAL, FATAL, UNSUPPORTED, PENDING = (1 << bit for bit in (16, 17, 18, 19, 21))
MASTER_ABORT, TARGET_ABORT, PARITY, DETECTED = (1 << bit for bit in (29, 28, 24, 31))
ERROR_RULE = {"PCI-CFG-05"}
LONG_NS = 5_000


def started() -> FakeFunction:
    function = FakeFunction()
    function.start()
    return function


def look(function: FakeFunction, register: int, bits: int) -> Facts:
    """The facts with a read of `register` behind them that shows error `bits` beside what it holds."""
    value = function.model.config_read_enabled(register, 0xF) | bits
    request = config_read(register, 4, tag=40, target_id=FUNCTION_ID)
    answer = completion_for(request, value.to_bytes(4, "little"), completer_id=FUNCTION_ID)
    at = function.time_ns
    return [
        *function.facts,
        Fact(at + 40, Channel.RX_REQ, request),
        Fact(at + 80, Channel.TX_CPL, answer),
    ]


def assert_bits(function: FakeFunction, register: int, bits: int) -> None:
    """A read of `register` shows exactly `bits`: with each one more or less the judge complains."""
    assert_clean(look(function, register, bits), end=False)
    every = (CORRECTABLE, NON_FATAL, FATAL, UNSUPPORTED) if register == DEVICE_STATUS else _STATUS_BITS
    for bit in every:
        assert rules(look(function, register, bits ^ bit), end=False) == ERROR_RULE


_STATUS_BITS = (MASTER_ABORT, TARGET_ABORT, PARITY, DETECTED, 1 << 27, 1 << 30)


def unsupported(function: FakeFunction, request: Tlp) -> None:
    function.add(Channel.RX_REQ, request)
    if not request.posted:
        answer = completion_for(request, status=1, completer_id=FUNCTION_ID)
        function.add(Channel.TX_CPL, answer)


def test_a_refused_read_is_an_advisory_error() -> None:
    function = started()
    unsupported(function, io_read(BAR0 + 0x1000, 4, tag=5))
    assert_bits(function, DEVICE_STATUS, CORRECTABLE | UNSUPPORTED)
    assert_bits(function, STATUS, 0)


def test_a_dropped_write_is_an_error_nobody_else_is_told_of() -> None:
    function = started()
    unsupported(function, memory_write(0x4000_0000, bytes(4)))
    assert_bits(function, DEVICE_STATUS, NON_FATAL | UNSUPPORTED)


def test_the_profile_says_what_an_error_counts_as() -> None:
    bits = {**VIRTIO_PCI_RTL.device_status_bits, "unsupported_posted": 0x9}
    other = replace(VIRTIO_PCI_RTL, device_status_bits=bits)
    function = started()
    unsupported(function, memory_write(0x4000_0000, bytes(4)))
    assert not judged(look(function, DEVICE_STATUS, CORRECTABLE | UNSUPPORTED), profile=other, end=False)
    assert judged(look(function, DEVICE_STATUS, NON_FATAL | UNSUPPORTED), profile=other, end=False)


def test_a_cleared_bit_stays_clear() -> None:
    function = started()
    unsupported(function, io_read(BAR0 + 0x1000, 4, tag=5))
    function.config_write(DEVICE_STATUS + 2, 2, 0x1)
    assert_bits(function, DEVICE_STATUS, UNSUPPORTED)
    function.config_write(DEVICE_STATUS + 2, 2, 0x8)
    assert_bits(function, DEVICE_STATUS, 0)


def test_an_error_behind_a_read_on_its_way_does_not_show_in_it() -> None:
    function = started()
    before = look(function, DEVICE_STATUS, 0)
    bad = memory_write(0x4000_0000, bytes(4))
    facts = [*before[:-1], Fact(before[-2].time_ns + 10, Channel.RX_REQ, bad), before[-1]]
    assert_clean(facts, end=False)


def answered(function: FakeFunction, **spoilt: object) -> None:
    """A queue's first read is answered with fields of the completion changed."""
    function.request(0, 3, 512)
    mark = len(function.facts)
    function.kick()
    place = mark + find(function.facts[mark:], lambda tlp: True) + 1
    fact = function.facts[place]
    assert fact.tlp is not None and fact.channel is Channel.RX_CPL
    answer = replace(fact.tlp, **spoilt)  # type: ignore[arg-type]
    if answer.status:
        answer = completion_for(asked(function, place - 1), status=answer.status, completer_id=HOST_ID)
    function.facts = [*function.facts[:place], replace(fact, tlp=answer)]
    function.time_ns = fact.time_ns


def asked(function: FakeFunction, place: int) -> Tlp:
    tlp = function.facts[place].tlp
    assert tlp is not None
    return tlp


@pytest.mark.parametrize(
    ("spoilt", "status", "device"),
    [
        ({"status": 1}, MASTER_ABORT, 0),
        ({"status": 3}, MASTER_ABORT, 0),
        ({"status": 4}, TARGET_ABORT, 0),
        ({"status": 2}, 0, FATAL),
        ({"poisoned": True}, DETECTED, NON_FATAL),
        ({"byte_count": 9}, 0, FATAL),
        ({"tag": 77}, 0, CORRECTABLE),
    ],
    ids=["UR", "reserved", "CA", "retry", "poisoned", "byte count", "tag"],
)
def test_a_completion_gone_wrong_sets_its_bits(spoilt: dict[str, object], status: int, device: int) -> None:
    function = started()
    answered(function, **spoilt)
    function.wait(LONG_NS)
    assert_bits(function, STATUS, status)
    busy = PENDING if spoilt == {"tag": 77} else 0
    assert_clean(look(function, DEVICE_STATUS, device | busy), end=False)
    for bit in (CORRECTABLE, NON_FATAL, FATAL, UNSUPPORTED):
        assert rules(look(function, DEVICE_STATUS, device ^ bit | busy), end=False) == ERROR_RULE


def test_bits_may_take_a_moment() -> None:
    function = started()
    answered(function, status=1)
    assert_clean(look(function, STATUS, 0), end=False)
    assert_clean(look(function, STATUS, MASTER_ABORT), end=False)


def test_poisoned_data_show_as_parity_where_the_guest_asks_for_it() -> None:
    function = started()
    function.config_write(0x04, 2, 0x47)
    answered(function, poisoned=True)
    function.wait(LONG_NS)
    assert_bits(function, STATUS, PARITY | DETECTED)


# --- Transactions Pending, completion timeouts, tags


def test_transactions_pending_is_gone_at_rest() -> None:
    function = started()
    function.request(0, 3, 512)
    function.kick()
    assert_clean(look(function, DEVICE_STATUS, PENDING), end=False)
    function.wait(LONG_NS)
    assert_clean(look(function, DEVICE_STATUS, 0), end=False)
    assert rules(look(function, DEVICE_STATUS, PENDING), end=False) == {"PCI-FLR-07"}


TIMEOUT_NS = 10_000
HASTY = replace(
    VIRTIO_PCI_RTL,
    completion_timeout_ns=TIMEOUT_NS,
    completion_timeout_margin_ns=1_000,
    tag_rest_ns=TIMEOUT_NS,
)


def silent(*, late: bool = False) -> tuple[FakeFunction, Tlp]:
    """A function whose first descriptor read gets no answer; the read."""
    function = started()
    function.request(0, 3, 512)
    function.kick()
    place = find(function.facts, read_of(RING))
    function.facts = function.facts[: place + 1]
    function.time_ns = function.facts[-1].time_ns
    request = asked(function, place)
    function.tell(lambda judge, ns: judge.unanswered(ns, request.tag, late=late))
    return function, request


def hasty(facts: Facts) -> set[str]:
    return {verdict.rule for verdict in judged(facts, profile=HASTY)}


def test_a_read_given_up_is_an_error_and_no_longer_pending() -> None:
    function, _ = silent()
    assert hasty(look(function, DEVICE_STATUS, PENDING)) == set()
    assert hasty(look(function, DEVICE_STATUS, 0)) == {"PCI-FLR-07"}
    function.wait(2 * TIMEOUT_NS)
    assert hasty(look(function, DEVICE_STATUS, NON_FATAL)) == set()
    assert hasty(look(function, DEVICE_STATUS, 0)) == ERROR_RULE
    assert hasty(look(function, DEVICE_STATUS, NON_FATAL | PENDING)) == {"PCI-FLR-07"}


def test_the_queue_of_a_read_given_up_stands_still() -> None:
    function, _ = silent()
    function.wait(2 * TIMEOUT_NS)
    index = memory_read(RING + 0x82, 2, 0, requester_id=FUNCTION_ID)
    for turn in range(12):
        function.add(Channel.TX_REQ, replace(index, tag=100 + turn))
    assert "BAD-RING-37" in hasty(function.facts)


def read_again(function: FakeFunction, request: Tlp) -> Tlp:
    """The queue is set up anew, and its first read has the tag of the `request` before."""
    function.attach()
    function.request(0, 3, 512)
    function.kick()
    place = find(function.facts, read_of(RING + 0x80), nth=-2)
    first = function.facts[place]
    assert first.tlp is not None
    again = replace(first.tlp, tag=request.tag)
    answer = function.facts[place + 1]
    assert answer.tlp is not None
    function.facts = [*function.facts[:place], replace(first, tlp=again)]
    function.time_ns = first.time_ns
    function.add(Channel.RX_CPL, replace(answer.tlp, tag=request.tag))
    return again


def test_a_tag_rests_once_its_read_is_given_up() -> None:
    function, request = silent()
    function.wait(TIMEOUT_NS + 1_000)
    read_again(function, request)
    assert "BAD-DEV-18" in hasty(function.facts)
    at_once = replace(HASTY, tag_rest_ns=0)
    told = {verdict.rule for verdict in judged(function.facts, profile=at_once)}
    assert "BAD-DEV-18" not in told
    rested, request = silent()
    rested.wait(3 * TIMEOUT_NS)
    read_again(rested, request)
    assert "BAD-DEV-18" not in hasty(rested.facts)


def test_a_late_answer_to_nobody_is_an_unexpected_completion() -> None:
    function, request = silent(late=True)
    function.wait(2 * TIMEOUT_NS)
    function.add(Channel.RX_CPL, completion_for(request, bytes(16), completer_id=HOST_ID))
    function.wait(LONG_NS)
    assert hasty(look(function, DEVICE_STATUS, NON_FATAL | CORRECTABLE)) == set()
    assert hasty(look(function, DEVICE_STATUS, NON_FATAL)) == ERROR_RULE


def test_a_late_answer_that_passes_for_another_is_told() -> None:
    at_once = replace(HASTY, tag_rest_ns=0)
    function, request = silent(late=True)
    function.wait(2 * TIMEOUT_NS)
    again = replace(request, tag=request.tag)
    function.attach()
    function.request(0, 3, 512)
    function.kick()
    place = find(function.facts, read_of(RING), nth=-1)
    function.facts = function.facts[:place]
    function.time_ns = function.facts[-1].time_ns
    function.add(Channel.TX_REQ, again)
    function.add(Channel.RX_CPL, completion_for(again, bytes(16), completer_id=HOST_ID))
    told = [v for v in judged(function.facts, profile=at_once, end=False) if v.rule == "BAD-DEV-18"]
    assert ["passes for" in verdict.what for verdict in told] == [True]


def test_a_late_answer_of_another_shape_is_nobody_s_fault() -> None:
    at_once = replace(HASTY, tag_rest_ns=0)
    function, request = silent(late=True)
    function.wait(2 * TIMEOUT_NS)
    again = read_again(function, request)
    answer = function.facts.pop()
    late = Fact(answer.time_ns - 10, Channel.RX_CPL, completion_for(request, bytes(16), completer_id=HOST_ID))
    assert again.length < request.length
    told = {v.rule for v in judged([*function.facts, late, answer], profile=at_once, end=False)}
    assert "BAD-DEV-18" not in told


def test_a_foreign_memory_read_is_refused_as_any_other() -> None:
    function = started()
    unsupported(function, memory_read(0x4000_0000, 4, 7))
    assert_bits(function, DEVICE_STATUS, CORRECTABLE | UNSUPPORTED)
