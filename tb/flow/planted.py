"""Planted bugs: small patches on `rtl/`, each with a header that says what must catch it.

The first lines of a patch in `tests/bugs/` are `# key: value`:

    # bug:  one sentence, what is wrong
    # rule: VPCI-REG-19              the verdict's rule; several, separated by commas, where any will do
    # test: Registers, MainJob@block_64    tests that run, with `@configuration` where it is not the default

The rest is a patch as `git diff` writes it, with paths from the project's folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tb.flow.errors import FlowError
from tb.flow.paths import ROOT, shown
from tb.flow.plan import Plan, Run

PATCHES = ROOT / "tests" / "bugs"
HEADER = re.compile(r"#\s*(bug|rule|test):\s*(.+)")
KEYS = ("bug", "rule", "test")


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """One fault: the patch, what is wrong, rules whose verdict must name it, runs that must find it."""

    name: str
    patch: Path
    sentence: str
    rules: tuple[str, ...]
    runs: tuple[Run, ...]


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_bug(patch: Path, plan: Plan) -> PlantedBug:
    """One patch file. Raises FlowError, naming the file, for a header that is wrong."""
    header: dict[str, str] = {}
    for line in patch.read_text(encoding="utf-8").splitlines():
        match = HEADER.fullmatch(line.strip())
        if match is None:
            break
        header[match[1]] = match[2].strip()
    missing = [key for key in KEYS if not header.get(key)]
    if missing:
        raise FlowError(f"{shown(patch)}: its header lacks `# {missing[0]}:`.")
    runs = tuple(_run(word, plan) for word in _list(header["test"]))
    return PlantedBug(patch.stem, patch, header["bug"], _list(header["rule"]), runs)


def _run(word: str, plan: Plan) -> Run:
    name, _, configuration = word.partition("@")
    test = plan.find_tests(name)[0]
    where = plan.configuration(configuration) if configuration else plan.configurations_of(test)[0]
    return Run(test, where)


def read_bugs(plan: Plan, folder: Path = PATCHES) -> list[PlantedBug]:
    """All planted bugs in order of their names."""
    return [read_bug(path, plan) for path in sorted(folder.glob("*.patch"))]


def plant(bug: PlantedBug, folder: Path) -> None:
    """Copy `rtl/` into `folder` and apply the patch there.

    Raises FlowError where the patch does not fit the RTL as it is now.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "rtl", folder / "rtl")
    # git must not find the project's own repository around the copy: it would look for the files there.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent.resolve())}
    command = ["git", "apply", "--whitespace=nowarn", str(bug.patch)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().partition("\n")[0]
        raise FlowError(f"{shown(bug.patch)} does not fit rtl/ any more: {reason}")
    if _same(ROOT / "rtl", folder / "rtl"):
        raise FlowError(f"{shown(bug.patch)} changes nothing in rtl/.")


def _same(left: Path, right: Path) -> bool:
    files = [path.relative_to(left) for path in left.rglob("*") if path.is_file()]
    return all((left / name).read_bytes() == (right / name).read_bytes() for name in files)
