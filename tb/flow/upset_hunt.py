"""`make mutants SEU=1`: bits of registers flip at random moments of a test, and what came of it is told."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.flow.build import Recipe, build
from tb.flow.campaign import Job, all_or_none
from tb.flow.display import Display
from tb.flow.errors import FlowError
from tb.flow.mutant_runs import LIMIT_S, LONGER_NS, MUTANTS, TIMES_LONGER
from tb.flow.plan import Plan, Run
from tb.flow.planted_copy import sources, write_copy
from tb.flow.simulation import Outcome, simulate
from tb.mutation.names import FILE_NAME
from tb.mutation.upsets import Register, registers_of, upset_package, with_upsets

# What plays while a bit flips: each does much at once, and in a time that is short.
TESTS = ("RandomTraffic", "RandomSteady", "IntxInTraffic", "MsixInTraffic", "RegisterPokes", "DmaPaces")
HANG = "WEDGED"


@dataclass(frozen=True, slots=True)
class Upset:
    """Bit `bit` (modulo the register's width) of a register flips `at_ns` after power-up in a test."""

    register: Register
    number: int
    bit: int
    run: Run
    at_ns: int


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of an upset: `masked`, `verdict`, `hang`, or `unjudged` (failed without a verdict)."""

    upset: Upset
    kind: str
    told: str

    @property
    def line(self) -> str:
        """One line for the screen."""
        one = self.upset
        where = f"{one.register.title} bit {one.bit} at {one.at_ns:,} ns in {one.run.name}"
        return f"{self.kind}  {where}  {self.told[:120]}"


def all_registers(clean: Mapping[str, str]) -> list[Register]:
    """Every register of the RTL."""
    return [one for name, text in clean.items() for one in registers_of(name, text)]


def plant_upsets(clean: Mapping[str, str], registers: Sequence[Register], folder: Path) -> None:
    """A copy in which any register can be hit."""
    write_copy(folder, clean, {}, 0)
    numbers = {one: number for number, one in enumerate(registers, 1)}
    for name, text in clean.items():
        own = {one.title: numbers[one] for one in registers if one.file == name}
        if own:
            (folder / name).write_text(with_upsets(text, own), encoding="utf-8")
    (folder / FILE_NAME).write_text(upset_package(), encoding="utf-8")


async def hunt_upsets(
    plan: Plan, count: int, seed: int, file: str | None, jobs: int, display: Display
) -> list[Aftermath]:
    """`count` upsets drawn by `seed`: registers, bits, tests and moments, each as likely as the others."""
    clean = sources()
    registers = all_registers(clean)
    targets = [one for one in registers if file is None or file in one.file]
    if not targets:
        raise FlowError(f"FILE={file} is in the path of no source that has registers.")
    folder = MUTANTS / "upsets"
    plant_upsets(clean, registers, folder)
    runs = [Run(plan.find_tests(name)[0], plan.configuration("block"), LIMIT_S) for name in TESTS]
    with display.bar("building with upsets"):
        await build(_recipe(runs[0], folder), jobs=1)
    lengths = [await _length(run, folder) for run in runs]
    draw = random.Random(seed)
    numbers = {one: number for number, one in enumerate(registers, 1)}
    slots = asyncio.Semaphore(jobs)
    with display.bar("upsets", count) as bar:

        async def one() -> Aftermath:
            register, (run, length) = draw.choice(targets), draw.choice(list(zip(runs, lengths, strict=True)))
            upset = Upset(register, numbers[register], draw.randrange(256), run, draw.randrange(length))
            async with slots:
                outcome = await _strike(upset, folder, length)
            bar.advance()
            found = judged(upset, outcome)
            display.say(found.line)
            return found

        return await all_or_none([one() for _ in range(count)])


def _recipe(run: Run, folder: Path) -> Recipe:
    return Recipe(run.configuration, rtl=folder, builds=folder / "build", optimised=False)


async def _length(run: Run, folder: Path) -> int:
    """How long a test takes in simulated time when nothing flips (ns). Raises FlowError where it fails."""
    job = Job(run, 1, MUTANTS / "upset_lengths" / run.name)
    outcome = await simulate(run, _recipe(run, folder), job.options(), job.folder)
    if not outcome.passed:
        raise FlowError(f"{run.name} fails with no upset: {outcome.message}")
    return outcome.count("simulated_ns")


async def _strike(upset: Upset, folder: Path, length: int) -> Outcome:
    where = MUTANTS / "runs" / f"upset-{upset.number}-{upset.bit}-{upset.at_ns}"
    options = dataclasses.replace(
        Job(upset.run, 1, where).options(),
        upset=(upset.number, upset.bit, upset.at_ns),
        verdicts=1,
        limit_ns=TIMES_LONGER * length + LONGER_NS,
    )
    outcome = await simulate(upset.run, _recipe(upset.run, folder), options, where)
    shutil.rmtree(where, ignore_errors=True)
    return outcome


def judged(upset: Upset, outcome: Outcome) -> Aftermath:
    """What a run with an upset shows."""
    if outcome.passed:
        return Aftermath(upset, "masked", "")
    told = next(iter(outcome.verdicts), "")
    if not told:
        return Aftermath(upset, "unjudged", outcome.message)
    return Aftermath(upset, "hang" if f" {HANG}:" in told else "verdict", told)


def upset_table(found: Sequence[Aftermath]) -> dict[str, Any]:
    """The content of the results file."""
    counts = Counter(one.kind for one in found)
    return {
        "upsets": len(found),
        **{kind: counts[kind] for kind in ("masked", "verdict", "hang", "unjudged")},
        "entries": [
            {
                "register": one.upset.register.title,
                "bit": one.upset.bit,
                "at_ns": one.upset.at_ns,
                "test": one.upset.run.name,
                "kind": one.kind,
                "told": one.told,
            }
            for one in found
        ],
    }
