"""Building a Verilated model: `tb_top` with one configuration's parameters, for one of three uses.

A build lives in a folder of its own below `sim_build/build`, is made again only when something that goes into
it has changed, and is never made by two commands at once.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cocotb_tools.config

from tb.dut.adapter import adapter_text
from tb.dut.description import Description
from tb.flow import runtime
from tb.flow.errors import FlowError
from tb.flow.locks import alone_in
from tb.flow.paths import BUILDS, OWN_DUT, ROOT, shown
from tb.flow.plan import Configuration, described
from tb.flow.process import run_program
from tb.flow.toolchain import build_environment, can_write_fst, compiler_identity, find_verilator

TOP = "tb_top"
HARNESS = ROOT / "tb" / "harness"
HARNESS_LIST = HARNESS / "files.f"
HARNESS_SUFFIXES = {".sv", ".vlt", ".f", ".cpp", ".h"}
ADAPTER = "dut.sv"
BARE_MAIN = ROOT / "tb" / "flow" / "bare_main.cpp"
# cocotb's main program looks at VM_TRACE, which Verilator leaves at 0 for FST.
FST_FLAGS = ("--trace-fst", "-CFLAGS", "-DVM_TRACE=1")
VCD_FLAGS = ("--trace",)
# Toggles of wide signals are data: they would drown those of control.
COVERAGE_FLAGS = ("--coverage-line", "--coverage-expr", "--coverage-toggle", "--coverage-max-width", "16")
# One file of all generated code: with so few of them, precompiled headers cost more than a second core gains.
MAKE_VARIABLES = ("OPT_GLOBAL=-O2", "VM_PARALLEL_BUILDS=0")
C_FLAGS = f"-I{HARNESS} -std=c++20"
ERRORS_SHOWN = 15


class Use(enum.Enum):
    """What a model is built for."""

    PYTHON = "python"  # run by cocotb
    WAVES = "waves"  # run by cocotb, can write a dump
    BARE = "bare"  # run by a C++ loop alone, to know what Python costs
    COVERAGE = "coverage"  # run by cocotb, counts what of the design was exercised


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build: the configuration's function, or a copy of the project's own.

    `rtl` is the folder that holds the copy's `rtl/`. A build that runs once only is better not `optimised`:
    it compiles in two thirds of the time.
    """

    configuration: Configuration
    use: Use = Use.PYTHON
    rtl: Path = ROOT
    builds: Path = BUILDS
    optimised: bool = True

    @property
    def folder(self) -> Path:
        """Where the build lives."""
        suffix = "" if self.use is Use.PYTHON else f"-{self.use.value}"
        return self.builds / f"{self.configuration.folder_name}{suffix}"

    @property
    def description(self) -> Description:
        """The function to build. Raises FlowError for a description that cannot be used."""
        copied = self.rtl / OWN_DUT.relative_to(ROOT)
        return described(self.configuration.dut if self.rtl == ROOT else copied)

    @property
    def adapter(self) -> Path:
        """The generated module that puts the function behind the ports of the harness."""
        return self.folder / ADAPTER

    @property
    def executable(self) -> Path:
        """The program that the build makes."""
        return self.folder / TOP

    @property
    def dump_name(self) -> str:
        """The file a WAVES build writes in the folder it runs in."""
        return "dump.fst" if can_write_fst() else "dump.vcd"


def harness_files() -> list[Path]:
    """The files of the harness, from its list: one path a line, relative to the project's folder."""
    lines = HARNESS_LIST.read_text(encoding="utf-8").splitlines()
    entries = [line.partition("//")[0].strip() for line in lines]
    return [ROOT / entry for entry in entries if entry]


def listed_files(recipe: Recipe) -> list[Path]:
    """The files to compile: the function's, the adapter's, the harness's."""
    return [*recipe.description.sources.files, recipe.adapter, *harness_files()]


def _all_sources(recipe: Recipe) -> list[Path]:
    """Everything that can go into the build and is not generated, headers too."""
    found = [BARE_MAIN] if recipe.use is Use.BARE else []
    found += recipe.description.sources.watched()
    return found + sorted(path for path in HARNESS.rglob("*") if path.suffix in HARNESS_SUFFIXES)


def adapter_of(recipe: Recipe) -> str:
    """The text of the adapter."""
    return adapter_text(recipe.description, recipe.configuration.parameters)


def _use_flags(recipe: Recipe) -> list[str]:
    """The flags and the main program of one use."""
    if recipe.use is Use.BARE:
        return [str(BARE_MAIN)]
    libraries = cocotb_tools.config.libs_dir
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    flags = ["--vpi", "-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator", str(main)]
    if recipe.use is Use.WAVES:
        flags += ["--trace-structs", *(FST_FLAGS if can_write_fst() else VCD_FLAGS)]
    if recipe.use is Use.COVERAGE:
        flags += [*COVERAGE_FLAGS, str(ROOT / "tb" / "harness" / "coverage.vlt")]
    return flags


def verilate_command(recipe: Recipe) -> list[str]:
    """The Verilator command of a build."""
    dut = recipe.description
    width = dut.facts(recipe.configuration.parameters).data_width
    return [
        str(find_verilator().program),
        "--cc",
        "--exe",
        "--timing",
        "--assert",
        "-O3",
        # Registers without a reset start with a value that the seed chooses, so that relying on zero shows.
        *("--x-assign", "fast", "--x-initial", "unique"),
        # Loops without a register are told, so that a simulation that stands still can say where.
        *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wwarn-UNOPTFLAT"),
        *("--timescale", "1ns/1ns"),
        *("--top-module", TOP, "--prefix", "Vtop", "-o", TOP, "-Mdir", str(recipe.folder)),
        *(f"-I{folder}" for folder in (*dut.sources.include, HARNESS)),
        *(f"-D{name}" for name in dut.sources.defines),
        *("-CFLAGS", C_FLAGS),
        *(f"-GDataWidth={width}", f"-GHalfPeriod={dut.clock.period_ns // 2}"),
        *_use_flags(recipe),
        *map(str, listed_files(recipe)),
    ]


def compile_command(recipe: Recipe, jobs: int) -> list[str]:
    """The make command that compiles what Verilator wrote."""
    level = "-O2" if recipe.optimised else "-O1"
    variables = (f"OPT_FAST={level}", *MAKE_VARIABLES)
    return ["make", "-C", str(recipe.folder), "-f", "Vtop.mk", f"-j{jobs}", *variables]


def fingerprint(recipe: Recipe) -> str:
    """A text that changes with anything that goes into the build."""
    digest = hashlib.sha256()
    identity = [
        verilate_command(recipe),
        compile_command(recipe, 0),
        find_verilator().identity,
        compiler_identity(),
    ]
    digest.update(json.dumps(identity).encode())
    digest.update(adapter_of(recipe).encode())
    for path in _all_sources(recipe):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(recipe: Recipe) -> bool:
    """Whether the build exists and nothing that goes into it has changed."""
    stamp = recipe.folder / "fingerprint"
    return recipe.executable.is_file() and stamp.is_file() and stamp.read_text() == fingerprint(recipe)


async def build(recipe: Recipe, *, jobs: int = os.cpu_count() or 1) -> bool:
    """Make the build if it is not current; True if there was something to do.

    Raises FlowError with the first errors of Verilator or of the compiler, and the log's name.
    """
    if is_current(recipe):
        return False
    async with alone_in(recipe.folder):
        if is_current(recipe):
            return False
        recipe.folder.mkdir(parents=True, exist_ok=True)
        stamp = recipe.folder / "fingerprint"
        stamp.unlink(missing_ok=True)
        # Taken before the files are read: an edit during the build makes the next command build again.
        mark = fingerprint(recipe)
        recipe.adapter.write_text(adapter_of(recipe), encoding="utf-8")
        await _step("Verilator", verilate_command(recipe), recipe.folder / "verilate.log")
        store = runtime.store(recipe.use.value, *MAKE_VARIABLES, C_FLAGS, str(can_write_fst()))
        runtime.lend(store, recipe.folder)
        await _step("The C++ compiler", compile_command(recipe, jobs), recipe.folder / "compile.log")
        runtime.keep(store, recipe.folder)
        stamp.write_text(mark)
    return True


async def _step(who: str, command: list[str], log: Path) -> None:
    ended = await run_program(command, folder=ROOT, environment=build_environment(), log=log)
    if ended.status != 0:
        raise FlowError(f"{who} found errors in {shown(log.parent)} ({shown(log)}):\n{_errors(log)}")


def _errors(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    chosen = [line for line in lines if "rror" in line] or lines
    return "\n".join(f"  {line}" for line in chosen[:ERRORS_SHOWN])


def with_parameters(configuration: Configuration, name: str, parameters: Mapping[str, int]) -> Configuration:
    """A configuration under another name with some parameters replaced."""
    return replace(configuration, name=name, parameters={**configuration.parameters, **parameters})
