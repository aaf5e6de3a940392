"""The judge on interrupts: owed ones come, once, right in form, not masked, not too early (VPCI-INT)."""

from __future__ import annotations

import pytest

from tb.models.virtqueue import F_EVENT_IDX, F_NOTIFY_ON_EMPTY
from tb.pcie.tlp import Channel, Tlp, TlpType, intx_message, memory_write
from tests.unit.fake_function import FUNCTION_ID, FakeFunction
from tests.unit.planting import (
    REST_NS,
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

MESSAGE = 0xFEE0_1100
EVENT_IDX = 1 << F_EVENT_IDX
ON_EMPTY = 1 << F_NOTIFY_ON_EMPTY


def served(*, msix: bool = True, features: int = 0, flags: int = 0, used_event: int = 0) -> FakeFunction:
    """A function that has served one request, the guest suppressing interrupts as told."""
    function = FakeFunction()
    function.start(msix=msix, features=features)
    function.set_suppression(flags=flags, used_event=used_event)
    function.request(0, 3, 512)
    function.kick()
    return function


def message_at(facts: Facts, nth: int = 0) -> int:
    return find(facts, write_to(MESSAGE), nth=nth)


def stray(function: FakeFunction) -> Facts:
    """The facts with one message nobody asked for at the end."""
    message = memory_write(MESSAGE, (0x41).to_bytes(4, "little"), requester_id=FUNCTION_ID)
    return inserted(function.facts, len(function.facts), message)


@pytest.mark.parametrize("features", [0, EVENT_IDX, ON_EMPTY, EVENT_IDX | ON_EMPTY])
@pytest.mark.parametrize("msix", [True, False])
def test_a_right_interrupt_is_not_accused(msix: bool, features: int) -> None:
    assert_clean(served(msix=msix, features=features))


@pytest.mark.parametrize(
    ("features", "rule"), [(0, "VRING-INT-01"), (EVENT_IDX, "VRING-INT-02"), (ON_EMPTY, "VRING-INT-01")]
)
def test_a_message_that_never_comes_is_told(features: int, rule: str) -> None:
    facts = served(features=features).facts
    assert first_rule(dropped(facts, message_at(facts))) == rule


def test_a_second_message_is_told() -> None:
    facts = served().facts
    assert first_rule(doubled(facts, message_at(facts))) == "VRING-INT-01"


def test_a_message_against_no_interrupt_is_told() -> None:
    function = served(flags=1)
    assert_clean(function)
    assert first_rule(stray(function)) == "VRING-INT-01"


def test_no_interrupt_is_ignored_with_event_idx() -> None:
    function = served(features=EVENT_IDX, flags=1)
    assert_clean(function)
    assert first_rule(dropped(function.facts, message_at(function.facts))) == "VRING-INT-02"


def test_used_event_decides_with_event_idx() -> None:
    function = served(features=EVENT_IDX)
    function.set_suppression(used_event=5)
    function.request(0, 4, 512)
    function.kick()
    assert_clean(function)
    assert first_rule(stray(function)) == "VRING-INT-02"


def test_notify_on_empty_overrides() -> None:
    function = served(features=ON_EMPTY, flags=1)
    assert_clean(function)
    assert first_rule(dropped(function.facts, message_at(function.facts))) == "VRING-INT-05"


def test_notify_on_empty_holds_for_the_last_of_a_batch_only() -> None:
    function = FakeFunction()
    function.start(features=ON_EMPTY)
    function.set_suppression(flags=1)
    function.request(0, 3, 512)
    function.request(0, 4, 512, head=3, place=0x19_0000)
    function.kick()
    assert_clean(function)
    first_sample = find(function.facts, lambda t: read_of(0x10_0080)(t) and t.first_be == 0xF)
    early = moved(function.facts, message_at(function.facts), first_sample + 2)
    assert first_rule(early) in {"VPCI-INT-16", "VRING-INT-01"}


def test_a_message_before_the_used_index_is_told() -> None:
    facts = served().facts
    index = find(facts, write_to(0x10_1000))
    assert first_rule(moved(facts, message_at(facts), index)) == "VPCI-INT-16"


def test_a_message_before_the_suppression_is_read_is_told() -> None:
    facts = served().facts
    sample = find(facts, lambda t: read_of(0x10_0080)(t) and t.first_be == 0xF)
    assert first_rule(moved(facts, message_at(facts), sample)) == "VPCI-INT-16"


def test_never_reading_the_suppression_is_told() -> None:
    facts = served(flags=1).facts
    sample = find(facts, lambda t: read_of(0x10_0080)(t) and t.first_be == 0xF)
    assert "VRING-INT-04" in rules(dropped(facts, sample, 2))


@pytest.mark.parametrize(("field", "rule"), [("data", "PCI-MSIX-16"), ("address", "BAD-DEV-08")])
def test_a_message_with_wrong_content_is_told(field: str, rule: str) -> None:
    facts = served().facts
    value: object = flipped((0x41).to_bytes(4, "little"), 1) if field == "data" else MESSAGE + 0x40
    assert first_rule(altered(facts, message_at(facts), **{field: value})) == rule


def test_a_message_of_another_vector_is_told() -> None:
    facts = served().facts
    place = message_at(facts)
    other = altered(facts, place, address=0xFEE0_1200, data=(0x42).to_bytes(4, "little"))
    assert first_rule(other) == "VPCI-INT-08"


def test_a_partial_message_is_told() -> None:
    facts = served().facts
    assert first_rule(altered(facts, message_at(facts), first_be=0b0011)) == "PCI-MSIX-18"


def masked(*, whole: bool) -> FakeFunction:
    """A function that serves a request while its vector (or the whole function) is masked."""
    function = FakeFunction()
    function.start()
    if whole:
        function.config_write(0x42, 2, 0xC000)
    else:
        function.mem_write(0x1C, 1)
        function.mem_read(0x1C)
    function.request(0, 3, 512)
    function.kick()
    return function


@pytest.mark.parametrize("whole", [True, False])
def test_a_masked_message_is_told_and_its_pending_bit_is_known(whole: bool) -> None:
    function = masked(whole=whole)
    assert first_rule(stray(function)) == "PCI-MSIX-07"
    function.wait(REST_NS)
    assert function.mem_read(0x800) == 2
    assert_clean(function)
    wrong = altered(function.facts, len(function.facts) - 1, data=bytes(4))
    assert "PCI-MSIX-04" in rules(wrong)


@pytest.mark.parametrize("whole", [True, False])
def test_unmasking_sends_exactly_one(whole: bool) -> None:
    function = masked(whole=whole)
    function.wait(REST_NS)
    if whole:
        function.config_write(0x42, 2, 0x8000)
    else:
        function.mem_write(0x1C, 0)
    function.mem_read(0x800)
    assert_clean(function)
    place = message_at(function.facts)
    assert first_rule(dropped(function.facts, place)) in {"VRING-INT-01", "PCI-MSIX-04"}
    assert first_rule(doubled(function.facts, place)) == "VRING-INT-01"


def test_unmasking_may_send_the_new_entry_but_no_mixture() -> None:
    function = masked(whole=False)
    function.mem_write(0x14, 0)
    function.mem_write(0x10, 0xFEE0_5000)
    function.mem_write(0x18, 0x99)
    function.mem_write(0x1C, 0)
    function.mem_read(0x1C)
    assert_clean(function)
    place = find(function.facts, write_to(0xFEE0_5000))
    old_data = altered(function.facts, place, data=(0x41).to_bytes(4, "little"))
    assert first_rule(old_data) == "PCI-MSIX-16"


def test_a_message_while_msix_is_disabled_is_told() -> None:
    function = served(flags=1)
    function.config_write(0x42, 2, 0x0000)
    function.set_suppression(flags=0)
    assert first_rule(stray(function)) in {"PCI-MSIX-10", "VRING-INT-01"}


def test_a_message_with_bus_master_off_is_told() -> None:
    function = masked(whole=False)
    function.config_write(0x04, 2, 0x0003)
    function.mem_write(0x1C, 0)
    function.mem_read(0x1C)
    place = message_at(function.facts) if any(map(_is_message, function.facts)) else -1
    facts = function.facts if place < 0 else dropped(function.facts, place)
    function.facts = facts
    assert_clean(function)
    assert first_rule(stray(function)) == "PCI-CFG-14"


def _is_message(fact: object) -> bool:
    tlp = getattr(fact, "tlp", None)
    return isinstance(tlp, Tlp) and tlp.address == MESSAGE


# --- INTx and the ISR


def line(facts: Facts, nth: int = 0) -> int:
    return find(facts, lambda tlp: tlp.type is TlpType.MESSAGE, nth=nth)


def test_assert_and_deassert_come_in_pairs() -> None:
    function = served(msix=False)
    function.io_read(0x13, 1)
    assert_clean(function)
    for nth in (0, 1):
        assert first_rule(doubled(function.facts, line(function.facts, nth))) == "PCI-INT-01"
    assert first_rule(dropped(function.facts, line(function.facts, 1))) == "VPCI-INT-02"
    assert "VPCI-INT-17" in rules(dropped(served(msix=False).facts, line(function.facts)))


def test_deassert_without_a_read_of_the_isr_is_told() -> None:
    function = served(msix=False)
    facts = inserted(
        function.facts, len(function.facts), intx_message(False, requester_id=FUNCTION_ID), Channel.TX_REQ
    )
    assert first_rule(facts) == "PCI-INT-01"


def test_an_assert_nobody_asked_for_is_told() -> None:
    function = served(msix=False, flags=1)
    facts = inserted(function.facts, len(function.facts), intx_message(True, requester_id=FUNCTION_ID))
    assert first_rule(facts) == "VRING-INT-01"


def test_intx_with_msix_enabled_is_told() -> None:
    facts = served().facts
    message = intx_message(True, requester_id=FUNCTION_ID)
    assert first_rule(inserted(facts, len(facts), message)) == "PCI-INT-02"


def test_interrupt_disable_drops_the_line_and_keeps_the_status() -> None:
    function = served(msix=False)
    function.config_write(0x04, 2, 0x0407)
    function.wait(REST_NS)
    assert function.config_read(0x04) >> 19 & 1 == 1
    assert_clean(function)
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    assert first_rule(altered(function.facts, place, data=flipped(tlp.data, 2, 0x08))) == "PCI-CFG-13"
    assert "PCI-INT-01" in rules(dropped(function.facts, line(function.facts, 1)))


def test_the_isr_reads_its_cause_once() -> None:
    function = served(msix=False)
    function.io_read(0x13, 1)
    first = len(function.facts) - 1
    function.wait(REST_NS)
    function.io_read(0x13, 1)
    assert_clean(function)
    for place in (first, len(function.facts) - 1):
        tlp = function.facts[place].tlp
        assert tlp is not None
        assert "VPCI-INT-02" in rules(altered(function.facts, place, data=flipped(tlp.data, 3)))


def test_a_status_read_leaves_the_isr_alone() -> None:
    function = served(msix=False)
    function.io_read(0x12, 1)
    function.wait(REST_NS)
    function.io_read(0x13, 1)
    assert_clean(function)
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    assert "VPCI-INT-02" in rules(altered(function.facts, place, data=bytes(4)))


def test_the_isr_around_the_cause_may_read_old_or_new() -> None:
    """A read under way when the function learns of the cause: both values are right, and it shows which."""
    function = served(msix=False)
    facts = function.facts
    function.io_read(0x13, 1)
    request, completion = function.facts[-3], function.facts[-1]
    base = facts[: line(facts)]
    sample = len(base) - 1
    for value, message_follows in ((1, False), (0, True)):
        assert completion.tlp is not None
        answer = altered([completion], 0, data=bytes(3) + bytes((value,)))
        seen = [*base[:sample], request, base[sample], *answer]
        seen = [*seen, facts[line(facts)]] if message_follows else seen
        verdicts = rules(seen)
        assert verdicts <= ({"PCI-INT-01"} if not message_follows else set()), (value, verdicts)


def test_a_config_change_interrupts_and_sets_the_isr() -> None:
    function = FakeFunction()
    function.start(msix=False)
    function.resize(100)
    function.wait(REST_NS)
    function.io_read(0x13, 1)
    assert_clean(function)
    assert "VPCI-INT-17" in rules(dropped(function.facts[:-3], line(function.facts)))
    place = len(function.facts) - 1
    assert "VPCI-INT-02" in rules(altered(function.facts, place, data=bytes((0, 0, 0, 1))))


def test_no_config_interrupt_before_driver_ok() -> None:
    function = FakeFunction()
    function.start()
    function.io_write(0x12, 1, 3)
    function.resize(100)
    assert_clean(function)
    message = memory_write(0xFEE0_1000, (0x40).to_bytes(4, "little"), requester_id=FUNCTION_ID)
    assert first_rule(inserted(function.facts, len(function.facts), message)) == "VPCI-STAT-24"


def test_an_interrupt_lost_in_the_middle_is_told_before_the_end() -> None:
    function = served()
    lost = dropped(function.facts, message_at(function.facts))
    function.wait(REST_NS)
    for _ in range(2):
        function.request(0, 3, 512)
        function.kick()
    facts = [*lost, *function.facts[len(lost) + 1 :]]
    assert first_rule(facts, end=False) == "VRING-INT-01"


def test_no_vector_means_no_message() -> None:
    function = FakeFunction()
    function.start()
    function.io_write(0x16, 2, 0xFFFF)
    function.request(0, 3, 512)
    function.kick()
    assert_clean(function)
    assert first_rule(stray(function)) == "VRING-INT-01"
