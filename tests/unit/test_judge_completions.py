"""The judge on completions: one for each request, right in form and data (VPCI-DISC-09, PCI-CFG)."""

from __future__ import annotations

from typing import Any

import pytest

from tb.pcie.tlp import (
    Channel,
    CompletionStatus,
    Tlp,
    TlpType,
    completion_for,
    config_read,
    io_read,
    io_write,
    memory_read,
)
from tests.unit.fake_function import BAR0, BAR1, FUNCTION_ID, FakeFunction
from tests.unit.planting import (
    altered,
    assert_clean,
    doubled,
    dropped,
    find,
    first_rule,
    flipped,
    inserted,
    rules,
)

DEVICE_CONTROL = 0x58


def started() -> FakeFunction:
    function = FakeFunction()
    function.start()
    return function


def any_completion(_tlp: Tlp) -> bool:
    return True


def test_a_right_start_is_not_accused() -> None:
    assert_clean(started())


def test_a_request_without_a_completion_is_told_at_the_end() -> None:
    facts = started().facts
    assert "PCI-CFG-01" in rules(dropped(facts, find(facts, any_completion, channel=Channel.TX_CPL, nth=-1)))


def test_a_request_given_up_is_told_when_its_tag_is_used_again() -> None:
    function = started()
    for _ in range(40):
        function.io_read(0x12, 1)
    facts = function.facts
    lost = find(facts, any_completion, channel=Channel.TX_CPL, nth=-35)
    assert first_rule(dropped(facts, lost), end=False) == "PCI-CFG-01"


def test_a_second_completion_is_told() -> None:
    facts = started().facts
    assert first_rule(doubled(facts, find(facts, any_completion, channel=Channel.TX_CPL))) == "VPCI-DISC-09"


def test_a_completion_for_a_posted_write_is_told() -> None:
    function = started()
    function.mem_write(0x10, 0x1234)
    request = function.facts[-1].tlp
    assert request is not None
    facts = inserted(function.facts, len(function.facts), completion_for(request), Channel.TX_CPL)
    assert first_rule(facts) == "VPCI-DISC-09"


@pytest.mark.parametrize(
    "fields",
    [
        {"completer_id": 0x0200},
        {"byte_count": 8},
        {"lower_address": 4},
        {"traffic_class": 1},
        {"attributes": 2},
        {"poisoned": True},
        {"tag": 77},
        {"requester_id": 0x4321},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_wrong_field_is_told(fields: dict[str, Any]) -> None:
    facts = started().facts
    place = find(facts, any_completion, channel=Channel.TX_CPL, nth=5)
    assert first_rule(altered(facts, place, **fields)) == "VPCI-DISC-09"


def test_a_wrong_status_is_told() -> None:
    facts = started().facts
    place = find(facts, any_completion, channel=Channel.TX_CPL, nth=3)
    assert first_rule(altered(facts, place, status=CompletionStatus.UNSUPPORTED_REQUEST)) == "PCI-CFG-01"


def test_data_with_a_write_completion_are_told() -> None:
    facts = started().facts
    place = find(facts, lambda tlp: not tlp.data, channel=Channel.TX_CPL, nth=3)
    with_data = altered(facts, place, type=TlpType.COMPLETION_DATA, data=bytes(4), length=1)
    assert first_rule(with_data) == "VPCI-DISC-09"


def test_traffic_class_and_attributes_are_copied() -> None:
    function = started()
    request = memory_read(BAR1, 4, tag=9)
    request.traffic_class, request.attributes = 3, 1
    function.add(Channel.RX_REQ, request)
    answer = completion_for(request, (0xFEE0_1000).to_bytes(4, "little"), completer_id=FUNCTION_ID)
    function.add(Channel.TX_CPL, answer)
    assert_clean(function)
    wrong = altered(function.facts, len(function.facts) - 1, traffic_class=0)
    assert first_rule(wrong) == "VPCI-DISC-09"


def test_every_data_bit_counts_where_it_is_enabled() -> None:
    function = started()
    function.io_read(0x0C, 2)
    place = len(function.facts) - 1
    data = function.facts[place].tlp
    assert data is not None
    assert first_rule(altered(function.facts, place, data=flipped(data.data, 1))) == "VPCI-Q-03"
    assert_clean(altered(function.facts, place, data=flipped(data.data, 2)))


def answered(request: Tlp, **fields: Any) -> FakeFunction:
    """A started function that gets `request` and answers it UR, or as `fields` say."""
    function = started()
    function.add(Channel.RX_REQ, request)
    answer = completion_for(request, status=CompletionStatus.UNSUPPORTED_REQUEST, completer_id=FUNCTION_ID)
    for name, value in fields.items():
        setattr(answer, name, value)
    function.add(Channel.TX_CPL, answer)
    return function


@pytest.mark.parametrize(
    "request_tlp",
    [
        io_read(0x8000, 4, tag=1),
        io_write(BAR0 + 0x40, 4, 0, tag=1),
        memory_read(BAR1 + 0x1000, 4, tag=1),
        memory_read(1 << 40, 4, tag=1),
        config_read(0, 4, tag=1, target_id=FUNCTION_ID | 1),
        Tlp(TlpType.CONFIG_READ_1, tag=1, length=1, first_be=15),
        Tlp(TlpType.FETCH_ADD, tag=1, length=1, first_be=15, address=BAR1, data=bytes(4)),
    ],
    ids=["io outside", "io past BAR0", "memory outside", "high memory", "function 1", "type 1", "atomic"],
)
def test_what_nothing_decodes_is_answered_unsupported(request_tlp: Tlp) -> None:
    assert_clean(answered(request_tlp))
    assert first_rule(answered(request_tlp, status=0).facts) == "VPCI-REG-23"


def test_io_is_unsupported_while_the_decoder_is_off() -> None:
    function = started()
    function.config_write(0x04, 2, 0x0006)
    request = io_read(BAR0, 4, tag=30)
    function.add(Channel.RX_REQ, request)
    answer = completion_for(request, status=CompletionStatus.UNSUPPORTED_REQUEST, completer_id=FUNCTION_ID)
    function.add(Channel.TX_CPL, answer)
    assert_clean(function)
    wrong = completion_for(request, (0x3900_0244).to_bytes(4, "little"), completer_id=FUNCTION_ID)
    facts = inserted(function.facts[:-1], len(function.facts), wrong, Channel.TX_CPL)
    assert "VPCI-REG-23" in rules(facts)


def test_a_poisoned_write_changes_nothing_and_is_unsupported() -> None:
    function = answered(io_write(BAR0 + 0x0E, 2, 1, tag=9))
    request = function.facts[-2].tlp
    assert request is not None
    request.poisoned = True
    function.io_read(0x0E, 2)
    assert_clean(function)


def test_a_long_read_may_be_split_at_the_boundary_only() -> None:
    function = started()
    function.mem_read(0, 128)
    request, whole = function.facts[-2].tlp, function.facts[-1].tlp
    assert request is not None and whole is not None
    before = function.facts[:-1]

    def split(at: int) -> list[Tlp]:
        parts = (whole.data[:at], 0), (whole.data[at:], at)
        return [completion_for(request, d, start=s, completer_id=FUNCTION_ID) for d, s in parts]

    def with_parts(*parts: Tlp) -> Any:
        facts = before
        for part in parts:
            facts = inserted(facts, len(facts), part, Channel.TX_CPL)
        return facts

    assert_clean(with_parts(*split(64)))
    assert first_rule(with_parts(*split(32))) == "VPCI-DISC-09"
    assert first_rule(with_parts(*reversed(split(64)))) == "VPCI-DISC-09"
    assert "PCI-CFG-01" in rules(with_parts(split(64)[0]))


def test_a_wrong_word_in_a_long_read_is_told() -> None:
    function = started()
    function.mem_read(0, 64)
    place = len(function.facts) - 1
    tlp = function.facts[place].tlp
    assert tlp is not None
    assert first_rule(altered(function.facts, place, data=flipped(tlp.data, 37))) == "PCI-MSIX-03"


def test_a_completion_larger_than_the_payload_size_is_told() -> None:
    function = started()
    function.mem_read(0, 256)
    assert rules(function.facts) == {"VFIO-16"}
    larger = started()
    larger.config_write(DEVICE_CONTROL, 2, 1 << 5)
    larger.mem_read(0, 256)
    assert_clean(larger)


def test_a_long_read_in_parts_of_the_payload_size_is_right() -> None:
    function = started()
    function.mem_read(0, 256)
    request, whole = function.facts[-2].tlp, function.facts[-1].tlp
    assert request is not None and whole is not None
    facts = function.facts[:-1]
    for at in (0, 128):
        part = completion_for(request, whole.data[at : at + 128], start=at, completer_id=FUNCTION_ID)
        facts = inserted(facts, len(facts), part, Channel.TX_CPL)
    assert not rules(facts)
