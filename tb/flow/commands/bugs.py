"""`make bugs`: plant each fault into a copy of the RTL, run the tests it names, and see it caught by its
rule.

First the clean RTL must pass the same tests. A bug is caught when a run ends with a verdict that names one of
the bug's rules; a run that merely fails does not count.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.flow.build import Recipe, build
from tb.flow.campaign import CORES, Job, all_or_none, run_all
from tb.flow.display import Bar, Display, complain, print_table, say
from tb.flow.errors import FlowError
from tb.flow.failures import tell_all
from tb.flow.paths import RESULTS, SIM_BUILD, require_writable, shown
from tb.flow.plan import Run, load_plan, unknown
from tb.flow.planted import PlantedBug, plant, read_bugs
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import Outcome, simulate
from tb.flow.variables import Variables

BUGS = SIM_BUILD / "bugs"
REPORT = "bugs.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one planted bug: the verdict that caught it, or why nothing did."""

    bug: PlantedBug
    caught_by: str
    verdict: str
    reason: str
    wall_s: float

    @property
    def caught(self) -> bool:
        """Whether a verdict named one of the bug's rules."""
        return bool(self.verdict)


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
    """All, or the one that BUG names. Raises FlowError, listing the known ones."""
    chosen = [one for one in bugs if wanted in (None, one.name)]
    if not chosen:
        raise FlowError(unknown("BUG", wanted or "", [one.name for one in bugs]))
    return chosen


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
    slots = asyncio.Semaphore(jobs)
    with display.bar("planted bugs", len(bugs)) as overall:

        async def one(bug: PlantedBug) -> Finding:
            async with slots:
                with display.bar(bug.name) as bar:
                    finding = await try_bug(bug, seed, bar)
            overall.advance()
            display.say(
                f"{'caught' if finding.caught else 'MISSED'}  {bug.name}  {finding.verdict or finding.reason}"
            )
            return finding

        return await all_or_none([one(bug) for bug in bugs])


async def try_bug(bug: PlantedBug, seed: int, bar: Bar) -> Finding:
    """One bug: its tests in order until a verdict names its rule."""
    started = time.monotonic()
    folder = BUGS / bug.name
    plant(bug, folder)
    seen: list[str] = []
    for run_ in bug.runs:
        outcome = await _run_on(run_, bug, folder, seed, bar)
        verdict = naming(outcome.verdicts, bug.rules)
        if verdict:
            return Finding(bug, run_.name, verdict, "", time.monotonic() - started)
        seen.append(f"{run_.name}: {outcome.message or 'passed'}")
    return Finding(bug, "", "", "; ".join(seen), time.monotonic() - started)


async def _run_on(run_: Run, bug: PlantedBug, folder: Path, seed: int, bar: Bar) -> Outcome:
    recipe = Recipe(run_.configuration, rtl=folder, builds=folder / "build", optimised=False)
    await build(recipe, jobs=1)
    job = Job(run_, seed, folder / "runs" / run_.name)
    outcome = await simulate(run_, recipe, job.options(), job.folder, bar.show)
    shutil.rmtree(recipe.folder, ignore_errors=True)
    return outcome


def naming(verdicts: Sequence[str], rules: Sequence[str]) -> str:
    """The first verdict that names one of the rules, empty if none does."""
    for verdict in verdicts:
        if any(re.search(rf"(?<![\w-]){re.escape(rule)}(?![\w-])", verdict) for rule in rules):
            return verdict
    return ""


def report(findings: Sequence[Finding]) -> None:
    """The table, the JSON file, and a reproducing command for every bug that was missed."""
    rows = [
        (
            "caught" if one.caught else "MISSED",
            one.bug.name,
            ", ".join(one.bug.rules),
            one.caught_by,
            one.wall_s,
        )
        for one in findings
    ]
    print_table("planted bugs", ("", "bug", "rule", "caught by", "s"), rows)
    caught = sum(one.caught for one in findings)
    say(f"{caught} of {len(findings)} planted bugs caught")
    entries = [
        {
            "bug": one.bug.name,
            "what": one.bug.sentence,
            "rules": list(one.bug.rules),
            "caught": one.caught,
            "caught_by": one.caught_by,
            "verdict": one.verdict,
            "reason": one.reason,
        }
        for one in findings
    ]
    write_json(
        RESULTS / REPORT,
        {"bugs": len(findings), "caught": caught, "missed": len(findings) - caught, "findings": entries},
    )
    say(f"results: {shown(RESULTS / REPORT)}")
    for one in findings:
        if not one.caught:
            complain(
                f"MISSED {one.bug.name} ({one.bug.sentence}): {one.reason}\n"
                f"  again: make bugs BUG={one.bug.name}"
            )
