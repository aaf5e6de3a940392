"""Interrupts without a cause, as far as the profile allows them (VRING-INT-01: the function should not)."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.worlds import Worlds
from tb.models.judge.snapshots import NO_VECTOR, Snapshot


class Spare:
    """Counts them between two interrupts that have a cause.

    One is judged as if a queue that is set up had a cause for it: masks, bus master and reset hold for it as
    for any other, and it pays no debt of a cause that comes later.
    """

    def __init__(self, facts: Facts, worlds: Worlds, queues: int) -> None:
        self._facts = facts
        self._worlds = worlds
        self._queues = range(queues)
        self._most = self._left = facts.profile.spurious_interrupts

    def renew(self) -> None:
        """An interrupt has got a cause."""
        self._left = self._most

    def explains(self, vectors: list[int] | None, take: Callable[[], bool]) -> bool:
        """Whether an interrupt that `take` found no cause for is one too many that is allowed.

        `vectors` are those the message may be of, None for INTx.
        """
        if not self._left or not self._facts.queues:
            return False
        states = self._worlds.states
        for queue in self._queues:
            if vectors is None or any(_of(state, queue) in vectors for state in states):
                self._worlds.cause(queue, states[-1].generation, certain=False)
        if not take():
            return False
        self._left -= 1
        return True


def _of(state: Snapshot, queue: int) -> int:
    return state.vectors[queue] if queue < len(state.vectors) else NO_VECTOR
