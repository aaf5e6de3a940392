"""One plan on QEMU and on the model, row by row: the rows with QEMU's answers, and where the model differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tb.models.profile import Profile
from tb.oracle.live.kinds import Kind
from tb.oracle.live.target import QemuTarget
from tb.oracle.replay import VALUE_KEYS, Difference, Replay, Result
from tb.oracle.trace import Row


@dataclass(slots=True)
class Duel:
    """``rows``: a trace's rows, complete; ``differences``: as a replay of them would find."""

    rows: list[Row] = field(default_factory=list)
    observations: int = 0
    differences: list[Difference] = field(default_factory=list)


def fight(program: str, profile: Profile, kind: Kind, rows: Sequence[Row], most: int = 0) -> Duel:
    """Play ``rows`` on a fresh QEMU and a fresh model; stop after ``most`` differences (0: never)."""
    duel = Duel()
    replay = Replay(profile, kind.header(), Result(Path(kind.name)))
    with QemuTarget(program, kind) as target:
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
