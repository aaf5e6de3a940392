"""`make lint`: ruff and mypy over the Python, Verilator's `-Wall` over the RTL, several parameter sets."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tb.flow.campaign import CORES, all_or_none
from tb.flow.display import complain, say
from tb.flow.hostile import DUT as HOSTILE_DUT
from tb.flow.paths import OWN_DUT, ROOT, SIM_BUILD, require_writable
from tb.flow.plan import described, load_plan
from tb.flow.process import run_program, run_until_complete
from tb.flow.toolchain import build_environment, find_verilator
from tb.flow.variables import Variables

LOGS = SIM_BUILD / "lint"
PYTHON_FOLDERS = ("tb", "tests")


@dataclass(frozen=True, slots=True)
class Linter:
    """One linter's run: its name on the screen and its command."""

    name: str
    command: tuple[str, ...]


def python_linters() -> list[Linter]:
    """The linters of the Python side."""
    python = (sys.executable, "-m")
    return [
        Linter(
            "ruff", (*python, "ruff", "check", "--no-cache", "--output-format", "concise", *PYTHON_FOLDERS)
        ),
        Linter("mypy", (*python, "mypy", "--no-error-summary", "--cache-dir", str(SIM_BUILD / "mypy"))),
    ]


def rtl_linters() -> list[Linter]:
    """Verilator over the function: as it is, and with each distinct parameter set of the test plan."""
    sets: dict[tuple[str, ...], str] = {(): "defaults"}
    for one in load_plan().configurations.values():
        parameters = tuple(f"-G{name}={value}" for name, value in sorted(one.parameters.items()))
        sets.setdefault(parameters, one.name)
    dut = described(OWN_DUT)
    sources = tuple(str(path.relative_to(ROOT)) for path in dut.sources.files)
    start = (str(find_verilator().program), "--lint-only", "-Wall", "--timescale", "1ns/1ns", "-Irtl")
    linters = [
        Linter(f"verilator {name}", (*start, "--top-module", dut.top, *parameters, *sources))
        for parameters, name in sets.items()
    ]
    hostile = described(HOSTILE_DUT)
    sources = tuple(str(path.relative_to(ROOT)) for path in hostile.sources.files)
    # One kind of it is a loop.
    command = (*start, "-Wno-UNOPTFLAT", "--top-module", hostile.top, *sources)
    return [*linters, Linter("verilator hostile", command)]


async def _lint(linter: Linter) -> bool:
    log = LOGS / f"{linter.name.replace(' ', '-')}.log"
    ended = await run_program(linter.command, folder=ROOT, environment=build_environment(), log=log)
    _tell(linter, ended.status == 0, log)
    return ended.status == 0


def _tell(linter: Linter, clean: bool, log: Path) -> None:
    say(f"{'clean ' if clean else 'FAILED'}  {linter.name}")
    if not clean:
        complain(log.read_text(encoding="utf-8", errors="replace").rstrip())


def run(_variables: Variables) -> int:
    """Run all linters; 0 only if all are clean."""
    require_writable(LOGS)
    linters = python_linters() + rtl_linters()

    async def work() -> list[bool]:
        clean: list[bool] = []
        for start in range(0, len(linters), CORES):
            clean += await all_or_none([_lint(one) for one in linters[start : start + CORES]])
        return clean

    return 0 if all(run_until_complete(work())) else 1
