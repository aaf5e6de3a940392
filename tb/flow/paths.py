"""Where things lie. Everything generated is below `SIM_BUILD`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tb.flow.errors import FlowError

ROOT = Path(__file__).resolve().parents[2]
SIM_BUILD = ROOT / "sim_build"
BUILDS = SIM_BUILD / "build"
RUNS = SIM_BUILD / "runs"
RESULTS = SIM_BUILD / "results"
OWN_DUT = ROOT / "rtl" / "dut.toml"
TEST_PLAN = ROOT / "testplan.toml"


def shown(path: Path) -> str:
    """The path as a user in the project's folder would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def require_writable(folder: Path) -> None:
    """Create a folder if need be and make sure that files can be written there.

    Raises FlowError with the reason otherwise.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FlowError(f"{shown(folder)} cannot be written: {error.strerror}.") from error


def write_atomically(path: Path, content: str) -> None:
    """Write a file so that a reader sees the old content, the new content, and never half of it.

    Raises FlowError with the reason where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise FlowError(f"{shown(path)} cannot be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
