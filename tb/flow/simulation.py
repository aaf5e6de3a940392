"""Running one test on one build, and finding out whether it really ran and what it says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython

from tb.flow.build import TOP, Recipe
from tb.flow.errors import FlowError
from tb.flow.locks import alone_in
from tb.flow.options import VARIABLE, SimOptions
from tb.flow.paths import ROOT, shown
from tb.flow.plan import Run
from tb.flow.process import Ended, run_program
from tb.flow.progress import Position, ProgressReader
from tb.mutation.names import FAULT_PLUSARGS, UPSET_PLUSARGS

COUNTERS = "counters.json"
VERDICTS = "verdicts.jsonl"
LOG = "sim.log"
ERROR_LINE = re.compile(r"^(\w+\.)*\w*(Error|Exception|Interrupt)\b|^%Error|\bCRITICAL\b")
SCORED = {"accesses_scored": "accesses", "dma_scored": "DMA packets", "interrupts_scored": "interrupts"}
FATAL_LINE = re.compile(r"^%Error(?P<kind>-\w+)?: (?P<what>.+)$", re.MULTILINE)
LOOP_LINE = re.compile(r"^%Warning-UNOPTFLAT: ([^:]+):(\d+):.*: ('[^']+')$", re.MULTILINE)
NESTED_ERROR = re.compile(r"^[ |]*(?:\w+\.)*(\w+: (?!Multiple exceptions).+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of one test ended.

    `message` is empty for a run that held, else why it did not: the first verdict where there is one.
    `counters` is what the test wrote, also one that was killed: at least `accesses_scored`, `dma_scored`,
    `interrupts_scored`, `mismatches` (0 where it wrote nothing), `verdicts` (a list of texts, one for each
    kind of verdict) and whatever else it reports.
    """

    run: Run
    seed: int
    message: str
    wall_s: float
    peak_rss_mb: float
    folder: Path
    counters: Mapping[str, Any] = field(default_factory=dict)
    cpu_s: float = 0.0
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        """Whether the test ran and held."""
        return not self.message

    def count(self, name: str) -> int:
        """A counter of the test, 0 where it has none of that name."""
        return int(self.counters.get(name, 0))

    @property
    def verdicts(self) -> list[str]:
        """The judge's verdicts as texts."""
        return [str(one) for one in self.counters.get("verdicts", [])]


def libpython() -> str:
    """The shared library of this Python, which the simulator loads. Raises FlowError where there is none."""
    found = find_libpython.find_libpython()
    if found is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise FlowError(
            f"The shared library of Python {version} is missing and the simulator needs it: "
            f"install it (Debian, Ubuntu: apt install libpython{version})."
        )
    return found


def simulation_environment(run: Run, options: SimOptions, results: Path) -> dict[str, str]:
    """The environment variables of a simulation process, over those of the command."""
    libraries = str(cocotb_tools.config.libs_dir)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COCOTB_", "GPI_"))
    }
    environment |= {
        "PATH": os.pathsep.join((os.environ.get("PATH", os.defpath), libraries)),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": ";".join((libpython(), cocotb_tools.config.pygpi_entry_point())),
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TEST_MODULES": run.test.module,
        "COCOTB_TEST_FILTER": rf"\.{re.escape(run.test.name)}$",
        "COCOTB_RANDOM_SEED": str(options.seed),
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        VARIABLE: options.to_json(),
    }
    return environment


async def simulate(
    run: Run,
    recipe: Recipe,
    options: SimOptions,
    folder: Path,
    on_progress: Callable[[Position], None] | None = None,
) -> Outcome:
    """Run one test in `folder`, which is emptied first, once no other command works there.

    Every way to end is an Outcome; FlowError only for what has nothing to do with the test.
    """
    async with alone_in(folder):
        return await _simulate(run, recipe, options, folder, on_progress)


async def _simulate(
    run: Run,
    recipe: Recipe,
    options: SimOptions,
    folder: Path,
    on_progress: Callable[[Position], None] | None,
) -> Outcome:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    results, progress = folder / "results.xml", folder / "progress.jsonl"
    reader = ProgressReader(progress)

    def poll() -> None:
        position = reader.latest()
        if position is not None and on_progress is not None:
            on_progress(position)

    # Randomised initial values follow the seed; Verilator takes 1 to 2^31-1.
    command = [
        str(recipe.executable),
        "+verilator+rand+reset+2",
        f"+verilator+seed+{options.seed % (2**31 - 1) + 1}",
        *([f"+hostile={options.hostile}"] if options.hostile else []),
        *(f"+{name}={fault}" for name, fault in zip(FAULT_PLUSARGS, options.faults, strict=False)),
        *(f"+{name}={value}" for name, value in zip(UPSET_PLUSARGS, options.upset, strict=False)),
    ]
    ended = await run_program(
        command + (["--trace"] if options.waves else []),
        folder=folder,
        environment=simulation_environment(run, options, results),
        log=folder / LOG,
        limit_s=run.limit_s,
        on_poll=poll,
    )
    counters = with_verdicts(read_counters(folder / COUNTERS), folder / VERDICTS)
    counters = with_fatal_error(counters, folder / LOG, recipe.folder / "verilate.log")
    message = judge_end(ended, run, results, counters)
    return Outcome(
        run,
        options.seed,
        message,
        ended.wall_s,
        ended.peak_rss_mb,
        folder,
        counters,
        ended.cpu_s,
        ended.timed_out,
    )


def read_counters(path: Path) -> dict[str, Any]:
    """What the test wrote, empty where it wrote nothing readable."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def with_verdicts(counters: dict[str, Any], path: Path) -> dict[str, Any]:
    """The counters of a run with the verdicts that it wrote as it found them, if it did not end by itself."""
    if counters.get("ended", False) or not path.is_file():
        return counters
    kinds: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # the last line of a run that was killed may be cut short
            kind = json.loads(line)
            kinds[kind["kind"]] = kind
    total = sum(int(kind["count"]) for kind in kinds.values())
    return {
        **counters,
        "mismatches": max(total, int(counters.get("mismatches", 0))),
        "verdicts": [str(kind["text"]) for kind in kinds.values()],
    }


def with_fatal_error(counters: dict[str, Any], log: Path, build_log: Path) -> dict[str, Any]:
    """The counters with a verdict where the simulator itself stopped the run, the function being at fault.

    That is a loop without delay (`SIM-LOOP`), with what Verilator said of loops when it built the model, or
    an error that the RTL raises (`SIM-ERROR`).
    """
    match = FATAL_LINE.search(log.read_text(encoding="utf-8", errors="replace"))
    if match is None:
        return counters
    verdict = f"SIM-ERROR: {match['what']}"
    if match["kind"] == "-DIDNOTCONVERGE":
        text = build_log.read_text(encoding="utf-8", errors="replace")
        loops = [f"{signal} ({Path(file).name}:{line})" for file, line, signal in LOOP_LINE.findall(text)]
        where = f" Verilator found loops through {', '.join(loops)}." if loops else ""
        verdict = f"SIM-LOOP: a loop without delay keeps simulated time from going on.{where} {match['what']}"
    found = [*counters.get("verdicts", []), verdict]
    return {**counters, "verdicts": found, "mismatches": int(counters.get("mismatches", 0)) + 1}


def judge_end(ended: Ended, run: Run, results: Path, counters: Mapping[str, Any]) -> str:
    """Why a run did not hold, in a sentence; empty if it ran and held. A verdict comes before all else."""
    why = _why(ended, run, results, counters)
    verdicts = counters.get("verdicts") or []
    if not why or not verdicts:
        return why
    return f"{verdicts[0]} ({counters['mismatches']:,} mismatches of {len(verdicts)} kinds. {why})"


def _why(ended: Ended, run: Run, results: Path, counters: Mapping[str, Any]) -> str:
    log = shown(results.parent / LOG)
    if ended.timed_out:
        scored = ", ".join(f"{counters.get(name, 0):,} {what}" for name, what in SCORED.items())
        limit = f"It did not end within {run.limit_s:.0f} s and was stopped"
        return f"{limit}; scored until then: {scored} ({log})."
    try:
        cases = ElementTree.parse(results).getroot().findall(".//testcase")
    except (OSError, ElementTree.ParseError):
        said = last_line(results.parent / LOG)
        return f"The simulator ended with status {ended.status} and no results: {said} ({log})"
    if len(cases) != 1:
        return f"{len(cases)} tests ran instead of one ({log})."
    for kind in ("failure", "error", "skipped"):
        found = cases[0].find(kind)
        if found is not None:
            return _reason(found) or f"It ended as {kind} ({log})."
    if ended.status != 0:
        return f"The simulator ended with status {ended.status}: {last_line(results.parent / LOG)} ({log})"
    if not counters.get("ended", False):
        return f"It wrote no {COUNTERS}, so nothing says that it was scored ({log})."
    if counters.get("mismatches", 0):
        return f"{counters['mismatches']} mismatches, and the test passed all the same ({log})."
    return ""


def _reason(element: ElementTree.Element) -> str:
    """Type and message of what a test raised; of a group, of the first error in it."""
    kind, message = element.get("type", ""), (element.get("message") or "").strip()
    if kind == "ExceptionGroup":
        nested = NESTED_ERROR.search(element.text or "")
        return nested[1] if nested else message
    # The first line only: an assert adds its source, pytest-style, in further ones.
    return ": ".join(part for part in (kind, message.partition("\n")[0]) if part)


def last_line(log: Path) -> str:
    """The last line of a log that names an error, else the last one that says something."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if ERROR_LINE.search(line)]
    return (errors or said or [""])[-1][:300]
