"""Copies of the RTL with planted patches in a folder of their own, and runs of tests on them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tb.flow.build import Recipe, build
from tb.flow.campaign import Job, all_or_none
from tb.flow.display import Bar, Display
from tb.flow.errors import FlowError
from tb.flow.plan import Run
from tb.flow.planted import Planted, plant
from tb.flow.planted_copy import PlantedCopy, plant_together
from tb.flow.simulation import Outcome, simulate


class Found(Protocol):
    """What became of one patch, and the line that says so."""

    @property
    def line(self) -> str: ...


F = TypeVar("F", bound=Found)
Attempt = Callable[[Planted, PlantedCopy, Bar], Awaitable[F]]


class Workshop:
    """Everything lies in `folder`; `jobs` builds go on at a time; `seed` is that of every run."""

    def __init__(self, folder: Path, jobs: int, seed: int) -> None:
        self._folder = folder
        self._jobs = jobs
        self._seed = seed

    async def try_each(
        self, patches: Sequence[Planted], title: str, display: Display, attempt: Attempt[F]
    ) -> list[F]:
        """What `attempt` finds of each patch on its copy, as many at a time as builds; each gives a line."""
        copies = await self.copies(patches, display)
        slots = asyncio.Semaphore(self._jobs)
        with display.bar(title, len(patches)) as overall:

            async def one(patch: Planted) -> F:
                async with slots:
                    with display.bar(patch.name) as bar:
                        finding = await attempt(patch, copies[patch.name], bar)
                overall.advance()
                display.say(finding.line)
                return finding

            return await all_or_none([one(patch) for patch in patches])

    async def copies(self, patches: Sequence[Planted], display: Display) -> dict[str, PlantedCopy]:
        """The copy in which each patch is, by the patch's name; those of several patches are built."""
        if len(patches) == 1:
            return {patches[0].name: self._copy_alone(patches[0])}
        together, reasons = plant_together(patches, self._folder / "together")
        copies = dict.fromkeys(together.faults, together)
        try:
            await self._build_together(together, patches, display)
        except FlowError as error:
            display.say(f"The copy with all of them is of no use, so each gets its own: {error}")
            copies = {}
        for patch in patches:
            if patch.name in copies:
                continue
            if patch.name in reasons:
                display.say(f"{patch.name} gets a build of its own: {reasons[patch.name]}.")
            copies[patch.name] = self._copy_alone(patch)
        return copies

    async def _build_together(
        self, together: PlantedCopy, patches: Sequence[Planted], display: Display
    ) -> None:
        """Build what the runs need, `jobs` configurations at a time, each with one process."""
        runs = [run for patch in patches if patch.name in together.faults for run in patch.runs]
        recipes = {run.configuration.name: recipe(run, together) for run in runs}
        slots = asyncio.Semaphore(self._jobs)

        async def one(name: str) -> None:
            async with slots:
                with display.bar(f"building {name} with {len(together.faults)} patches") as bar:
                    await build(recipes[name], jobs=1)
                    await self._see_it_hold(
                        next(run for run in runs if run.configuration.name == name), together, bar
                    )

        await all_or_none([one(name) for name in recipes])

    async def _see_it_hold(self, run_: Run, together: PlantedCopy, bar: Bar) -> None:
        """With no patch on the copy must hold what the clean RTL holds. Raises FlowError."""
        job = self._job(run_, "no_fault")
        outcome = await simulate(run_, recipe(run_, together), job.options(), job.folder, bar.show)
        if not outcome.passed:
            raise FlowError(f"with no patch on it fails {run_.name}: {outcome.message}")

    def _copy_alone(self, patch: Planted) -> PlantedCopy:
        folder = self._folder / patch.name
        plant(patch, folder)
        return PlantedCopy(folder, {})

    def _job(self, run_: Run, name: str) -> Job:
        return Job(run_, self._seed, self._folder / "runs" / name / run_.name)

    async def run(
        self,
        run_: Run,
        patch: Planted,
        copy: PlantedCopy,
        bar: Bar,
        *,
        choices: Mapping[str, Any],
        stop_at: Sequence[str],
    ) -> Outcome:
        """One test on the copy with the patch on, judged by the function's profile with these `choices`.

        The run stops at the first verdict of a rule of `stop_at`.
        """
        built = recipe(run_, copy)
        await build(built, jobs=1)
        job = self._job(run_, patch.name)
        options = dataclasses.replace(
            job.options(), faults=copy.options(patch), stop_at=tuple(stop_at), choices=dict(choices)
        )
        return await simulate(run_, built, options, job.folder, bar.show)


def recipe(run_: Run, copy: PlantedCopy) -> Recipe:
    """The build of a copy that a run needs."""
    return Recipe(run_.configuration, rtl=copy.folder, builds=copy.folder / "build", optimised=False)
