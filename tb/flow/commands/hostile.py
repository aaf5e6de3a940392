"""`make hostile`: functions that misbehave on purpose.

Each must end by itself, in little time and memory, with a verdict that names what it did.
"""

from __future__ import annotations

import time

from tb.flow.campaign import CORES, run_all
from tb.flow.display import Display, complain, print_table, say
from tb.flow.hostile import Hostile, culprit, fault_of, hostile_plan, job_of, read_kinds, select
from tb.flow.paths import RESULTS, RUNS, require_writable, shown
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import Outcome
from tb.flow.variables import Variables

REPORT = "hostile.json"
SHOWN = 90


def run(variables: Variables) -> int:
    """Run the kinds that are selected; 0 only if each ended as it must."""
    started = time.monotonic()
    kinds = select(read_kinds(), variables.kind)
    plan = hostile_plan()
    require_writable(RUNS)
    require_writable(RESULTS)
    forget(REPORT)
    jobs = [job_of(kind, plan, variables.seed, RUNS / "hostile") for kind in kinds]
    with Display() as display:
        outcomes = run_until_complete(run_all(jobs, variables.jobs or CORES, display, quiet=True))
    pairs = list(zip(kinds, outcomes, strict=True))
    columns = ("", "kind", "row", "s", "MB", "verdict")
    print_table("hostile functions", columns, [_row(*pair) for pair in pairs])
    faults = {kind.name: fault for kind, outcome in pairs if (fault := fault_of(kind, outcome))}
    say(f"{len(kinds) - len(faults)} of {len(kinds)} ended as they must; {time.monotonic() - started:.1f} s")
    entries = [_entry(kind, outcome, faults.get(kind.name, "")) for kind, outcome in pairs]
    write_json(RESULTS / REPORT, {"kinds": len(kinds), "wrong": len(faults), "runs": entries})
    say(f"results: {shown(RESULTS / REPORT)}")
    for name, fault in faults.items():
        complain(f"WRONG {name}: {fault}\n  again: make hostile KIND={name} SEED={variables.seed}")
    return 1 if faults else 0


def _row(kind: Hostile, outcome: Outcome) -> tuple[object, ...]:
    state = "WRONG" if fault_of(kind, outcome) else "ended"
    verdict = culprit(kind, outcome) or outcome.message
    return state, kind.name, kind.row, outcome.cpu_s, outcome.peak_rss_mb, verdict[:SHOWN]


def _entry(kind: Hostile, outcome: Outcome, fault: str) -> dict[str, object]:
    return {
        "kind": kind.name,
        "row": kind.row,
        "test": outcome.run.test.name,
        "fault": fault,
        "verdict": culprit(kind, outcome),
        "verdicts": outcome.verdicts,
        "message": outcome.message,
        "mismatches": outcome.count("mismatches"),
        "accesses_scored": outcome.count("accesses_scored"),
        "cpu_s": round(outcome.cpu_s, 2),
        "wall_s": round(outcome.wall_s, 2),
        "peak_rss_MB": round(outcome.peak_rss_mb, 1),
    }
