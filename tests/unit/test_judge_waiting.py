"""What waits for what, when the trace of a right function is cut off at any point."""

from __future__ import annotations

import pytest

from tb.models.judge.judge import Judge
from tb.models.profile import VIRTIO_PCI_RTL
from tb.pcie.tlp import Channel
from tests.unit.fake_function import SECTOR, Fact, FakeFunction, block_device

READ = 0


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    function = FakeFunction()
    function.start()
    function.request(READ, 3, 2 * SECTOR)
    function.kick()
    return function.facts


def waiting(facts: list[Fact]) -> list[str]:
    judge = Judge(VIRTIO_PCI_RTL, block_device(), on_verdict=lambda verdict: pytest.fail(str(verdict)))
    for fact in facts:
        if fact.tlp is not None and fact.channel is not None:
            judge.tlp(fact.time_ns, fact.channel, fact.tlp)
        elif fact.media is not None:
            judge.media(fact.time_ns, fact.media)
    return judge.waiting


def test_nothing_waits_at_the_end(facts: list[Fact]) -> None:
    assert waiting(facts) == []


def test_each_stage_has_its_words(facts: list[Fact]) -> None:
    seen = "\n".join(clause for end in range(len(facts)) for clause in waiting(facts[:end]))
    for words in (
        "for its completion on tx_cpl",
        "for its answer on rx_cpl",
        "queue 0, silent since",
        "a kick for the available index to be read",
        "1 chains from available index 0 on to be taken",
        "descriptor 0 is still to be fetched",
        "it waits for MediaRead",
        "bytes are still to be written",
        "its used element is missing",
    ):
        assert words in seen, words


def test_a_request_is_named_with_its_time(facts: list[Fact]) -> None:
    last = max(i for i, fact in enumerate(facts) if fact.channel is Channel.RX_REQ)
    clauses = waiting(facts[: last + 1])
    assert any(str(facts[last].tlp) in one and f"{facts[last].time_ns:,} ns" in one for one in clauses)
