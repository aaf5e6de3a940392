"""One plan on a target and on the model, row by row: the rows with the target's answers, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tb.models.profile import Profile
from tb.oracle.live.kinds import Kind
from tb.oracle.replay import VALUE_KEYS, Difference, Replay, Result
from tb.oracle.trace import Row


class Target(Protocol):
    """What performs the rows of a trace."""

    def answer(self, row: Row, expected: Any) -> Any:
        """Perform ``row``; for an observation the answer. ``expected``: what to wait for."""


Opener = Callable[[Kind], AbstractContextManager[Target]]


@dataclass(slots=True)
class Duel:
    """``rows``: a trace's rows, complete; ``differences``: as a replay of them would find."""

    rows: list[Row] = field(default_factory=list)
    observations: int = 0
    differences: list[Difference] = field(default_factory=list)


def fight(opener: Opener, profile: Profile, kind: Kind, rows: Sequence[Row], most: int = 0) -> Duel:
    """Play ``rows`` on a fresh target and a fresh model; stop after ``most`` differences (0: never)."""
    duel = Duel()
    replay = Replay(profile, kind.header(), Result(Path(kind.name)))
    with opener(kind) as target:
        for line, row in enumerate(rows, 2):
            expected = replay.answer(row)
            seen = target.answer(row, expected)
            recorded = row
            if replay.observes(row):
                recorded = row | {VALUE_KEYS.get(row["op"], "value"): seen}
                duel.observations += 1
                if seen != expected:
                    duel.differences.append(replay.difference(line, recorded, expected))
            duel.rows.append(recorded)
            if most and len(duel.differences) >= most:
                break
    return duel
