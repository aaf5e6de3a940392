"""Running a list of simulations: the builds they share first, then the runs, several at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tb.flow.build import Recipe, Use, build
from tb.flow.display import Display, say
from tb.flow.errors import FlowError
from tb.flow.options import SimOptions
from tb.flow.plan import Run
from tb.flow.simulation import Outcome, simulate

CORES = os.cpu_count() or 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One simulation to run: which test, with which seed and options, in which folder."""

    run: Run
    seed: int
    folder: Path
    use: Use = Use.PYTHON
    disk: Path | None = None
    bytes_limit: int | None = None
    verdicts: int = 1000
    extra: Mapping[str, Any] = field(default_factory=dict)
    hostile: str = ""

    @property
    def recipe(self) -> Recipe:
        """The build it needs."""
        return Recipe(self.run.configuration, self.use)

    @property
    def title(self) -> str:
        """How it is named on the screen."""
        return f"{self.run.name} seed {self.seed}"

    def options(self) -> SimOptions:
        """What its process is told."""
        return SimOptions(
            dut=str(self.run.configuration.dut),
            device=self.run.configuration.device,
            configuration=self.run.configuration.name,
            parameters=dict(self.run.configuration.parameters),
            test=self.run.test.name,
            seed=self.seed,
            waves=self.use is Use.WAVES,
            disk=str(self.disk) if self.disk is not None else None,
            bytes_limit=self.bytes_limit,
            verdicts=self.verdicts,
            extra=self.extra,
            hostile=self.hostile,
            results_dir=str(self.folder),
            progress=str(self.folder / "progress.jsonl"),
        )


def applicable(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The runs that the function has everything for, and the others, each of which is told with its reason.

    Raises FlowError where none is left.
    """
    skipped = [run for run in runs if run.lacks]
    for run in skipped:
        say(f"not applicable  {run.name}: the function lacks {run.lacks}")
    left = [run for run in runs if not run.lacks]
    if not left:
        raise FlowError("none of the selected tests is applicable to this function.")
    return left, skipped


async def build_all(recipes: Sequence[Recipe], display: Display) -> None:
    """Make the builds that are not current, one after the other, each with all cores."""
    for folder, recipe in {recipe.folder: recipe for recipe in recipes}.items():
        with display.bar(f"building {folder.name}"):
            if await build(recipe):
                display.say(f"built {folder.name}")


async def run_job(job: Job, display: Display) -> Outcome:
    """Run one simulation on its (finished) build, with a bar that follows it."""
    with display.bar(job.title) as bar:
        return await simulate(job.run, job.recipe, job.options(), job.folder, bar.show)


async def run_all(
    jobs: Sequence[Job], parallel: int, display: Display, *, quiet: bool = False
) -> list[Outcome]:
    """Build, then run all jobs, at most `parallel` at once; outcomes in the order of `jobs`.

    Every finished run gives a line when there are several, unless `quiet`. Raises FlowError where a build
    fails.
    """
    await build_all([job.recipe for job in jobs], display)
    slots = asyncio.Semaphore(parallel)
    with display.bar("runs", len(jobs)) as overall:

        async def one(job: Job) -> Outcome:
            async with slots:
                outcome = await run_job(job, display)
            overall.advance()
            if len(jobs) > 1 and not quiet:
                display.say(line(outcome))
            return outcome

        return await all_or_none([one(job) for job in jobs])


async def all_or_none(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all; where one fails the others are cancelled, and have ended, before its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def line(outcome: Outcome) -> str:
    """One finished run in a line."""
    state = "passed" if outcome.passed else "FAILED"
    text = f"{state}  {outcome.run.name}  seed {outcome.seed}  {outcome.wall_s:.1f} s"
    return text if outcome.passed else f"{text}  {outcome.message}"
