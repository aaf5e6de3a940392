"""`make sim`: the main job, or the test that TEST names."""

from __future__ import annotations

import shlex
import time
from typing import Any

from tb.flow.build import Use
from tb.flow.campaign import CORES, Job, applicable, run_all
from tb.flow.display import Display, say
from tb.flow.failures import tell_all
from tb.flow.hostile import function_of
from tb.flow.main_job_table import show_main_job
from tb.flow.paths import RESULTS, RUNS, require_writable, shown
from tb.flow.plan import load_plan
from tb.flow.process import run_until_complete
from tb.flow.results import JUNIT, SUMMARY, forget, write_results
from tb.flow.variables import Variables

MAIN_JOB = "main_job"


def run(variables: Variables) -> int:
    """Run, print the table, write the results; 0 only if everything ran and held."""
    started = time.monotonic()
    plan = load_plan(dut=function_of(variables.hostile, variables.dut))
    runs = plan.runs(variables.test or MAIN_JOB, variables.device, variables.config)
    if variables.config is None and variables.test is None:
        runs = runs[:1]
    runs, skipped = applicable(runs)
    require_writable(RUNS)
    require_writable(RESULTS)
    forget(SUMMARY, JUNIT)
    use = Use.WAVES if variables.waves else Use.PYTHON
    jobs = [
        Job(
            one,
            variables.seed,
            RUNS / "sim" / one.name,
            use,
            variables.disk,
            variables.bytes_limit,
            variables.verdicts,
            hostile=variables.hostile,
        )
        for one in runs
    ]
    with Display() as display:
        outcomes = run_until_complete(run_all(jobs, variables.jobs or CORES, display))
    for outcome in outcomes:
        show_main_job(outcome)
    table = write_results("sim", outcomes, time.monotonic() - started, variables.seed, skipped)
    show_summary(table)
    return tell_all(outcomes, extra_variables(variables))


def show_summary(table: dict[str, Any]) -> None:
    """The sums in one line, and where the files are."""
    say(
        f"{table['passed']} of {table['tests']} passed; {table['accesses_scored']:,} accesses, "
        f"{table['dma_scored']:,} DMA TLPs and {table['interrupts_scored']:,} interrupt messages scored, "
        f"{table['mismatches']:,} mismatches; {table['wall_s']:.1f} s (seed {table['seed']})"
    )
    say(f"results: {shown(RESULTS / SUMMARY)}, {shown(RESULTS / JUNIT)}")


def extra_variables(variables: Variables) -> str:
    """What else the user gave that a reproducing command must repeat."""
    given = (
        ("DISK", variables.disk),
        ("BYTES", variables.bytes_limit),
        ("HOSTILE", variables.hostile or None),
        ("WAVES", int(variables.waves) or None),
    )
    return "".join(f" {name}={shlex.quote(str(value))}" for name, value in given if value is not None)
