"""`make bugs`: plant faults into copies of the RTL, run the tests each one names, and see it caught by its
rule.

First the clean RTL must pass the same tests. All faults that can be are alternatives in one copy, built once
for each configuration; a run turns one of them on and stops at the first verdict that names one of its rules.
A bug is caught when there is such a verdict; a run that merely fails does not count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tb.flow.campaign import CORES, Job, run_all
from tb.flow.display import Bar, Display, complain, print_table, say
from tb.flow.failures import tell_all
from tb.flow.paths import RESULTS, SIM_BUILD, require_writable, shown
from tb.flow.plan import load_plan
from tb.flow.planted import Planted, named, read_bugs
from tb.flow.planted_copy import PlantedCopy
from tb.flow.planted_runs import Workshop
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.variables import Variables
from tb.flow.verdict_rules import naming, rule_of

BUGS = SIM_BUILD / "bugs"
REPORT = "bugs.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one planted bug: the verdict that caught it, or why nothing did.

    `before` is the rule of the first verdict of that run where it was another one.
    """

    bug: Planted
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


def select(bugs: list[Planted], wanted: str | None) -> list[Planted]:
    """All, or those that BUG names. Raises FlowError, listing the known ones, for a word that names none."""
    return named("BUG", bugs, wanted)


async def clean_rtl_fails(bugs: Sequence[Planted], jobs: int, seed: int) -> bool:
    """Run what the bugs name on the RTL as it is; True, after telling why, if something fails there."""
    runs = {run.name: run for bug in bugs for run in bug.runs}
    with Display() as display:
        work = [Job(one, seed, BUGS / "clean" / one.name) for one in runs.values()]
        outcomes = await run_all(work, jobs, display)
    say(f"clean RTL: {sum(one.passed for one in outcomes)} of {len(outcomes)} tests passed")
    return tell_all(outcomes) != 0


async def hunt(bugs: Sequence[Planted], jobs: int, seed: int, display: Display) -> list[Finding]:
    """Plant, build and run all bugs, `jobs` at a time."""
    workshop = Workshop(BUGS, jobs, seed)
    return await workshop.try_each(bugs, "planted bugs", display, partial(try_bug, workshop))


async def try_bug(workshop: Workshop, bug: Planted, copy: PlantedCopy, bar: Bar) -> Finding:
    """One bug: its tests in order until a verdict names its rule."""
    started = time.monotonic()
    seen: list[str] = []
    for run_ in bug.runs:
        outcome = await workshop.run(run_, bug, copy, bar, choices=bug.choices, stop_at=bug.rules)
        verdict = naming(outcome.verdicts, bug.rules)
        if verdict:
            first = rule_of(outcome.verdicts[0])
            before = "" if first in bug.rules else first
            return Finding(bug, run_.name, verdict, before, "", time.monotonic() - started)
        seen.append(f"{run_.name}: {outcome.message or 'passed'}")
    return Finding(bug, "", "", "", "; ".join(seen), time.monotonic() - started)


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
