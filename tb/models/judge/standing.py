"""Where the judge stands, in few classes: for whoever asks whether a situation is new."""

from __future__ import annotations

from collections.abc import Iterable

from tb.models.judge.completions import Completions
from tb.models.judge.facts import Facts
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.state import QueueState

Standing = tuple[object, ...]
_MANY = 2


def standing(facts: Facts, completions: Completions, queues: Iterable[QueueState]) -> Standing:
    """Classes, not numbers: none, one, many of what is open, and how far each queue and its chains are."""
    return (
        facts.may_send,
        facts.reads_missing,
        _few(len(facts.reads)),
        _few(len(completions.waiting)),
        _few(len(facts.snapshots.states)),
        *(_queue(state) for state in queues),
    )


def _queue(state: QueueState) -> Standing:
    return (
        state.kicked,
        state.stop_rule,
        state.excused,
        state.retired,
        state.owes_look,
        _few(state.exposed),
        state.undecided,
        bool(state.open_samples),
        state.event_looked,
        *(_chain(chain) for chain in state.chains[:_MANY]),
    )


def _chain(chain: JudgedChain) -> Standing:
    operation = chain.operation
    return (
        chain.fetch is not None,
        "" if operation is None else type(operation).__name__,
        chain.effects is not None,
        bool(chain.owed),
        chain.dead,
        chain.lost,
    )


def _few(count: int) -> int:
    return min(count, _MANY)
