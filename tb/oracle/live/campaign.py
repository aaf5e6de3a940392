"""Plays bouts over many seeds; makes each difference short and keeps it as a trace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tb.models.profile import Profile
from tb.oracle.__main__ import sentence
from tb.oracle.live.bouts import Bout
from tb.oracle.live.duel import Duel, Opener, fight
from tb.oracle.live.process import QemuError
from tb.oracle.live.shrink import shrink
from tb.oracle.replay import Difference
from tb.oracle.trace import Row

SHRINK_S = 60.0  # for one difference
SHRUNK = 5  # differences of a campaign that are made short; further ones are kept as they are

_LOOKS = frozenset(("cfg_r", "mem_r", "ram_r", "used_set", "intx", "settle"))


class Reporter(Protocol):
    """Who is told what happens."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def advance(self, done: int, what: str) -> None:
        """``done`` bouts are over; ``what`` comes next."""


@dataclass(slots=True)
class Totals:
    """What a campaign gave. ``faults``: bouts that could not be played."""

    bouts: int = 0
    observations: int = 0
    differences: int = 0
    faults: int = 0
    traces: list[Path] = field(default_factory=list)


class Campaign:
    """Plays bouts against targets from ``opener``; traces of differences go below ``folder``."""

    def __init__(
        self, opener: Opener, profile: Profile, folder: Path, reporter: Reporter, shrink_s: float = SHRINK_S
    ) -> None:
        self.totals = Totals()
        self._opener = opener
        self._profile = profile
        self._folder = folder
        self._reporter = reporter
        self._shrink_s = shrink_s

    def play(self, bouts: Iterable[Bout], keep: Path | None = None) -> None:
        """Play all ``bouts``. ``keep``: a folder that gets the trace of each one without a difference."""
        for bout in bouts:
            self._reporter.advance(self.totals.bouts, bout.name)
            try:
                self._play_one(bout, keep)
            except QemuError as error:
                self.totals.faults += 1
                self._reporter.say(f"{bout.name}: cannot be played: {error}")
            self.totals.bouts += 1

    def _play_one(self, bout: Bout, keep: Path | None) -> None:
        rows = bout.rows(self._profile)
        duel = fight(self._opener, self._profile, bout.kind, rows)
        self.totals.observations += duel.observations
        if duel.differences:
            self._investigate(bout, rows, duel)
        elif keep is not None:
            save(keep / f"{bout.name}.jsonl", bout.header(), duel.rows)

    def _investigate(self, bout: Bout, rows: Sequence[Row], duel: Duel) -> None:
        """Tell of the differences of a bout; keep the first as a short trace, or the bout as it is."""
        self.totals.differences += len(duel.differences)
        first = duel.differences[0]
        self._reporter.say(f"{bout.name}: {len(duel.differences)} differences in {len(rows)} rows")
        self._reporter.say("  " + sentence(first))
        self._reporter.say(f"  make oracle LIVE=1 SEED={bout.seed} SEEDS=1 DEVICE={bout.kind.name}")
        path = self._folder / f"{bout.name}.jsonl"
        if len(self.totals.traces) < SHRUNK:
            duel = self._shorter(bout, rows[: first.line - 1], first) or duel
        save(path, bout.header(), duel.rows)
        self.totals.traces.append(path)
        self._reporter.say(f"  kept, {len(duel.rows)} rows: {path}")

    def _shorter(self, bout: Bout, rows: Sequence[Row], first: Difference) -> Duel | None:
        """The shortest part of ``rows`` found that still differs so; None: it does not differ again."""

        def differs(part: Sequence[Row]) -> bool:
            try:
                found = fight(self._opener, self._profile, bout.kind, part, most=1).differences
            except QemuError:
                return False
            return any(_kind_of(each) == _kind_of(first) for each in found)

        if not differs(rows):
            self._reporter.say("  it did not come again on a fresh QEMU: a matter of time")
            return None
        last = rows[-1]
        kept = shrink(
            rows,
            differs,
            limit_s=self._shrink_s,
            droppable=lambda row: row is not last and row["op"] in _LOOKS,
        )
        return fight(self._opener, self._profile, bout.kind, kept)


def _kind_of(difference: Difference) -> tuple[str, str, str]:
    """What makes two differences the same: what was looked at, whichever of its kind."""
    return difference.row["op"], difference.rule, re.sub(r"0x[0-9a-f]+|[0-9]+", "", difference.place)


def save(path: Path, header: Row, rows: Sequence[Row]) -> None:
    """Write a trace in the recorded format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header | {"ops": len(rows)}, *rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
