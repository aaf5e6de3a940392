"""`make bugs`: plant faults into copies of the RTL, run the tests each one names, and see it caught by its
rule.

First the clean RTL must pass the same tests. All faults that can be are alternatives in one copy, built once
for each configuration; a run turns one of them on and stops at the first verdict that names one of its rules.
A bug is caught when there is such a verdict; a run that merely fails does not count.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tb.flow.build import Recipe, build
from tb.flow.campaign import CORES, Job, all_or_none, run_all
from tb.flow.display import Bar, Display, complain, print_table, say
from tb.flow.errors import FlowError
from tb.flow.failures import tell_all
from tb.flow.paths import RESULTS, SIM_BUILD, require_writable, shown
from tb.flow.plan import Run, load_plan, unknown
from tb.flow.planted import PlantedBug, plant, read_bugs
from tb.flow.planted_copy import PlantedCopy, plant_together
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import Outcome, simulate
from tb.flow.variables import Variables

BUGS = SIM_BUILD / "bugs"
TOGETHER = BUGS / "together"
REPORT = "bugs.json"
# A verdict of its own (`12 ns RULE: ...`), or many equal ones (the rule and how many).
VERDICT_RULE = re.compile(r"(?:\d+ ns )?([\w-]+)(?::| ×)")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one planted bug: the verdict that caught it, or why nothing did.

    `before` is the rule of the first verdict of that run where it was another one.
    """

    bug: PlantedBug
    caught_by: str
    verdict: str
    before: str
    reason: str
    wall_s: float

    @property
    def caught(self) -> bool:
        """Whether a verdict named one of the bug's rules."""
        return bool(self.verdict)

    @property
    def by_own_rule(self) -> bool:
        """Whether the run's first verdict is of the rule that the bug breaks, the first in its list."""
        return self.caught and not self.before and rule_of(self.verdict) == self.bug.rules[0]

    @property
    def line(self) -> str:
        """What is said when it is known."""
        after = f"  (after {self.before})" if self.before else ""
        return (
            f"{'caught' if self.caught else 'MISSED'}  {self.bug.name}  {self.verdict or self.reason}{after}"
        )


def run(variables: Variables) -> int:
    """0 only if the clean RTL passes and every bug is caught."""
    plan = load_plan()
    bugs = select(read_bugs(plan), variables.bug)
    require_writable(BUGS)
    require_writable(RESULTS)
    forget(REPORT)
    jobs = variables.jobs or CORES
    if run_until_complete(clean_rtl_fails(bugs, jobs, variables.seed)):
        return 1
    with Display() as display:
        findings = run_until_complete(hunt(bugs, jobs, variables.seed, display))
    report(findings)
    return 0 if all(one.caught for one in findings) else 1


def select(bugs: list[PlantedBug], wanted: str | None) -> list[PlantedBug]:
    """All, or those that BUG names: names and patterns, separated by commas.

    Raises FlowError, listing the known ones, for a word that names none.
    """
    if wanted is None:
        return bugs
    chosen: dict[str, PlantedBug] = {}
    for word in filter(None, re.split(r"[\s,]+", wanted)):
        named = {one.name: one for one in bugs if fnmatch.fnmatchcase(one.name, word)}
        if not named:
            raise FlowError(unknown("BUG", word, [one.name for one in bugs]))
        chosen |= named
    return list(chosen.values())


async def clean_rtl_fails(bugs: Sequence[PlantedBug], jobs: int, seed: int) -> bool:
    """Run what the bugs name on the RTL as it is; True, after telling why, if something fails there."""
    runs = {run.name: run for bug in bugs for run in bug.runs}
    with Display() as display:
        work = [Job(one, seed, BUGS / "clean" / one.name) for one in runs.values()]
        outcomes = await run_all(work, jobs, display)
    say(f"clean RTL: {sum(one.passed for one in outcomes)} of {len(outcomes)} tests passed")
    return tell_all(outcomes) != 0


async def hunt(bugs: Sequence[PlantedBug], jobs: int, seed: int, display: Display) -> list[Finding]:
    """Plant, build and run all bugs, `jobs` at a time."""
    copies = await planted_copies(bugs, jobs, seed, display)
    slots = asyncio.Semaphore(jobs)
    with display.bar("planted bugs", len(bugs)) as overall:

        async def one(bug: PlantedBug) -> Finding:
            async with slots:
                with display.bar(bug.name) as bar:
                    finding = await try_bug(bug, copies[bug.name], seed, bar)
            overall.advance()
            display.say(finding.line)
            return finding

        return await all_or_none([one(bug) for bug in bugs])


async def planted_copies(
    bugs: Sequence[PlantedBug], jobs: int, seed: int, display: Display
) -> dict[str, PlantedCopy]:
    """The copy in which each bug is, by the bug's name; those of several bugs are built."""
    if len(bugs) == 1:
        return {bugs[0].name: _copy_alone(bugs[0])}
    together, reasons = plant_together(bugs, TOGETHER)
    copies = dict.fromkeys(together.faults, together)
    try:
        await _build_together(together, bugs, jobs, seed, display)
    except FlowError as error:
        display.say(f"The copy with all bugs is of no use, so each gets its own: {error}")
        copies = {}
    for bug in bugs:
        if bug.name in copies:
            continue
        if bug.name in reasons:
            display.say(f"{bug.name} gets a build of its own: {reasons[bug.name]}.")
        copies[bug.name] = _copy_alone(bug)
    return copies


async def _build_together(
    together: PlantedCopy, bugs: Sequence[PlantedBug], jobs: int, seed: int, display: Display
) -> None:
    """Build what the runs need, `jobs` configurations at a time, each with one process."""
    runs = [run for bug in bugs if bug.name in together.faults for run in bug.runs]
    recipes = {run.configuration.name: recipe(run, together) for run in runs}
    slots = asyncio.Semaphore(jobs)

    async def one(name: str) -> None:
        async with slots:
            with display.bar(f"building {name} with {len(together.faults)} bugs") as bar:
                await build(recipes[name], jobs=1)
                await _see_it_hold(
                    next(run for run in runs if run.configuration.name == name), together, seed, bar
                )

    await all_or_none([one(name) for name in recipes])


async def _see_it_hold(run_: Run, together: PlantedCopy, seed: int, bar: Bar) -> None:
    """With no fault on the copy must hold what the clean RTL holds. Raises FlowError."""
    job = Job(run_, seed, BUGS / "runs" / "no_fault" / run_.name)
    outcome = await simulate(run_, recipe(run_, together), job.options(), job.folder, bar.show)
    if not outcome.passed:
        raise FlowError(f"with no fault on it fails {run_.name}: {outcome.message}")


def _copy_alone(bug: PlantedBug) -> PlantedCopy:
    folder = BUGS / bug.name
    plant(bug, folder)
    return PlantedCopy(folder, {})


def recipe(run_: Run, copy: PlantedCopy) -> Recipe:
    """The build of a copy that a run needs."""
    return Recipe(run_.configuration, rtl=copy.folder, builds=copy.folder / "build", optimised=False)


async def try_bug(bug: PlantedBug, copy: PlantedCopy, seed: int, bar: Bar) -> Finding:
    """One bug: its tests in order until a verdict names its rule."""
    started = time.monotonic()
    seen: list[str] = []
    for run_ in bug.runs:
        outcome = await _run_on(run_, bug, copy, seed, bar)
        verdict = naming(outcome.verdicts, bug.rules)
        if verdict:
            first = rule_of(outcome.verdicts[0])
            before = "" if first in bug.rules else first
            return Finding(bug, run_.name, verdict, before, "", time.monotonic() - started)
        seen.append(f"{run_.name}: {outcome.message or 'passed'}")
    return Finding(bug, "", "", "", "; ".join(seen), time.monotonic() - started)


async def _run_on(run_: Run, bug: PlantedBug, copy: PlantedCopy, seed: int, bar: Bar) -> Outcome:
    built = recipe(run_, copy)
    await build(built, jobs=1)
    job = Job(run_, seed, BUGS / "runs" / bug.name / run_.name)
    options = dataclasses.replace(job.options(), faults=copy.options(bug), stop_at=bug.rules)
    return await simulate(run_, built, options, job.folder, bar.show)


def naming(verdicts: Sequence[str], rules: Sequence[str]) -> str:
    """The first verdict of one of the rules, empty if there is none."""
    return next((one for one in verdicts if rule_of(one) in rules), "")


def rule_of(verdict: str) -> str:
    """The rule that a verdict is of."""
    match = VERDICT_RULE.match(verdict)
    return match[1] if match else ""


def report(findings: Sequence[Finding]) -> None:
    """The table, the JSON file, and a reproducing command for every bug that was missed."""
    rows = [
        (
            "caught" if one.caught else "MISSED",
            one.bug.name,
            one.bug.rules[0],
            rule_of(one.verdict),
            one.before,
            one.caught_by,
            one.wall_s,
        )
        for one in findings
    ]
    print_table("planted bugs", ("", "bug", "its rule", "named", "before it", "caught by", "s"), rows)
    caught = sum(one.caught for one in findings)
    own = sum(one.by_own_rule for one in findings)
    say(f"{caught} of {len(findings)} planted bugs caught, {own} by their own rule and nothing before it")
    entries = [
        {
            "bug": one.bug.name,
            "what": one.bug.sentence,
            "rules": list(one.bug.rules),
            "caught": one.caught,
            "by_own_rule": one.by_own_rule,
            "caught_by": one.caught_by,
            "verdict": one.verdict,
            "first_rule": one.before or (rule_of(one.verdict) if one.caught else ""),
            "reason": one.reason,
        }
        for one in findings
    ]
    write_json(
        RESULTS / REPORT,
        {
            "bugs": len(findings),
            "caught": caught,
            "by_own_rule": own,
            "missed": len(findings) - caught,
            "findings": entries,
        },
    )
    say(f"results: {shown(RESULTS / REPORT)}")
    for one in findings:
        if not one.caught:
            complain(
                f"MISSED {one.bug.name} ({one.bug.sentence}): {one.reason}\n"
                f"  again: make bugs BUG={one.bug.name}"
            )
