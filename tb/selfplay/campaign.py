"""Many bouts on several cores: honest ones, or one lie each; what was wrong,
and which lies were told by a verdict.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from tb.selfplay.bout import Order, Outcome, play_bout
from tb.selfplay.lie_table import LIES

AHEAD = 4
"""Bouts handed to each process before their results are taken."""
ENOUGH_FAILURES = 20


@dataclass(slots=True)
class LieTally:
    """One kind of lie: bouts played for it, lies told, verdicts of its rules; an example that had none."""

    played: int = 0
    lied: int = 0
    told: int = 0
    example: Outcome | None = None


@dataclass(slots=True)
class Totals:
    """What a campaign came to. `alarms`: bouts with a verdict that no lie explains,
    or in which the judge broke.
    """

    bouts: int = 0
    events: int = 0
    verdicts: int = 0
    alarms: list[Outcome] = field(default_factory=list)
    lies: dict[str, LieTally] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take in one bout."""
        self.bouts += 1
        self.events += outcome.events
        if outcome.crash or outcome.false_alarms:
            self.verdicts += max(len(outcome.false_alarms), 1)
            self.alarms.append(outcome)
        elif outcome.order.lie:
            tally = self.lies.setdefault(outcome.order.lie, LieTally())
            tally.played += 1
            tally.lied += outcome.lied
            tally.told += outcome.lied and outcome.told
            if outcome.lied and not outcome.told:
                tally.example = tally.example or outcome

    @property
    def lied(self) -> int:
        return sum(tally.lied for tally in self.lies.values())

    @property
    def told(self) -> int:
        return sum(tally.told for tally in self.lies.values())

    @property
    def untold(self) -> list[str]:
        """Lies of which one at least had no verdict of its rule."""
        return [name for name, tally in self.lies.items() if tally.told < tally.lied]

    @property
    def untried(self) -> list[str]:
        """Lies for which no bout had an opportunity."""
        return [name for name, tally in self.lies.items() if not tally.lied]


def play_safely(order: Order) -> Outcome:
    """Play; a judge that breaks is an outcome, too."""
    try:
        return play_bout(order)
    except Exception:  # whatever breaks is the finding
        return Outcome(order, crash=traceback.format_exc())


def honest(first: Order) -> Iterator[Order]:
    """Bouts of following seeds without a lie."""
    seed = first.seed
    while True:
        yield Order(seed, first.choices, steps=first.steps)
        seed += 1


def liars(first: Order, names: tuple[str, ...] = tuple(LIES)) -> Iterator[Order]:
    """Bouts of following seeds, the lies in turn."""
    seed = first.seed
    while True:
        for name in names:
            yield Order(seed, first.choices, lie=name, steps=first.steps)
            seed += 1


Progress = Callable[[Totals], None]


def campaign(
    orders: Iterator[Order], goes_on: Callable[[Totals], bool], jobs: int, progress: Progress
) -> Totals:
    """Play `orders` on `jobs` processes while `goes_on` says so."""
    totals = Totals()
    if jobs == 1:
        while goes_on(totals):
            totals.add(play_safely(next(orders)))
            progress(totals)
        return totals
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[Outcome]] = set()
        while goes_on(totals):
            while len(running) < AHEAD * jobs:
                running.add(pool.submit(play_safely, next(orders)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                totals.add(each.result())
            progress(totals)
        for each in running:
            each.cancel()
    return totals


def until(events: int) -> Callable[[Totals], bool]:
    """Go on until so many events have passed, or enough has failed."""
    return lambda totals: totals.events < events and len(totals.alarms) < ENOUGH_FAILURES
