"""The hunt for mutants, one configuration after the other: build, probe, run what can notice each one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tb.flow.build import build
from tb.flow.campaign import all_or_none
from tb.flow.display import Bar, Display
from tb.flow.errors import FlowError
from tb.flow.mutant_copies import MutantCopy
from tb.flow.mutant_runs import History, Kill, Probe, killed, probe, recipe
from tb.flow.plan import Plan, Run
from tb.mutation.mutant import Mutant

# Where most is seen comes first; what is alive after one configuration goes on to the next.
STAGES = (
    "block",
    "block_impatient",
    "block_queues",
    "block_read_only",
    "block_64",
    "block_vectors",
    "block_small",
    "block_512",
    "block_one_entry",
    "block_128",
)
Target = tuple[Mutant, ...]
# Whether an excuse is wrong shows in the tests that kill most, if anywhere.
TRIES_OF_EXCUSED = 3
# So few are sooner tried than probed for.
FEW = 12


@dataclass(slots=True)
class Fate:
    """What became of one mutant, or of two at once: the kill, or the tests that reached it and held.

    `left` are those that time was too short for. An `excused` one is not tried on all.
    """

    target: Target
    kill: Kill | None = None
    held: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    excused: bool = False

    @property
    def name(self) -> str:
        """The mutant's name, or both."""
        return "+".join(one.name for one in self.target)

    @property
    def difference(self) -> str:
        """What the target changes."""
        return "\n".join(one.difference() for one in self.target)


def stages(plan: Plan, test: str | None, config: str | None) -> list[list[Run]]:
    """The runs of each stage; of some tests only, of one configuration only, where they are named."""
    runs = [run for run in plan.runs(test, device="block") if not run.lacks]
    names = STAGES if config is None else (plan.configuration(config).name,)
    return [[run for run in runs if run.configuration.name == name] for name in names]


class Hunt:
    """Hunts `fates` on a copy with mutants to turn on and, where it is worth its time, one that probes."""

    def __init__(
        self,
        fates: Sequence[Fate],
        planted: MutantCopy,
        probing: MutantCopy | None,
        *,
        jobs: int,
        seed: int,
        minutes: int | None,
    ) -> None:
        self._fates = fates
        self._planted, self._probing = planted, probing
        self._slots = asyncio.Semaphore(jobs)
        self._seed = seed
        self._history = History()
        self._end_s = None if minutes is None else time.monotonic() + 60 * minutes

    async def stage(self, runs: Sequence[Run], display: Display) -> None:
        """One configuration: all its `runs` on all that are alive."""
        alive = [fate for fate in self._fates if fate.kill is None]
        if not alive or not runs or not self._time_left():
            return
        where = runs[0].configuration.name
        with display.bar(f"building {where}"):
            probing = self._probing if len(alive) > FEW else None
            copies = [self._planted, *([probing] if probing else [])]
            await all_or_none([self._build(runs[0], copy) for copy in copies])
        probes = await self._probed(runs, probing, display)
        await self._rounds(alive, probes, display)
        self._history.keep()
        left = sum(fate.kill is None for fate in alive)
        display.say(f"{where}: {len(alive) - left} of {len(alive)} killed, {left} are alive")

    async def _probed(self, runs: Sequence[Run], copy: MutantCopy | None, display: Display) -> list[Probe]:
        """What each test reaches: everything, as far as is known, where there is no copy that probes."""
        if copy is None:
            everything = frozenset(self._planted.mutants)
            return [Probe(run, everything, 1.0, 0) for run in runs]
        where = runs[0].configuration.name
        with display.bar(f"probing {where}", len(runs)) as bar:

            async def ask(run: Run) -> Probe:
                async with self._slots:
                    found = await probe(run, copy, self._seed)
                bar.advance()
                return found

            return await all_or_none([ask(run) for run in runs])

    async def _rounds(self, alive: Sequence[Fate], probes: Sequence[Probe], display: Display) -> None:
        """One test for each that is alive, then the next for those that still are: most die early."""
        waiting = {fate.name: [one for one in probes if _reaches(one, fate)] for fate in alive}
        while self._time_left() and any(waiting.values()):
            due = [fate for fate in alive if fate.kill is None and waiting[fate.name]]
            with display.bar("a test each", len(due)) as bar:

                async def one(fate: Fate, bar: Bar = bar) -> None:
                    async with self._slots:
                        if self._time_left():
                            await self._try(fate, waiting[fate.name])
                    bar.advance()

                await all_or_none([one(fate) for fate in due])
            for fate in due:
                if fate.kill:
                    waiting[fate.name] = []
                    display.say(f"killed  {fate.name}  {fate.kill.run}  {fate.kill.told[:100]}")
            self._history.keep()
        for fate in alive:
            fate.left += [one.run.name for one in waiting[fate.name]]

    def _time_left(self) -> bool:
        return self._end_s is None or time.monotonic() < self._end_s

    async def _build(self, run: Run, copy: MutantCopy) -> None:
        async with self._slots:
            await build(recipe(run, copy), jobs=1)

    async def _try(self, fate: Fate, waiting: list[Probe]) -> None:
        """Run the test that promises most, unless the fate is excused and has been tried enough."""
        file = fate.target[0].file
        best = self._history.best(file, waiting)
        waiting.remove(best)
        fate.kill = await killed(fate.target, self._planted, best, self._seed)
        if fate.kill and not best.simulated_ns:  # no probe has shown that the test holds without a fault
            alone = await killed((), self._planted, best, self._seed)
            if alone:
                raise FlowError(f"{best.run.name} fails on the RTL without a fault: {alone.told}")
        self._history.note(file, best.run.name, killed=fate.kill is not None)
        if fate.kill is None:
            fate.held.append(best.run.name)
        if fate.excused and len(fate.held) >= TRIES_OF_EXCUSED:
            waiting.clear()


def _reaches(one: Probe, fate: Fate) -> bool:
    """Whether a test makes any of the target's mutants differ."""
    return any(mutant in one.reached for mutant in fate.target)
