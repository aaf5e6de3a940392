"""`make test`: pytest over everything in `tests/`, the simulations included, on all cores."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from tb.flow.campaign import CORES
from tb.flow.display import say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, ROOT, RUNS, require_writable, shown, write_atomically
from tb.flow.plan import load_plan
from tb.flow.process import run_attached, run_until_complete
from tb.flow.results import JUNIT, SUMMARY, SUMS, forget, write_json
from tb.flow.simulation import COUNTERS, read_counters
from tb.flow.variables import Variables

TEST_RUNS = RUNS / "test"
SEED_VARIABLE = "VPCI_TEST_SEED"
DUT_VARIABLE = "VPCI_TEST_DUT"


def run(variables: Variables) -> int:
    """Run pytest; its results become the command's results. 0 only if every test passed."""
    started = time.monotonic()
    for folder in (RUNS, RESULTS):
        require_writable(folder)
    forget(SUMMARY, JUNIT)
    report = RUNS / "pytest.xml"
    report.unlink(missing_ok=True)
    _empty(TEST_RUNS)
    workers = variables.jobs or CORES
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "worksteal"]
    command += [f"--junitxml={report}", "-o", "junit_family=xunit2", "tests"]
    environment = {**os.environ, SEED_VARIABLE: str(variables.seed)}
    if variables.dut is not None:
        load_plan(dut=variables.dut)  # refused at once rather than by every test
        environment[DUT_VARIABLE] = str(variables.dut)
    status = run_until_complete(run_attached(command, folder=ROOT, environment=environment))
    if not report.is_file():
        raise FlowError(f"pytest ended with status {status} and wrote no report.")
    _write(report, time.monotonic() - started, variables.seed)
    return 0 if status == 0 else 1


def _empty(folder: Path) -> None:
    for path in folder.glob(f"*/{COUNTERS}"):
        path.unlink()


def _write(report: Path, wall_s: float, seed: int) -> None:
    text = report.read_text(encoding="utf-8")
    suites = ElementTree.fromstring(text).findall(".//testsuite")
    total, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    table = {
        "command": "test",
        "tests": total,
        "passed": total - failed - skipped,
        "failed": failed,
        "skipped": skipped,
        "seed": seed,
    }
    counters = [read_counters(path) for path in sorted(TEST_RUNS.glob(f"*/{COUNTERS}"))]
    table |= {name: sum(int(one.get(name, 0)) for one in counters) for name in SUMS}
    table["wall_s"] = round(wall_s, 3)
    write_atomically(RESULTS / JUNIT, text)
    write_json(RESULTS / SUMMARY, table)
    say(f"results: {shown(RESULTS / SUMMARY)}, {shown(RESULTS / JUNIT)}")
