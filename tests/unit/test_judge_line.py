"""The judge on the INTx line: it is down before the host may believe it is (VPCI-INT-02, VPCI-STAT-08)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.profile import VIRTIO_PCI_RTL
from tb.pcie.tlp import Channel, MessageCode, TlpType
from tests.unit.fake_function import FakeFunction, judged
from tests.unit.planting import Facts, assert_clean, doubled, dropped, find, first_rule, rules

DEASSERT = int(MessageCode.DEASSERT_INTA)


def lowered(*, by_reset: bool) -> FakeFunction:
    """A function that raised its line, and took it down with a read of the ISR or a reset."""
    function = FakeFunction()
    function.start(msix=False)
    function.request(0, 3, 512)
    function.kick()
    if by_reset:
        function.io_write(0x12, 1, 0)
    else:
        function.io_read(0x13, 1)
    return function


def late(function: FakeFunction, ns: int) -> Facts:
    """The facts with Deassert_INTA so long behind the completion."""
    facts = function.facts
    place = find(facts, lambda tlp: tlp.type is TlpType.MESSAGE and tlp.message_code == DEASSERT)
    behind = replace(facts[place], time_ns=facts[place + 1].time_ns + ns)
    assert facts[place + 1].channel is Channel.TX_CPL
    return [*dropped(facts, place), behind]


@pytest.mark.parametrize(("by_reset", "rule"), [(False, "VPCI-INT-02"), (True, "VPCI-STAT-08")])
@pytest.mark.parametrize("ns", [0, 40, 49_000])
def test_a_line_that_is_down_only_behind_the_completion_is_told(by_reset: bool, rule: str, ns: int) -> None:
    function = lowered(by_reset=by_reset)
    assert_clean(function)
    assert first_rule(late(function, ns)) == rule


@pytest.mark.parametrize("by_reset", [False, True])
def test_a_device_may_take_its_time_when_its_profile_says_so(by_reset: bool) -> None:
    patient = replace(VIRTIO_PCI_RTL, intx_deassert_ns=1_000)
    function = lowered(by_reset=by_reset)
    assert not judged(late(function, 900), profile=patient)
    assert judged(late(function, 1_100), profile=patient)


def test_a_new_cause_behind_the_read_may_keep_the_line_up() -> None:
    """Between read and completion the function learns of more: the line it never took down is right."""
    function = FakeFunction()
    function.start(msix=False)
    for number in range(2):
        function.request(0, 3 + number, 512)
        function.kick()
    facts = function.facts
    function.io_read(0x13, 1)
    request, message, completion = function.facts[-3:]
    sample = find(facts, lambda tlp: tlp.address == 0x10_0080 and tlp.first_be == 0xF, nth=-1)
    seen = [*facts[:sample], request, *facts[sample : sample + 2], completion]
    assert message.channel is Channel.TX_REQ
    assert_clean(seen, end=False)


def test_an_assert_behind_the_read_that_took_its_cause_is_told() -> None:
    """The read returned the event: an interrupt on the wire after its completion is one nobody can serve."""
    function = lowered(by_reset=False)
    facts = function.facts
    assertion = find(facts, lambda tlp: tlp.type is TlpType.MESSAGE)
    assert_clean(facts)
    stale = [*dropped(facts, assertion)[:-2], facts[-1], facts[assertion], facts[-2]]
    times = [fact.time_ns for fact in facts]
    stale = [replace(fact, time_ns=time) for fact, time in zip(stale, times, strict=True)]
    assert rules(stale) == {"VRING-INT-01"}


def test_deassert_twice_is_still_told() -> None:
    function = lowered(by_reset=False)
    assert "PCI-INT-01" in rules(doubled(function.facts, len(function.facts) - 2))
