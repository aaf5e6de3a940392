"""Hostile functions: the table of `tests/hostile/kinds.toml`, and whether a run of one ended as it must."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tb.flow.campaign import Job
from tb.flow.errors import FlowError
from tb.flow.paths import ROOT, shown
from tb.flow.plan import Plan, load_plan, unknown
from tb.flow.simulation import Outcome

FOLDER = ROOT / "tests" / "hostile"
DUT = FOLDER / "dut.toml"
TABLE = FOLDER / "kinds.toml"
MAIN_JOB = "MainJobTest"
BYTES = 64 << 10
"""Of the disk: the main job is there to bring the function into work."""
MOST_CPU_S = 30.0
MOST_MB = 200.0
LIMIT_S = 120.0
"""Of wall-clock time, after which a run is killed: a machine may be busy with other things."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """One kind: what must come of it. A verdict has to name one of `rules` and have all of `words`."""

    name: str
    row: str
    rules: tuple[str, ...]
    words: tuple[str, ...] = ()
    test: str = MAIN_JOB


def read_kinds(path: Path = TABLE) -> list[Hostile]:
    """The table. Raises FlowError, naming file and kind, for an entry that is wrong."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    kinds = []
    for name, entry in table.items():
        wrong = sorted(entry.keys() - {"row", "rules", "words", "test"})
        if wrong or not entry.get("row") or not entry.get("rules"):
            what = f"{wrong[0]} is unknown" if wrong else "row and rules must be given"
            raise FlowError(f"{shown(path)}: {name}: {what}.")
        words = tuple(entry.get("words", ()))
        kinds.append(Hostile(name, entry["row"], tuple(entry["rules"]), words, entry.get("test", MAIN_JOB)))
    return kinds


def select(kinds: Sequence[Hostile], wanted: str | None) -> list[Hostile]:
    """All, or the one of that name. Raises FlowError, listing the known ones."""
    chosen = [one for one in kinds if wanted in (None, one.name)]
    if not chosen:
        raise FlowError(unknown("KIND", wanted or "", [one.name for one in kinds]))
    return chosen


def hostile_plan() -> Plan:
    """The test plan for a hostile function."""
    return load_plan(dut=DUT)


def function_of(hostile: str, dut: Path | None) -> Path | None:
    """The description that `HOSTILE=` and `DUT=` choose. Raises FlowError for a kind that does not exist."""
    if not hostile:
        return dut
    select(read_kinds(), hostile)
    return DUT


def job_of(kind: Hostile, plan: Plan, seed: int, folder: Path) -> Job:
    """The simulation of one kind, in a folder of its own below `folder`."""
    (run,) = plan.runs(kind.test)[:1]
    run = replace(run, limit_s=LIMIT_S)
    return Job(run, seed, folder / kind.name, bytes_limit=BYTES, hostile=kind.name)


def culprit(kind: Hostile, outcome: Outcome) -> str:
    """The verdict that names what the function did, empty where there is none."""
    for verdict in outcome.verdicts:
        named = any(re.search(rf"(?<![\w-]){re.escape(rule)}(?![\w-])", verdict) for rule in kind.rules)
        if named and all(word in verdict for word in kind.words):
            return verdict
    return ""


def fault_of(kind: Hostile, outcome: Outcome) -> str:
    """In what a run did not end as it must, as a sentence; empty when it did."""
    if outcome.passed:
        return "It passed."
    if outcome.timed_out:
        return f"It did not end by itself. {outcome.message}"
    if not culprit(kind, outcome):
        wanted = " or ".join(kind.rules) + "".join(f", {word!r}" for word in kind.words)
        return f"No verdict names {wanted}. {outcome.message}"
    if outcome.cpu_s > MOST_CPU_S:
        return f"It took {outcome.cpu_s:.0f} s of processor time; {MOST_CPU_S:.0f} are allowed."
    if outcome.peak_rss_mb > MOST_MB:
        return f"It took {outcome.peak_rss_mb:.0f} MB of memory; {MOST_MB:.0f} are allowed."
    return ""
