"""The judge on the golden model in packets: legal choices get no verdict, lies get that of their rule."""

from __future__ import annotations

import itertools

import pytest

from tb.flow.variables import read_variables
from tb.selfplay.bout import Order, Outcome, names, play_bout
from tb.selfplay.campaign import campaign, honest, liars, until
from tb.selfplay.choices import CHOICES, KNOWN, UNKNOWN
from tb.selfplay.clock import Clock, Signal, Steps
from tb.selfplay.lie_table import LIES, UNTOLD
from tb.selfplay.profiles import missing_fields
from tb.selfplay.shrinking import command, ranges, smallest

EVENTS = 25_000
TRIES = 25


def test_legal_choices_get_no_verdict() -> None:
    totals = campaign(honest(Order(1)), until(EVENTS), 1, lambda _: None)
    assert totals.events >= EVENTS
    assert [str(alarm.crash or alarm.verdicts[0]) for alarm in totals.alarms] == []


def told(name: str) -> bool:
    """Whether the lie is told by its rule in one of the first bouts that have an opportunity for it."""
    for order in itertools.islice(liars(Order(1), (name,)), TRIES):
        outcome = play_bout(order)
        if outcome.lied and not outcome.false_alarms and outcome.told:
            return True
    return False


@pytest.mark.parametrize("family", range(4))
def test_lies_are_told(family: int) -> None:
    names = [name for name in LIES if name != "disk_after_fault"][family::4]
    assert [name for name in names if not told(name)] == []


def test_the_tables_are_whole() -> None:
    assert missing_fields() == set()
    assert len(LIES) >= 100
    assert set(LIES) >= UNTOLD
    assert set(KNOWN) | set(UNKNOWN) == set(CHOICES)
    for name in UNKNOWN:
        assert CHOICES[name].accused_by


def test_a_bout_is_the_same_each_time() -> None:
    first, second = play_bout(Order(3)), play_bout(Order(3))
    assert (first.events, first.now_ns) == (second.events, second.now_ns)


def test_a_false_alarm_is_made_small() -> None:
    """A legal choice that the judge does not know stands in for a fault of the judge."""
    found = next(o for o in map(unjudged, itertools.count(1)) if o.false_alarms)
    small = smallest(found, limit_s=2.0)
    assert small.false_alarms[0].rule == found.false_alarms[0].rule
    assert small.events <= found.events
    assert command(small.order).startswith(f"make selfplay SEED={found.order.seed} EVENTS=1 CHOICES=")


def unjudged(seed: int) -> Outcome:
    return play_bout(Order(seed, ("spurious_message", "chains_overlap")))


def test_what_is_printed_can_be_given_back() -> None:
    assert ranges((0, 1, 2, 3, 7)) == "0-3,7"
    assert ranges(()) == "none"
    variables = read_variables("selfplay", {"STEPS": "0-3,7", "CHOICES": "split_reads", "EVENTS": "1"})
    assert variables.steps == (0, 1, 2, 3, 7)
    assert variables.choices == "split_reads"
    assert read_variables("selfplay", {"STEPS": "none"}).steps == ()


def test_rules_are_found_by_name_and_by_family() -> None:
    assert names("VBLK-06 VRING-US-03", "VRING-US-03")
    assert not names("VBLK-06", "VBLK-0")
    assert names("stop", "BAD-RING-05")
    assert not names("stop", "VRING-US-03")


def test_the_clock_runs_tasks_in_the_order_of_their_times() -> None:
    clock, signal = Clock(), Signal()
    seen: list[tuple[int, str]] = []

    def waiter() -> Steps[None]:
        value = yield signal
        seen.append((clock.now, value))

    def other() -> Steps[None]:
        yield 5
        seen.append((clock.now, "slept"))
        clock.fire(signal, "rung")
        yield 5
        seen.append((clock.now, "slept"))

    def stopped() -> Steps[None]:
        yield 7
        seen.append((clock.now, "never"))

    clock.spawn(waiter())
    clock.spawn(other())
    task = clock.spawn(stopped())
    clock.call(6, lambda: setattr(task, "alive", False))
    clock.run(lambda: True)
    assert seen == [(5, "slept"), (5, "rung"), (10, "slept")]
