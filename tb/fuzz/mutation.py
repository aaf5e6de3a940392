"""How genomes come to be: from chance, from one other, from two."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tb.fuzz.grammar import Step, changed, random_step

LONGEST = 48
"""Steps of a genome: short ones play fast and say more about what mattered."""
SHORTEST_FRESH, LONGEST_FRESH = 4, 16
ATTACH_SHARE = 0.8
"""How many fresh genomes begin with a guest that starts the function: without it little else happens."""
SPLICE_SHARE = 0.2
MORE_SHARE = 0.5
"""After each mutation, the chance of one more."""

Genome = list[Step]
Mutation = Callable[[random.Random, Genome], None]


def fresh(rng: random.Random) -> Genome:
    """A genome from nothing."""
    steps = [random_step(rng) for _ in range(rng.randint(SHORTEST_FRESH, LONGEST_FRESH))]
    if rng.random() < ATTACH_SHARE:
        steps.insert(0, changed(rng, ("start", 0x3000_0000, 1, rng.randrange(3))))
    return steps


def offspring(rng: random.Random, parent: Sequence[Step], other: Sequence[Step]) -> Genome:
    """A genome like `parent`, with some of `other` now and then, and at least one thing changed."""
    steps = list(parent)
    if other and rng.random() < SPLICE_SHARE:
        _splice(rng, steps, other)
    while True:
        rng.choice(MUTATIONS)(rng, steps)
        if rng.random() >= MORE_SHARE:
            break
    return steps[:LONGEST]


def _splice(rng: random.Random, steps: Genome, other: Sequence[Step]) -> None:
    """A run of `other` goes in somewhere, or takes the place of what follows there."""
    first = rng.randrange(len(other))
    piece = other[first : first + rng.randint(1, 12)]
    at = rng.randint(0, len(steps))
    steps[at : at if rng.random() < 0.5 else len(steps)] = piece


def _insert(rng: random.Random, steps: Genome) -> None:
    steps.insert(rng.randint(0, len(steps)), random_step(rng))


def _delete(rng: random.Random, steps: Genome) -> None:
    if len(steps) > 1:
        first = rng.randrange(len(steps))
        del steps[first : first + rng.choice((1, 1, 1, 2, 4))]
    if not steps:
        steps.append(random_step(rng))


def _change(rng: random.Random, steps: Genome) -> None:
    if steps:
        at = rng.randrange(len(steps))
        steps[at] = changed(rng, steps[at])


def _repeat(rng: random.Random, steps: Genome) -> None:
    """A run of steps once more, a little later: second rounds find what first ones left behind."""
    if steps:
        first = rng.randrange(len(steps))
        piece = steps[first : first + rng.randint(1, 6)]
        at = rng.randint(first, len(steps))
        steps[at:at] = piece


def _swap(rng: random.Random, steps: Genome) -> None:
    if len(steps) > 1:
        at = rng.randrange(len(steps) - 1)
        steps[at], steps[at + 1] = steps[at + 1], steps[at]


MUTATIONS: tuple[Mutation, ...] = (_insert, _insert, _delete, _change, _change, _change, _repeat, _swap)
