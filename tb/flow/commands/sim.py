"""`make sim`: the main job, or the test that TEST names."""

from __future__ import annotations

import shlex
import time
from typing import Any

from tb.flow.build import Use
from tb.flow.campaign import CORES, Job, run_all
from tb.flow.display import Display, print_table, say
from tb.flow.failures import tell_all
from tb.flow.paths import RESULTS, RUNS, require_writable, shown
from tb.flow.plan import load_plan
from tb.flow.process import run_until_complete
from tb.flow.results import JUNIT, SUMMARY, forget, write_results
from tb.flow.simulation import Outcome
from tb.flow.variables import Variables

MAIN_JOB = "main_job"
# Column titles of the phases that a test may report in `counters.json`, by key.
PHASE_COLUMNS = {
    "phase": "phase",
    "interrupts": "interrupts",
    "requests": "requests",
    "bytes": "bytes",
    "accesses_scored": "accesses",
    "dma_scored": "DMA TLPs",
    "interrupts_scored": "messages",
    "mismatches": "mismatches",
    "sim_us": "simulated µs",
    "wall_s": "wall s",
    "requests_per_s": "requests/s",
    "MB_per_s": "MB/s",
}


def run(variables: Variables) -> int:
    """Run, print the table, write the results; 0 only if everything ran and held."""
    started = time.monotonic()
    plan = load_plan()
    runs = plan.runs(variables.test or MAIN_JOB, variables.device, variables.config)
    if variables.config is None and variables.test is None:
        runs = runs[:1]
    require_writable(RUNS)
    require_writable(RESULTS)
    forget(SUMMARY, JUNIT)
    use = Use.WAVES if variables.waves else Use.PYTHON
    jobs = [
        Job(one, variables.seed, RUNS / "sim" / one.name, use, variables.disk, variables.bytes_limit)
        for one in runs
    ]
    with Display() as display:
        outcomes = run_until_complete(run_all(jobs, variables.jobs or CORES, display))
    for outcome in outcomes:
        show_phases(outcome)
    table = write_results("sim", outcomes, time.monotonic() - started, variables.seed)
    show_summary(table)
    return tell_all(outcomes, extra_variables(variables))


def show_phases(outcome: Outcome) -> None:
    """The table of what a test did, where it reports its phases."""
    phases = outcome.counters.get("phases") or []
    keys = [key for key in PHASE_COLUMNS if any(key in phase for phase in phases)]
    if keys:
        rows = [[phase.get(key, "") for key in keys] for phase in phases]
        print_table(f"{outcome.run.name}, seed {outcome.seed}", [PHASE_COLUMNS[key] for key in keys], rows)


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
        ("WAVES", int(variables.waves) or None),
    )
    return "".join(f" {name}={shlex.quote(str(value))}" for name, value in given if value is not None)
