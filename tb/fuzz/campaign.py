"""The loop: take a genome, change it, play it, keep it if it reached something new, and what it found.

It knows no simulator: what plays the genomes and says what was reached is an `Arena`.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tb.fuzz.corpus import Corpus
from tb.fuzz.findings import Fault, Finding, Findings, first_fault
from tb.fuzz.grammar import Step
from tb.fuzz.mutation import fresh, offspring
from tb.fuzz.shrink import shrink

FRESH_SHARE = 0.05
LOOK_S = 5.0
SHRINK_PLAYS = 400
REMEMBERED = 6


@dataclass(slots=True, frozen=True)
class Played:
    """What one play brought: faults in the order in which they showed, and how much that is new."""

    faults: tuple[Fault, ...] = ()
    fresh: int = 0


class Arena(Protocol):
    """What plays genomes, each from power-up."""

    async def play(self, steps: Sequence[Step], *, remember: bool = True) -> Played:
        """Play; without `remember`, what is reached stays new."""
        ...


@dataclass(slots=True, frozen=True)
class Limits:
    """When a campaign ends: after so many genomes, or seconds, or findings."""

    genomes: int = 1 << 62
    seconds: float = float("inf")
    findings: int = 1 << 62


@dataclass(slots=True)
class Campaign:
    """One process's fuzzing. `said` is told now and then how far it is."""

    arena: Arena
    corpus: Corpus
    findings: Findings
    rng: random.Random
    limits: Limits
    said: Callable[[Campaign], None] = lambda _campaign: None
    clock: Callable[[], float] = time.monotonic
    genomes: int = 0
    kept: int = 0
    features: int = 0
    replayed: int = 0
    _started: float = 0.0
    _look_at: float = 0.0
    _latest: deque[list[Step]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    async def run(self, seeds: Sequence[Sequence[Step]] = ()) -> None:
        """Play `seeds` and what lies in the corpus, then evolve until a limit is reached."""
        self._started = self.clock()
        await self._look_around(prune=True)
        for steps in seeds:
            await self._try(list(steps))
        while not self._done():
            if self.clock() >= self._look_at:
                await self._look_around()
            await self._try(self._next())
            self.said(self)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return self.clock() - self._started

    def _done(self) -> bool:
        limits = self.limits
        return (
            self.genomes >= limits.genomes
            or self.seconds >= limits.seconds
            or len(self.findings.by_shape) >= limits.findings
        )

    def _next(self) -> list[Step]:
        if not self.corpus.genomes or self.rng.random() < FRESH_SHARE:
            return fresh(self.rng)
        return offspring(self.rng, self.corpus.parent(self.rng), self.corpus.parent(self.rng))

    async def _look_around(self, *, prune: bool = False) -> None:
        """Play what other processes have found: then it is new no more, and a parent here too.

        With `prune`, which asks that nothing was played before, a genome that brings nothing is dropped.
        """
        for steps in self.corpus.news():
            if self.seconds >= self.limits.seconds:
                break
            played = await self.arena.play(steps)
            self.replayed += 1
            self.features += played.fresh
            if played.fresh:
                self.corpus.take_over(steps)
            elif prune and not played.faults:
                self.corpus.drop(steps)
            await self._judge(steps, played)
            self.said(self)
        self._look_at = self.clock() + LOOK_S

    async def _try(self, steps: list[Step]) -> None:
        """Play one genome for the first time."""
        played = await self.arena.play(steps)
        self.genomes += 1
        self.features += played.fresh
        await self._judge(steps, played)
        # What ends in a fault has seen states that no right function is in: it is a finding, not a parent.
        if played.fresh and not played.faults and self.corpus.add(steps):
            self.kept += 1
        self._latest.append(steps)

    async def _judge(self, steps: list[Step], played: Played) -> None:
        fault = first_fault(played.faults)
        if fault is None or self.findings.known(fault):
            return
        if await self._again(steps, fault):
            shortest = await shrink(steps, lambda some: self._again(some, fault), plays=SHRINK_PLAYS)
            self.findings.keep(Finding(fault, shortest, self.genomes))
        else:
            before = list(self._latest)
            self.findings.keep(Finding(fault, steps, self.genomes, alone=False, before=before))

    async def _again(self, steps: Sequence[Step], fault: Fault) -> bool:
        """Whether a genome shows the same kind of fault first."""
        played = await self.arena.play(steps, remember=False)
        first = first_fault(played.faults)
        return first is not None and first.shape == fault.shape
