"""`make legal`: patches that make the RTL do what another right function does; none may be accused.

Each is judged twice. With the choices of its header the run must pass: the function is right, and its profile
says what it does. With the RTL's own strict profile a verdict must name one of its rules: the patch really
does something else. What no small patch makes the RTL do is shown by traces, which pytest judges.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tb.flow.campaign import CORES
from tb.flow.display import Bar, Display, complain, print_table, say
from tb.flow.paths import RESULTS, ROOT, SIM_BUILD, require_writable, shown
from tb.flow.plan import load_plan
from tb.flow.planted import Planted, named, read_variants
from tb.flow.planted_copy import PlantedCopy
from tb.flow.planted_runs import Workshop
from tb.flow.process import run_attached, run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import Outcome
from tb.flow.variables import Variables
from tb.flow.verdict_rules import naming

LEGAL = SIM_BUILD / "legal"
REPORT = "legal.json"
TRACES = ("tests/unit/test_judge_legal.py", "tests/unit/test_judge_any_order.py")


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one variant: why it was accused, and the verdict that the strict profile gave."""

    variant: Planted
    accused: str
    told: str
    reason: str
    wall_s: float

    @property
    def held(self) -> bool:
        """Whether it passed as what it says it is, and was told as what it does not say."""
        return not self.accused and bool(self.told)

    @property
    def line(self) -> str:
        """What is said when it is known."""
        if self.accused:
            return f"ACCUSED  {self.variant.name}  {self.accused}"
        return f"{'legal' if self.held else 'UNTOLD'}  {self.variant.name}  {self.told or self.reason}"


def run(variables: Variables) -> int:
    """0 only if every variant and every trace held."""
    variants = named("VARIANT", read_variants(load_plan()), variables.variant)
    require_writable(LEGAL)
    require_writable(RESULTS)
    forget(REPORT)
    traces = 0 if variables.variant else _judge_traces()
    with Display() as display:
        findings = run_until_complete(try_all(variants, variables.jobs or CORES, variables.seed, display))
    report(findings)
    return 0 if not traces and all(one.held for one in findings) else 1


def _judge_traces() -> int:
    """The traces of what no patch does; pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-q", *TRACES]
    return run_until_complete(run_attached(command, folder=ROOT, environment=os.environ))


async def try_all(variants: list[Planted], jobs: int, seed: int, display: Display) -> list[Finding]:
    """Plant, build and run all variants, `jobs` at a time."""
    workshop = Workshop(LEGAL, jobs, seed)
    return await workshop.try_each(variants, "legal variants", display, partial(try_variant, workshop))


async def try_variant(workshop: Workshop, variant: Planted, copy: PlantedCopy, bar: Bar) -> Finding:
    """One variant: each of its tests must pass, and one of them must be told under the strict profile."""
    started = time.monotonic()
    told, seen = "", []

    async def outcome_of(choices: Mapping[str, Any], stop_at: tuple[str, ...]) -> Outcome:
        return await workshop.run(run_, variant, copy, bar, choices=choices, stop_at=stop_at)

    for run_ in variant.runs:
        lenient = await outcome_of(variant.choices, ())
        if not lenient.passed:
            accused = "; ".join([f"{run_.name}: {lenient.message}", *lenient.verdicts[:3]])
            return Finding(variant, accused, "", "", time.monotonic() - started)
        if not told:
            strict = await outcome_of({}, variant.rules)
            told = naming(strict.verdicts, variant.rules)
            seen.append(f"{run_.name}: {strict.message or 'passed'}")
    reason = "" if told else f"no verdict of {', '.join(variant.rules)}: {'; '.join(seen)}"
    return Finding(variant, "", told, reason, time.monotonic() - started)


def report(findings: list[Finding]) -> None:
    """The table, the JSON file, and a reproducing command for every variant that did not hold."""
    rows = [
        (
            "legal" if one.held else "WRONG",
            one.variant.name,
            ", ".join(f"{name} = {value}" for name, value in one.variant.choices.items()),
            one.variant.rules[0],
            one.wall_s,
        )
        for one in findings
    ]
    print_table("legal variants", ("", "variant", "its profile", "else told by", "s"), rows)
    held = sum(one.held for one in findings)
    say(f"{held} of {len(findings)} legal variants pass by their own profile and are told by the strict one")
    entries = [
        {
            "variant": one.variant.name,
            "what": one.variant.sentence,
            "choices": dict(one.variant.choices),
            "rules": list(one.variant.rules),
            "held": one.held,
            "accused": one.accused,
            "told": one.told,
            "reason": one.reason,
        }
        for one in findings
    ]
    write_json(RESULTS / REPORT, {"variants": len(findings), "held": held, "findings": entries})
    say(f"results: {shown(RESULTS / REPORT)}")
    for one in findings:
        if not one.held:
            complain(f"{one.line} ({one.variant.sentence})\n  again: make legal VARIANT={one.variant.name}")
