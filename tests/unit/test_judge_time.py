"""The judge's clock: what the function does late is told, what others hold up is not (VPCI-Q-17)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.judge.judge import Judge
from tb.models.judge.media import BlockResponse
from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.verdict import Verdict
from tb.models.virtqueue import F_EVENT_IDX
from tb.pcie.tlp import Channel, TlpType
from tests.unit.fake_function import RING, Fact, FakeFunction, block_device, judged
from tests.unit.planting import Facts, assert_clean, dropped, find, first_rule, read_of, rules, write_to

LATE_NS = 5_000_000
SHORT_NS = 800
EVENT_IDX = 1 << F_EVENT_IDX
HOST = (Channel.RX_REQ, Channel.RX_CPL)
# It waits for the host's answers for as long as these traces delay them.
WAITING = replace(VIRTIO_PCI_RTL, completion_timeout_ns=10 * LATE_NS)
PATIENT = replace(
    WAITING,
    interrupt_latency_ns=2 * LATE_NS,
    completion_latency_ns=2 * LATE_NS,
    dma_latency_ns=2 * LATE_NS,
    intx_deassert_ns=2 * LATE_NS,
)


def served(*, msix: bool, features: int, kind: int = 0) -> FakeFunction:
    """A function that serves a request, is asked for its ISR, and serves another."""
    function = FakeFunction()
    function.start(msix=msix, features=features)
    function.set_suppression(used_event=0)
    for number in range(2):
        function.set_suppression(used_event=number)
        function.request(kind, 3 + number, 512)
        function.kick()
        function.io_read(0x13, 1)
    return function


def delayed(facts: Facts, place: int, ns: int, *, held: bool = False) -> Facts:
    """The facts with everything from `place` on so much later; `held`: because the host held it up."""
    rest = [
        replace(fact, time_ns=fact.time_ns + ns, held_ns=fact.held_ns + (ns if held else 0))
        for fact in facts[place:]
    ]
    return [*facts[:place], *rest]


def is_the_hosts(fact: Fact) -> bool:
    return fact.channel in HOST or isinstance(fact.media, BlockResponse)


@pytest.mark.parametrize(
    ("msix", "features", "kind"), [(True, 0, 1), (True, EVENT_IDX, 0), (False, 0, 0), (False, EVENT_IDX, 1)]
)
def test_whatever_the_function_does_late_is_told_and_what_the_host_does_is_not(
    msix: bool, features: int, kind: int
) -> None:
    facts = served(msix=msix, features=features, kind=kind).facts
    assert_clean(facts)
    started = find(facts, lambda tlp: tlp.type is TlpType.IO_WRITE, channel=HOST[0], nth=-3)
    for place, fact in enumerate(facts[started:], started):
        late = delayed(facts, place, LATE_NS)
        told = rules(late, profile=WAITING)
        assert bool(told) is not is_the_hosts(fact), (place, fact, judged(late))
        assert_clean(delayed(facts, place, SHORT_NS))
        assert not rules(delayed(facts, place, LATE_NS, held=True), profile=WAITING)
        assert not judged(late, profile=PATIENT)


@pytest.fixture
def read() -> FakeFunction:
    return served(msix=True, features=0)


def rule_when_late(facts: Facts, place: int) -> str:
    return first_rule(delayed(facts, place, LATE_NS))


def test_each_delay_has_its_own_rule(read: FakeFunction) -> None:
    facts = read.facts
    kick = find(facts, lambda tlp: tlp.type is TlpType.IO_WRITE and tlp.first_be == 0b0011, channel=HOST[0])
    assert rule_when_late(facts, kick + 1) in {"PCI-CFG-01", "VPCI-Q-17"}
    look = find(facts, read_of(RING + 0x80))
    assert rule_when_late(facts, look) == "VPCI-Q-17"
    for address in (RING + 0x84, RING, RING + 16):
        assert rule_when_late(facts, find(facts, read_of(address))) == "BAD-DEV-11"
    assert rule_when_late(facts, find(facts, write_to(RING + 0x1004))) == "BAD-DEV-11"
    assert rule_when_late(facts, find(facts, write_to(RING + 0x1000))) == "VRING-US-03"
    sample = find(facts, lambda tlp: read_of(RING + 0x80)(tlp) and tlp.first_be == 0xF)
    assert rule_when_late(facts, sample) == "VRING-INT-04"
    assert rule_when_late(facts, find(facts, write_to(0xFEE0_1100))) == "VRING-INT-01"


def test_a_completion_60_ms_late_is_told_once() -> None:
    function = FakeFunction()
    function.start()
    place = find(function.facts, lambda _tlp: True, channel=Channel.TX_CPL, nth=-1)
    verdicts = judged(delayed(function.facts, place, 60_000_000))
    assert [verdict.rule for verdict in verdicts] == ["PCI-CFG-01"]


def test_a_reset_may_wait_for_an_answer_and_no_longer() -> None:
    """Until host and disk have answered a reset cannot complete; then it must."""
    function = served(msix=True, features=0)
    facts = function.facts
    before = len(facts)
    function.io_write(0x12, 1, 0)
    request, completion = function.facts[before], function.facts[-1]
    answer = find(facts, lambda _tlp: True, channel=Channel.RX_CPL, nth=-1)
    open_read = [*facts[:answer], replace(request, time_ns=facts[answer].time_ns)]
    until = request.time_ns + LATE_NS
    late_answer = replace(facts[answer], time_ns=until)
    seen = [*open_read, late_answer, replace(completion, time_ns=until + SHORT_NS)]
    assert_clean(seen)
    assert rules([*seen[:-1], replace(completion, time_ns=until + LATE_NS)]) == {"PCI-CFG-01"}


def test_an_isr_bit_lost_shows_soon() -> None:
    function = FakeFunction()
    function.start(msix=False)
    function.request(0, 3, 512)
    function.kick()
    message = find(function.facts, lambda tlp: tlp.type is TlpType.MESSAGE)
    lost = dropped(function.facts, message)
    function.facts = lost
    function.intx = False
    function.model.registers.isr = 0
    function.wait(1_200)
    function.io_read(0x13, 1)
    assert first_rule(function.facts) == "VPCI-INT-02"


def test_bus_master_off_holds_everything_up() -> None:
    function = FakeFunction()
    function.start()
    function.hold = True
    function.request(0, 3, 512)
    function.kick()
    function.config_write(0x04, 2, 0x3)
    function.wait(LATE_NS)
    function.config_write(0x04, 2, 0x7)
    function.hold = False
    function.work(0)
    assert_clean(function)
    master = find(function.facts, lambda tlp: tlp.type is TlpType.CONFIG_WRITE, channel=HOST[0], nth=-1)
    assert rule_when_late(function.facts, master + 2) == "VPCI-Q-17"


def test_polling_the_isr_hides_no_missing_message(read: FakeFunction) -> None:
    """A guest that asks all the time is no reason to be late with the message."""
    facts = read.facts[: find(read.facts, write_to(0xFEE0_1100), nth=-1)]
    read.facts = facts
    read.model.registers.isr = 1
    for _ in range(20):
        read.wait(400)
        read.io_read(0x13, 1)
    assert first_rule(read.facts, end=False) == "VRING-INT-01"


def test_time_that_passes_without_a_fact_is_enough() -> None:
    """As a real guest that waits lets it pass: the missing avail_event is told, and nothing is owed then."""
    function = served(msix=True, features=EVENT_IDX)
    event = find(function.facts, write_to(RING + 0x1044), nth=-1)
    verdicts: list[Verdict] = []
    judge = Judge(VIRTIO_PCI_RTL, block_device(), on_verdict=verdicts.append)
    for fact in function.facts[:event]:
        if fact.tlp is not None and fact.channel is not None:
            judge.tlp(fact.time_ns, fact.channel, fact.tlp)
        elif fact.media is not None:
            judge.media(fact.time_ns, fact.media)
    now = function.facts[event].time_ns
    steps = 0
    while not judge.idle:
        assert not verdicts
        now, steps = now + 1_000, steps + 1
        judge.pass_time(now)
    assert [verdict.rule for verdict in verdicts] == ["VRING-KICK-05"]
    assert steps <= 4
    judge.end_of_test(now + LATE_NS)
    assert len(verdicts) == 1, "what was told is not told again"


def test_a_reset_held_up_takes_the_line_down_when_it_is_done() -> None:
    """The disk takes its time, and only then the line goes down: just ahead of the completion."""
    function = FakeFunction()
    function.start(msix=False)
    for number in range(2):
        function.request(0, 3 + number, 512)
        function.kick()
    facts = function.facts
    answer = next(i for i in range(len(facts) - 1, 0, -1) if isinstance(facts[i].media, BlockResponse))
    function.io_write(0x12, 1, 0)
    request, message, completion = function.facts[-3:]
    at = facts[answer].time_ns
    times = (at, at + 20_000, at + 20_100, at + 20_140)
    late = [request, facts[answer], message, completion]
    seen = [replace(fact, time_ns=time) for fact, time in zip(late, times, strict=True)]
    assert_clean([*facts[:answer], *seen])


# --- requests that wait to be taken


def waited(facts: Facts, place: int, ns: int) -> Facts:
    """The host's request at `place` was offered so much earlier than it was taken."""
    late = delayed(facts, place, ns)
    return [*late[:place], replace(late[place], waited_ns=ns), *late[place + 1 :]]


@pytest.fixture
def masked() -> Facts:
    """A posted write to the table behind the completion of a read, and one more behind that."""
    function = FakeFunction()
    function.start()
    function.mem_read(0x1C)
    function.mem_write(0x1C, 1)
    function.mem_write(0x1C, 0)
    function.mem_read(0x1C)
    return function.facts


def test_a_posted_write_left_waiting_is_told(masked: Facts) -> None:
    place = find(masked, lambda tlp: tlp.type is TlpType.MEMORY_WRITE, channel=HOST[0], nth=-1)
    assert_clean(waited(masked, place, 20_000))
    assert rules(waited(masked, place, 40_000)) == {"PIN-POSTED"}
    patient = replace(VIRTIO_PCI_RTL, posted_latency_ns=50_000)
    assert not judged(waited(masked, place, 40_000), profile=patient)


def test_a_posted_write_waits_for_another_request_only_where_it_may(masked: Facts) -> None:
    """The write was offered long ago, and the read before it is completed just before it is taken."""
    place = find(masked, lambda tlp: tlp.type is TlpType.MEMORY_WRITE, channel=HOST[0], nth=-2)
    late = [*masked[:place], replace(masked[place], waited_ns=40_000), *masked[place + 1 :]]
    late = delayed(late, place - 2, 100_000)
    assert_clean(late)
    strict = replace(VIRTIO_PCI_RTL, posted_behind_non_posted=False)
    assert {verdict.rule for verdict in judged(late, profile=strict)} == {"PIN-POSTED"}


def test_a_non_posted_request_may_wait(masked: Facts) -> None:
    place = find(masked, lambda tlp: tlp.type is TlpType.MEMORY_READ, channel=HOST[0], nth=-1)
    assert_clean(waited(masked, place, LATE_NS))
