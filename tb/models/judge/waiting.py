"""What waits for what, in words, for the moment when nothing moves any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tb.models.judge.completions import Completions
from tb.models.judge.facts import Facts
from tb.models.judge.queues.state import QueueState

_SHOWN = 3


def waiting(facts: Facts, completions: Completions, queues: Iterable[QueueState]) -> Iterator[str]:
    """A clause for each thing that is due, with its time where one is known.

    What the host has spoilt on purpose is not due, nor is anything of a queue that must stand still, that was
    never kicked, or whose chains the device may keep.
    """
    for expected in completions.waiting.values():
        yield f"{expected.tlp} of {expected.time_ns:,} ns for its completion on tx_cpl"
    for read in facts.reads.values():
        if not read.unanswered:
            yield f"the function's {read.tlp} of {read.time_ns:,} ns for its answer on rx_cpl"
    if not facts.snapshots.latest.bus_master:
        return  # the queues rest until the function may master the bus again
    for state in queues:
        due = list(_due(state, facts.device.wants(state.number)))
        if due:
            yield f"queue {state.number}, silent since {state.last_dma_ns:,} ns: {', '.join(due)}"


def _due(state: QueueState, wanted: bool) -> Iterator[str]:
    if state.stopped or state.excused or not state.kicked:
        return
    if state.owes_look:
        yield "a kick for the available index to be read"
    if not wanted:
        return
    if state.due:
        yield f"{state.due} chains from available index {state.next_slot} on to be taken"
    for chain in state.chains[:_SHOWN]:
        yield f"{chain}: {chain.stage}"
    if len(state.chains) > _SHOWN:
        yield f"{len(state.chains) - _SHOWN} more chains"
