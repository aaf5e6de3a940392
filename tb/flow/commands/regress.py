"""`make regress SEEDS=n JOBS=n`: every simulation test on every configuration of the plan, times n seeds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from tb.flow.campaign import CORES, Job, applicable, run_all
from tb.flow.commands.sim import show_summary
from tb.flow.display import Display, print_table
from tb.flow.failures import tell_all
from tb.flow.paths import RESULTS, RUNS, require_writable
from tb.flow.plan import load_plan
from tb.flow.process import run_until_complete
from tb.flow.results import JUNIT, SUMMARY, forget, write_results
from tb.flow.simulation import Outcome
from tb.flow.variables import Variables


def run(variables: Variables) -> int:
    """Run all, print a table of tests and every failure's reproducing command; 0 only if all held."""
    started = time.monotonic()
    runs = load_plan(dut=variables.dut).runs(variables.test, variables.device, variables.config)
    runs, skipped = applicable(runs)
    require_writable(RUNS)
    require_writable(RESULTS)
    forget(SUMMARY, JUNIT)
    seeds = range(variables.seed, variables.seed + variables.seeds)
    jobs = [Job(one, seed, RUNS / "regress" / f"{one.name}-{seed}") for one in runs for seed in seeds]
    with Display() as display:
        outcomes = run_until_complete(run_all(jobs, variables.jobs or CORES, display))
    show_tests(outcomes)
    show_summary(write_results("regress", outcomes, time.monotonic() - started, variables.seed, skipped))
    return tell_all(outcomes)


def show_tests(outcomes: Sequence[Outcome]) -> None:
    """One row per test and configuration: runs, failures, what was scored, time."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.run.name].append(one)
    rows = [
        (
            name,
            len(group),
            sum(not one.passed for one in group),
            sum(one.count("accesses_scored") for one in group),
            sum(one.count("dma_scored") for one in group),
            sum(one.wall_s for one in group),
        )
        for name, group in groups.items()
    ]
    print_table("", ("test", "runs", "failed", "accesses", "DMA TLPs", "s"), rows)
