"""The result files of a command: `summary.json` for programs, `results.xml` (JUnit) for CI.

Each is written whole or not at all.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tb.flow.paths import OWN_DUT, RESULTS, shown, write_atomically
from tb.flow.plan import Run
from tb.flow.simulation import Outcome

SUMMARY = "summary.json"
JUNIT = "results.xml"
SUMS = ("accesses_scored", "dma_scored", "interrupts_scored", "mismatches")


def forget(*names: str, folder: Path = RESULTS) -> None:
    """Remove a former run's results, so that none can be taken for this run's."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def reproduce(outcome: Outcome, extra: str = "") -> str:
    """The command that does this run again."""
    run, where = outcome.run, outcome.run.configuration
    dut = "" if where.dut == OWN_DUT else f" DUT={shlex.quote(str(where.dut))}"
    return f"make sim{dut} TEST={run.test.name} CONFIG={where.name} SEED={outcome.seed}{extra}"


def summary(command: str, outcomes: Sequence[Outcome], wall_s: float, seed: int) -> dict[str, Any]:
    """The content of `summary.json`: the sums over all runs, then one entry a run."""
    failed = sum(not one.passed for one in outcomes)
    table: dict[str, Any] = {
        "command": command,
        "tests": len(outcomes),
        "passed": len(outcomes) - failed,
        "failed": failed,
        "seed": seed,
    }
    table |= {name: sum(one.count(name) for one in outcomes) for name in SUMS}
    table |= {"wall_s": round(wall_s, 3), "runs": [_entry(one) for one in outcomes]}
    return table


def _entry(outcome: Outcome) -> dict[str, Any]:
    return {
        "test": outcome.run.test.name,
        "configuration": outcome.run.configuration.name,
        "seed": outcome.seed,
        "passed": outcome.passed,
        "message": outcome.message,
        "wall_s": round(outcome.wall_s, 3),
        "peak_rss_MB": round(outcome.peak_rss_mb, 1),
        "reproduce": reproduce(outcome),
        "counters": dict(outcome.counters),
    }


def junit(outcomes: Sequence[Outcome], wall_s: float) -> str:
    """The runs as JUnit XML."""
    failed = sum(not one.passed for one in outcomes)
    suite = Element(
        "testsuite", _attributes(name="simulations", tests=len(outcomes), failures=failed, time=wall_s)
    )
    for one in outcomes:
        case = SubElement(
            suite, "testcase", _attributes(classname=one.run.test.module, name=_case(one), time=one.wall_s)
        )
        if not one.passed:
            failure = SubElement(case, "failure", _attributes(message=one.message))
            failure.text = "\n".join((*one.verdicts, f"log: {shown(one.folder)}", f"again: {reproduce(one)}"))
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + _printable(tostring(suites, encoding="unicode")) + "\n"
    )


def _case(outcome: Outcome) -> str:
    return f"{outcome.run.name}-seed{outcome.seed}"


def _attributes(**values: str | int | float) -> dict[str, str]:
    return {
        name: f"{value:.3f}" if isinstance(value, float) else str(value) for name, value in values.items()
    }


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")


def write_results(
    command: str,
    outcomes: Sequence[Outcome],
    wall_s: float,
    seed: int,
    skipped: Sequence[Run] = (),
    folder: Path = RESULTS,
) -> dict[str, Any]:
    """Write both files; returns the summary. `skipped` are the runs that are not applicable.

    Raises FlowError where they cannot be written.
    """
    table = summary(command, outcomes, wall_s, seed)
    table["not_applicable"] = [{"run": run.name, "lacks": run.lacks} for run in skipped]
    write_atomically(folder / JUNIT, junit(outcomes, wall_s))
    write_json(folder / SUMMARY, table)
    return table


def write_json(path: Path, table: Mapping[str, Any]) -> None:
    """Write a JSON file whole. Raises FlowError where it cannot be written."""
    write_atomically(path, json.dumps(table, indent=2) + "\n")
