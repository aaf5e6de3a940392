"""`make bench`: how fast this machine scores, and what Python costs. Printed and written to `bench.json`.

Every figure is the median of `REPEATS` runs; the runs of the idle model with and without Python alternate, so
that both see the same machine.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tb.flow.build import Recipe, Use
from tb.flow.campaign import Job, build_all, run_job
from tb.flow.display import Display, print_table, say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, RUNS, SIM_BUILD, require_writable, shown
from tb.flow.plan import Configuration, Run, SimTest, load_plan
from tb.flow.process import run_program, run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.simulation import LOG, Outcome
from tb.flow.toolchain import build_environment
from tb.flow.variables import Variables

REPORT = "bench.json"
REPEATS = 3
MODULE = "tests.bench.figures"
IDLE_NS = 16_000_000
CLOCK_NS = 8
SEED = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report: its key in `bench.json`, what it is, its unit, and what the plan aims at."""

    key: str
    what: str
    unit: str
    aim: float | None = None


FIGURES = (
    Figure("scored_reads_per_s", "register reads, each scored", "reads/s", 10_000),
    Figure("block_read_MB_per_s", "block reads at queue depth 8, all scored", "MB/s", 2),
    Figure("idle_clocks_per_s", "idle, environment attached", "clocks/s"),
    Figure("bare_clocks_per_s", "idle, the same model without Python", "clocks/s"),
    Figure("idle_fraction_of_bare", "idle speed of what the bare model reaches", "", 0.8),
    Figure("peak_rss_MB", "largest peak memory of these runs", "MB"),
)
# Which test gives which figure, as units a second.
RATES = {"ScoredReads": "scored_reads_per_s", "BlockRead": "block_read_MB_per_s", "Idle": "idle_clocks_per_s"}


def run(variables: Variables) -> int:
    """Measure and report; 0 if everything ran and held, whatever the figures."""
    plan = load_plan(dut=variables.dut)
    for folder in (RUNS, RESULTS):
        require_writable(folder)
    forget(REPORT)
    with Display() as display:
        figures = run_until_complete(measure(plan.default_configuration(plan.devices[0]), display))
    rows = [
        (one.what, figures[one.key], one.unit, "" if one.aim is None else f"{one.aim:,g}") for one in FIGURES
    ]
    print_table("", ("figure", "measured", "unit", "aim"), rows)
    write_json(RESULTS / REPORT, figures)
    say(f"results: {shown(RESULTS / REPORT)}")
    return 0


async def measure(configuration: Configuration, display: Display) -> dict[str, float]:
    """All figures by key."""
    bare = Recipe(configuration, Use.BARE)
    await build_all([Recipe(configuration), bare], display)
    rates: dict[str, list[float]] = defaultdict(list)
    peak = 0.0
    for number in range(REPEATS):
        for test, key in RATES.items():
            outcome = await _simulate(test, configuration, number, display)
            rates[key].append(float(outcome.counters["units"]) / float(outcome.counters["wall_s"]))
            peak = max(peak, outcome.peak_rss_mb)
        rates["bare_clocks_per_s"].append(await _bare(bare))
    figures = {key: round(statistics.median(values), 2) for key, values in rates.items()}
    figures["idle_fraction_of_bare"] = round(figures["idle_clocks_per_s"] / figures["bare_clocks_per_s"], 3)
    figures["peak_rss_MB"] = round(peak, 1)
    return figures


async def _simulate(name: str, configuration: Configuration, number: int, display: Display) -> Outcome:
    test = Run(SimTest(name, MODULE, ""), configuration)
    outcome = await run_job(Job(test, SEED, RUNS / "bench" / f"{name}-{number}"), display)
    if not outcome.passed:
        raise FlowError(f"{name} failed: {outcome.message} ({shown(outcome.folder / LOG)})")
    return outcome


async def _bare(recipe: Recipe) -> float:
    """Clocks a second of the model alone."""
    log = SIM_BUILD / "runs" / "bench" / "bare.log"
    command = [str(recipe.executable), str(IDLE_NS)]
    ended = await run_program(command, folder=recipe.folder, environment=build_environment(), log=log)
    if ended.status != 0:
        raise FlowError(f"the bare model ended with status {ended.status} ({shown(log)}).")
    return _clocks_per_s(log)


def _clocks_per_s(log: Path) -> float:
    result = json.loads(log.read_text(encoding="utf-8"))
    return float(result["sim_ns"]) / CLOCK_NS / float(result["wall_s"])
