"""Patches on `rtl/` with a header: planted bugs, which must be caught, and legal variants, which must not.

The first lines of a patch are `# key: value`:

    # bug:     one sentence, what is wrong (in `tests/bugs/`)
    # legal:   one sentence, what is done otherwise (in `tests/legal/`)
    # profile: polls = true, other_reads = ["flush"]     what the judge's profile has otherwise (TOML)
    # rule:    VPCI-REG-19     the verdict's rule; several, separated by commas, where any will do
    # test:    Registers, MainJob@block_64    tests that run, with `@configuration` where not the default

The verdict of a bug comes although the profile is so; that of a variant comes only with the RTL's own. The
rest is a patch as `git diff` writes it, with paths from the project's folder.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.flow.errors import FlowError
from tb.flow.paths import ROOT, shown
from tb.flow.plan import Plan, Run, unknown
from tb.models.profile import VIRTIO_PCI_RTL, ProfileError, choose

BUGS = ROOT / "tests" / "bugs"
VARIANTS = ROOT / "tests" / "legal"
HEADER = re.compile(r"#\s*(bug|legal|profile|rule|test):\s*(.+)")


@dataclass(frozen=True, slots=True)
class Planted:
    """One patch: what it does, rules whose verdict must name it, runs that show it.

    `choices` are the fields that the judge's profile has otherwise.
    """

    name: str
    patch: Path
    sentence: str
    rules: tuple[str, ...]
    runs: tuple[Run, ...]
    choices: Mapping[str, Any] = field(default_factory=dict)


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_patch(patch: Path, plan: Plan, kind: str) -> Planted:
    """One patch file, a `bug` or `legal`. Raises FlowError, naming the file, for a header that is wrong."""
    header: dict[str, str] = {}
    for line in patch.read_text(encoding="utf-8").splitlines():
        match = HEADER.fullmatch(line.strip())
        if match is None:
            break
        header[match[1]] = match[2].strip()
    missing = [key for key in (kind, "rule", "test") if not header.get(key)]
    if missing:
        raise FlowError(f"{shown(patch)}: its header lacks `# {missing[0]}:`.")
    runs = tuple(_run(word, plan) for word in _list(header["test"]))
    choices = _choices(patch, header.get("profile", ""))
    return Planted(patch.stem, patch, header[kind], _list(header["rule"]), runs, choices)


def _choices(patch: Path, text: str) -> dict[str, Any]:
    """What `# profile:` says, the inside of a TOML table."""
    try:
        choices: dict[str, Any] = tomllib.loads(f"choices = {{ {text} }}")["choices"]
        choose(VIRTIO_PCI_RTL, choices, name=patch.stem)
    except (tomllib.TOMLDecodeError, ProfileError) as error:
        raise FlowError(f"{shown(patch)}: its `# profile:` is no choice: {error}") from None
    return choices


def _run(word: str, plan: Plan) -> Run:
    name, _, configuration = word.partition("@")
    test = plan.find_tests(name)[0]
    where = plan.configuration(configuration) if configuration else plan.configurations_of(test)[0]
    return Run(test, where)


def read_bugs(plan: Plan, folder: Path = BUGS) -> list[Planted]:
    """All planted bugs in order of their names."""
    return [read_patch(path, plan, "bug") for path in sorted(folder.glob("*.patch"))]


def read_variants(plan: Plan, folder: Path = VARIANTS) -> list[Planted]:
    """All legal variants in order of their names."""
    return [read_patch(path, plan, "legal") for path in sorted(folder.glob("*.patch"))]


def named(variable: str, patches: list[Planted], wanted: str | None) -> list[Planted]:
    """All, or those that the value of `variable` names: names and patterns, separated by commas.

    Raises FlowError, listing the known ones, for a word that names none.
    """
    if wanted is None:
        return patches
    chosen: dict[str, Planted] = {}
    for word in filter(None, re.split(r"[\s,]+", wanted)):
        found = {one.name: one for one in patches if fnmatch.fnmatchcase(one.name, word)}
        if not found:
            raise FlowError(unknown(variable, word, [one.name for one in patches]))
        chosen |= found
    return list(chosen.values())


def plant(bug: Planted, folder: Path) -> None:
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
