"""`make fuzz`: genomes of random guests and hosts evolve on the RTL towards states that were never reached.

JOBS processes share one corpus folder. Each ends after a while and another takes its place, until the time is
over; what they found lies in the folder as it comes, so a run may be killed and taken up again at any moment.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.flow.build import Recipe, Use, build
from tb.flow.campaign import Job, all_or_none, build_all
from tb.flow.commands.bugs import select
from tb.flow.display import Bar, Display, complain, say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, ROOT, RUNS, SIM_BUILD, require_writable, shown, write_atomically
from tb.flow.plan import Configuration, Plan, Run, load_plan
from tb.flow.planted import plant, read_bugs
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import COUNTERS, Outcome, read_counters, simulate
from tb.flow.variables import Variables
from tb.fuzz.corpus import read_genome
from tb.fuzz.findings import Fault, Finding, Findings
from tb.fuzz.grammar import GenomeError

FUZZ = SIM_BUILD / "fuzz"
REPORT = "fuzz.json"
SEEDS = ROOT / "tests" / "fuzz" / "seeds"
CONFIGURATION = "block_fuzz"
CAMPAIGN, REPLAY = "FuzzCampaign", "FuzzSeeds"
DEFAULT_HOURS = 0.1
SLICE_S = 900.0
"""How long one process fuzzes before a fresh one takes over."""
FOREVER = float("inf")
INTERRUPTED = 130
GRACE_S = 120.0
"""How much longer a process may take: one genome that hangs is killed after that."""
SEED_STRIDE = 1_000_003
DIED = "FUZZ-DIED"


@dataclass(slots=True)
class Tally:
    """What all processes did so far."""

    genomes: int = 0
    replayed: int = 0
    new: int = 0
    points: int = 0
    points_total: int = 0
    features: int = 0
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, counters: Mapping[str, Any]) -> None:
        """Take in what one process wrote. Points are those of the process that reached most of them."""
        self.genomes += int(counters.get("genomes", 0))
        self.replayed += int(counters.get("replayed", 0))
        self.new += int(counters.get("new", 0))
        self.points = max(self.points, int(counters.get("points", 0)))
        self.points_total = max(self.points_total, int(counters.get("points_total", 0)))
        self.features = max(self.features, int(counters.get("features", 0)))
        for one in counters.get("findings", []):
            self.findings.setdefault(str(one["name"]), dict(one))


def run(variables: Variables) -> int:
    """0 only if everything was played and nothing was found."""
    plan = load_plan(dut=variables.dut)
    if variables.replay is not None:
        return replay(variables, plan, variables.replay)
    started = time.monotonic()
    configuration = chosen(plan, variables.config)
    if variables.bug is None:
        folder = variables.corpus or FUZZ / configuration.folder_name
        recipe = Recipe(configuration, Use.COVERAGE)
    else:
        folder = FUZZ / f"bug-{variables.bug}"
        recipe = planted(configuration, plan, variables, folder)
    for one in (folder / "corpus", folder / "findings", RESULTS):
        require_writable(one)
    forget(REPORT)
    team = Team(plan, recipe, variables, folder)
    interrupted = False
    try:
        with Display() as display:
            run_until_complete(team.fuzz(display))
    except KeyboardInterrupt:
        interrupted = variables.hours != FOREVER  # nothing else ends what runs for ever
        team.gather()
    return report(team, time.monotonic() - started) or (INTERRUPTED if interrupted else 0)


def planted(configuration: Configuration, plan: Plan, variables: Variables, folder: Path) -> Recipe:
    """A build with the planted bug of that name, in a folder that is emptied first."""
    if variables.corpus is not None:
        raise FlowError("BUG= fuzzes from nothing and takes no CORPUS=.")
    (bug,) = select(read_bugs(plan), variables.bug)
    shutil.rmtree(folder, ignore_errors=True)
    plant(bug, folder / "planted")
    return Recipe(
        configuration, Use.COVERAGE, rtl=folder / "planted", builds=folder / "build", optimised=False
    )


def chosen(plan: Plan, wanted: str | None) -> Configuration:
    """The configuration to fuzz: the wanted one, the one made for it, or a foreign function's first."""
    if wanted is None and CONFIGURATION not in plan.configurations:
        return next(iter(plan.configurations.values()))
    return plan.configuration(wanted or CONFIGURATION)


class Team:
    """The processes that fuzz together."""

    def __init__(self, plan: Plan, recipe: Recipe, variables: Variables, folder: Path) -> None:
        self.recipe = recipe
        self.variables = variables
        self.folder = folder
        self.tally = Tally()
        self._plan = plan
        self._end = 0.0
        self._open: set[Path] = set()

    async def fuzz(self, display: Display) -> None:
        """Build, then fuzz until the time is over."""
        with display.bar(f"building {self.recipe.folder.name}"):
            await build(self.recipe)
        hours = DEFAULT_HOURS if self.variables.hours is None else self.variables.hours
        self._end = time.monotonic() + 3600 * hours
        await all_or_none([self._worker(number, display) for number in range(self.variables.jobs or 1)])

    async def _worker(self, number: int, display: Display) -> None:
        """One process after the other until the end."""
        turn, left = 0, -(-(self.variables.genomes or 1 << 62) // (self.variables.jobs or 1))
        while left > 0 and not self._over():
            with display.bar(f"fuzz {number}") as bar:
                outcome = await self._slice(number, turn, left, bar)
            self.tally.add(outcome.counters)
            display.say(told(number, outcome))
            if not outcome.passed:
                self._died(outcome)
            turn, left = turn + 1, left - outcome.count("genomes")

    def gather(self) -> None:
        """Take in what the processes had done that were stopped on the way."""
        for folder in self._open:
            self.tally.add(read_counters(folder / COUNTERS))

    def _over(self) -> bool:
        enough = self.variables.bug is not None and bool(self.tally.findings)
        return enough or time.monotonic() >= self._end

    async def _slice(self, number: int, turn: int, genomes: int, bar: Bar) -> Outcome:
        seconds = max(min(SLICE_S, self._end - time.monotonic()), 1.0)
        run_ = Run(self._plan.tests[CAMPAIGN], self.recipe.configuration, seconds + GRACE_S)
        seed = (self.variables.seed + SEED_STRIDE * (number + 1000 * turn)) % (1 << 31)
        extra: dict[str, Any] = {"folder": str(self.folder), "seconds": seconds, "genomes": genomes}
        if self.variables.bug is not None:
            extra |= {"findings": 1, "seeds": False}
        folder = RUNS / "fuzz" / f"{self.folder.name}-{self.variables.seed}-{number}"
        job = Job(run_, seed, folder, Use.COVERAGE, extra=extra)
        self._open.add(folder)
        outcome = await simulate(run_, self.recipe, job.options(), folder, bar.show)
        self._open.discard(folder)
        return outcome

    def _died(self, outcome: Outcome) -> None:
        """A process that ended otherwise than by itself is a finding: what it played last killed it."""
        fault = Fault(DIED, outcome.message)
        steps = []
        try:
            steps = read_genome(outcome.folder / "playing.json")
        except GenomeError as error:
            complain(f"fuzz: {error}")
        findings = Findings(self.folder / "findings", self.recipe.configuration.name, outcome.seed)
        findings.keep(Finding(fault, steps, outcome.count("genomes"), alone=False))
        entry = {"name": fault.name, "rule": fault.rule, "sentence": fault.sentence, "alone": False}
        self.tally.findings.setdefault(fault.name, entry)


def told(number: int, outcome: Outcome) -> str:
    """What one process did, in a line."""
    count = outcome.count
    seconds = float(outcome.counters.get("seconds", 0)) or outcome.wall_s
    found = len(outcome.counters.get("findings", []))
    return (
        f"fuzz {number}: {count('genomes'):,} genomes ({count('genomes') / seconds:.0f}/s), "
        f"{count('replayed'):,} replayed, {count('points'):,} of {count('points_total'):,} points, "
        f"{count('new'):,} new, {found} findings, {seconds:.0f} s"
    )


def report(team: Team, seconds: float) -> int:
    """The file, the findings with the command that shows each again, and the exit status."""
    tally, variables = team.tally, team.variables
    findings = sorted(tally.findings.values(), key=lambda one: str(one["name"]))
    table = {
        "configuration": team.recipe.configuration.name,
        "seed": variables.seed,
        "bug": variables.bug,
        "genomes": tally.genomes,
        "replayed": tally.replayed,
        "coverage points": tally.points,
        "coverage points total": tally.points_total,
        "features": tally.features,
        "new": tally.new,
        "findings": findings,
        "seconds": round(seconds, 3),
        "genomes_per_s": round(tally.genomes / max(seconds, 0.001), 1),
    }
    write_json(RESULTS / REPORT, table)
    for one in findings:
        path = team.folder / "findings" / f"{one['name']}.json"
        kept = path if variables.bug or variables.dut or not one.get("alone") else keep(path)
        complain(f"FOUND {one['rule']}: {one['sentence']}\n  again: make fuzz REPLAY={shown(kept)}")
    say(
        f"fuzz: {tally.genomes:,} genomes in {seconds:.0f} s, {tally.points:,} of {tally.points_total:,} "
        f"coverage points, {tally.new:,} new genomes in {shown(team.folder / 'corpus')}, "
        f"{len(findings)} findings (seed {variables.seed})"
    )
    say(f"results: {shown(RESULTS / REPORT)}")
    if not tally.genomes:
        raise FlowError("not one genome was played.")
    return 1 if findings else 0


def keep(path: Path) -> Path:
    """Put a finding among the seeds of the plan: `FuzzSeeds` fails until it is mended. Where it is then."""
    seed = SEEDS / path.name
    if not seed.exists():
        write_atomically(seed, path.read_text(encoding="utf-8"))
    return seed


def replay(variables: Variables, plan: Plan, path: Path) -> int:
    """Play one genome again and tell what it shows."""
    try:
        steps = read_genome(path)
    except GenomeError as error:
        raise FlowError(str(error)) from None
    content = json.loads(path.read_text(encoding="utf-8"))
    kept_for = content.get("configuration") if isinstance(content, dict) else None
    configuration = chosen(plan, variables.config or kept_for)
    use = Use.WAVES if variables.waves else Use.PYTHON
    run_ = Run(plan.tests[REPLAY], configuration)
    folder = RUNS / "fuzz" / "replay"
    job = Job(run_, variables.seed, folder, use, extra={"replay": str(path)})
    require_writable(RUNS)
    with Display() as display:
        run_until_complete(build_all([job.recipe], display))
        outcome = run_until_complete(_one(job))
    for step in steps:
        say("  " + " ".join(str(value) for value in step))
    for verdict in outcome.verdicts:
        say(verdict)
    say(f"packets: {shown(folder / 'packets.txt')}")
    if not outcome.passed:
        complain(f"FOUND {outcome.message}")
        return 1
    say(f"{shown(path)} shows nothing wrong on {configuration.name}")
    return 0


async def _one(job: Job) -> Outcome:
    return await simulate(job.run, job.recipe, job.options(), job.folder)
