"""One run as `make guest` does it: provision, build, boot, show; and its results for programs and CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tb.flow.paths import write_atomically
from tb.flow.results import JUNIT, SUMMARY, write_json
from tb.guest_vm.provision import provision
from tb.guest_vm.report import Outcome, table
from tb.guest_vm.runner import Request, ServerMaker, model_server, run
from tb.guest_vm.server_options import ServerResults


def boot(request: Request) -> Outcome:
    """Do it and print the table. Raises GuestVmError for what has nothing to do with the function."""
    provision(request.provisioned)  # before the build: where it cannot be had, nothing else is of use
    maker: ServerMaker = model_server
    if request.target == "rtl":
        from tb.guest_vm.rtl_server import server_for  # needs a simulator, which the model does not

        maker = server_for(request)
    outcome = run(request, maker)
    sys.stdout.write(table(outcome) + "\n")
    return outcome


def write_results(request: Request, outcome: Outcome, wall_s: float, folder: Path) -> None:
    """Write `summary.json` and `results.xml`, each whole or not at all. FlowError where that fails."""
    write_atomically(folder / JUNIT, junit(request, outcome, wall_s))
    write_json(folder / SUMMARY, summary(request, outcome, wall_s))


def summary(request: Request, outcome: Outcome, wall_s: float) -> dict[str, Any]:
    """What `summary.json` holds: the keys of every command, then one entry with the run's figures."""
    results = outcome.results or ServerResults()
    return {
        "command": "guest",
        "tests": 1,
        "passed": int(outcome.passed),
        "failed": int(not outcome.passed),
        "seed": request.seed,
        "accesses_scored": results.accesses_scored,
        "dma_scored": results.dma_scored,
        "interrupts_scored": results.interrupts_scored,
        "mismatches": results.mismatches,
        "wall_s": round(wall_s, 3),
        "runs": [_entry(request, outcome, results)],
    }


def _entry(request: Request, outcome: Outcome, results: ServerResults) -> dict[str, Any]:
    """Times in seconds. `boot_s` is from power-on to the guest's script, None when it never started."""
    reference = outcome.reference
    return {
        "test": outcome.title,
        "passed": outcome.passed,
        "message": outcome.troubles[0] if outcome.troubles else "",
        "reproduce": outcome.reproduce,
        "boot_s": _rounded(outcome.run.first_word_s),
        "guest_s": _rounded(outcome.run.wall_s),
        "reference_s": _rounded(reference.wall_s if reference else None),
        "steps": outcome.run.log.steps,
        "disk_requests": results.requests,
        "disk_bytes": results.bytes,
        "interrupts": results.interrupts,
        "accesses": results.accesses,
        "clocks": results.clocks,
        "verdicts": results.verdicts,
        "logs": str(request.folder),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def junit(request: Request, outcome: Outcome, wall_s: float) -> str:
    """The run as JUnit XML."""
    numbers = {"tests": "1", "failures": str(int(not outcome.passed)), "time": f"{wall_s:.3f}"}
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", {"name": "real guests"} | numbers)
    place = {"classname": f"guest.{request.guest}", "name": outcome.title, "time": numbers["time"]}
    case = SubElement(suite, "testcase", place)
    if outcome.troubles:
        failure = SubElement(case, "failure", {"message": _printable(outcome.troubles[0])})
        lines = [*outcome.troubles, f"logs: {outcome.folder}", f"again: {outcome.reproduce}"]
        failure.text = _printable("\n".join(lines))
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
