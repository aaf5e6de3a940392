"""The judge and a queue that is slow, or whose guest has taken something back: what is owed, since when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import F_EVENT_IDX, F_NOTIFY_ON_EMPTY
from tests.unit.fake_function import RING, FakeFunction, judged
from tests.unit.planting import Facts, altered, assert_clean, find, read_of, rules, write_to

AVAILABLE, DATA = RING + 0x80, 0x18_1000
SLOW_NS = 20_000
STATUS = 0x12


def one_read(count: int = 512) -> FakeFunction:
    """A function that has served one read."""
    function = FakeFunction()
    function.start()
    function.request(0, 3, count)
    function.kick()
    return function


def index_read(facts: Facts, nth: int, index: int) -> Facts:
    """`facts` where the nth read of the available index gives another one."""
    answer = find(facts, read_of(AVAILABLE), nth=nth) + 1
    tlp = facts[answer].tlp
    assert tlp is not None
    return altered(facts, answer, data=tlp.data[:2] + index.to_bytes(2, "little"))


def test_a_chain_that_the_guest_takes_back_is_not_owed() -> None:
    taken_back = index_read(one_read().facts, 0, 2)
    assert_clean(taken_back)
    assert "BAD-DEV-11" in rules(index_read(taken_back, 1, 2))


@pytest.mark.parametrize(("moves_on", "found"), [(True, set()), (False, {"BAD-DEV-11"})])
def test_a_queue_that_goes_on_writing_is_not_at_rest(moves_on: bool, found: set[str]) -> None:
    function = one_read(2048)
    first = find(function.facts, write_to(DATA))
    slow, late = [], 0
    for place, fact in enumerate(function.facts[: first + 12]):
        late += SLOW_NS if moves_on and place >= first else 0
        slow.append(replace(fact, time_ns=fact.time_ns + late))
    function.facts = slow
    function.wait(13 * SLOW_NS)
    function.io_write(STATUS, 1, 0)
    patient = replace(VIRTIO_PCI_RTL, dma_latency_ns=50_000)
    assert {verdict.rule for verdict in judged(function.facts, profile=patient)} == found


def test_a_ring_emptied_by_taking_back_may_interrupt() -> None:
    function = FakeFunction()
    function.start(features=1 << F_NOTIFY_ON_EMPTY | 1 << F_EVENT_IDX)
    for _ in range(2):  # the first decision after a start interrupts in any case
        function.set_suppression(used_event=7)
        function.request(0, 3, 512)
        function.kick()
    assert_clean(function)
    reads = sum(fact.tlp is not None and read_of(AVAILABLE)(fact.tlp) for fact in function.facts)
    seen = [nth for nth in range(reads) if index_of(function.facts, nth) == 2]
    assert_clean(index_read(function.facts, seen[0], 3))


def index_of(facts: Facts, nth: int) -> int:
    """What the nth read of the available index gave."""
    tlp = facts[find(facts, read_of(AVAILABLE), nth=nth) + 1].tlp
    assert tlp is not None
    return int.from_bytes(tlp.data[2:4], "little")
