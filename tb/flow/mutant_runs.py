"""Running tests on mutants: which tests can notice a mutant at all, and which one does.

Every test runs once on a copy that only notes which mutants would have made a difference anywhere on the
way (the probe). A test in which a mutant makes none cannot notice it and is not run on it. The others run in
the order of what they have killed in that file for the time they take, each up to its first verdict.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.flow.build import Recipe
from tb.flow.campaign import Job
from tb.flow.errors import FlowError
from tb.flow.mutant_copies import MutantCopy
from tb.flow.paths import SIM_BUILD, write_atomically
from tb.flow.plan import Run
from tb.flow.simulation import Outcome, simulate
from tb.mutation.mutant import Mutant
from tb.mutation.names import REACHED_FILE

MUTANTS = SIM_BUILD / "mutants"
HISTORY = MUTANTS / "history.json"
# A run takes at most so much more simulated time than without a fault; both are generous: time alone is no
# mistake, but a guest that waits for ever must end.
TIMES_LONGER = 4
LONGER_NS = 20_000_000
LIMIT_S = 180.0
SEEDS = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """What one test does without a fault: which mutants would make a difference, and how long it takes.

    `simulated_ns` is 0 where it is not known.
    """

    run: Run
    reached: frozenset[Mutant]
    wall_s: float
    simulated_ns: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Which test noticed a mutant, and what it says."""

    run: str
    told: str


def recipe(run: Run, copy: MutantCopy) -> Recipe:
    """The build of a copy that a run needs."""
    return Recipe(run.configuration, rtl=copy.folder, builds=copy.folder / "build", optimised=False)


def seed_of(run: Run, seed: int) -> int:
    """The seed of a test: always the same one, and not the same for all.

    Registers that no reset reaches start with what the seed chooses, and should not start alike everywhere.
    """
    return seed + zlib.crc32(run.name.encode()) % SEEDS


async def probe(run: Run, copy: MutantCopy, seed: int) -> Probe:
    """Run a test on a probing copy. Raises FlowError where it fails there: it would notice everything."""
    job = Job(run, seed_of(run, seed), MUTANTS / "probes" / run.name)
    outcome = await simulate(run, recipe(run, copy), job.options(), job.folder)
    if not outcome.passed:
        raise FlowError(f"{run.name} fails on the RTL without a fault: {outcome.message}")
    path = job.folder / REACHED_FILE
    numbers = path.read_text(encoding="ascii").split() if path.exists() else []
    reached = frozenset(copy.mutants[int(number) - 1] for number in numbers)
    return Probe(run, reached, outcome.wall_s, outcome.count("simulated_ns"))


async def killed(mutants: Sequence[Mutant], copy: MutantCopy, one: Probe, seed: int) -> Kill | None:
    """What a test says of the mutants, all turned on at once; None if it notices nothing."""
    outcome = await _run(mutants, copy, one, seed)
    if outcome.passed:
        return None
    return Kill(one.run.name, next(iter(outcome.verdicts), outcome.message))


async def _run(mutants: Sequence[Mutant], copy: MutantCopy, one: Probe, seed: int) -> Outcome:
    numbers = tuple(copy.number(mutant) for mutant in mutants)
    folder = MUTANTS / "runs" / ("-".join(map(str, numbers)) or "none") / one.run.name
    run = dataclasses.replace(one.run, limit_s=LIMIT_S)
    limit_ns = TIMES_LONGER * one.simulated_ns + LONGER_NS if one.simulated_ns else 0
    options = dataclasses.replace(
        Job(run, seed_of(run, seed), folder).options(), faults=numbers, verdicts=1, limit_ns=limit_ns
    )
    outcome = await simulate(run, recipe(run, copy), options, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


class History:
    """What each test has killed in each file until now: the best guess at what kills soonest."""

    def __init__(self, path: Path = HISTORY) -> None:
        self._path = path
        self._counts: dict[str, dict[str, list[int]]] = {}
        if path.exists():
            self._counts = json.loads(path.read_text(encoding="utf-8"))

    def note(self, file: str, run: str, *, killed: bool) -> None:
        """A test was tried on a mutant of `file`."""
        tried = self._counts.setdefault(file, {}).setdefault(run, [0, 0])
        tried[0] += 1
        tried[1] += killed

    def best(self, file: str, probes: Sequence[Probe]) -> Probe:
        """The test that kills most for its time."""
        counts: Mapping[str, list[int]] = self._counts.get(file, {})

        def worth(one: Probe) -> float:
            tried, kills = counts.get(one.run.name, (0, 0))
            return (kills + 2 * self._share(one.run.name)) / (tried + 2) / max(one.wall_s, 0.1)

        return max(probes, key=worth)

    def _share(self, run: str) -> float:
        """What share of all mutants it was tried on a test has killed, in any file; a half of none."""
        counts = [one[run] for one in self._counts.values() if run in one]
        tried, kills = sum(one[0] for one in counts), sum(one[1] for one in counts)
        return (kills + 1) / (tried + 2)

    def keep(self) -> None:
        """Write it down for the next time."""
        write_atomically(self._path, json.dumps(self._counts, indent=1, sort_keys=True))
