"""Verilator's own run-time library, compiled once and lent to every build of the same kind.

It is half of the compile time of a model and depends on no design: on Verilator, the compiler and the flags.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from tb.flow.paths import BUILDS
from tb.flow.toolchain import compiler_identity, find_verilator

OBJECTS = "verilated*.o"


def store(*flags: str) -> Path:
    """The folder of the objects that are compiled with `flags`."""
    identity = json.dumps([find_verilator().identity, compiler_identity(), *flags])
    return BUILDS / "runtime" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def lend(source: Path, folder: Path) -> None:
    """Copy the objects, if there are any, into a build's folder, newer than what they are made from."""
    for path in source.glob(OBJECTS):
        shutil.copyfile(path, folder / path.name)


def keep(target: Path, folder: Path) -> None:
    """Keep a finished build's objects for the next builds."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        complete = Path(temporary) / "objects"
        complete.mkdir()
        for path in folder.glob(OBJECTS):
            shutil.copyfile(path, complete / path.name)
        # Another build may have been quicker; its objects are the same.
        with contextlib.suppress(OSError):
            complete.rename(target)
