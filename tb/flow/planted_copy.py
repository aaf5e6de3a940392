"""Planted bugs as alternatives in one copy of the RTL: one build a configuration, a bug chosen by number.

A patch that changes what is fixed when the design is put together (a port, a type, a generate condition) has
no place there; it gets a copy and builds of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.flow.paths import ROOT
from tb.flow.planted import Planted, plant
from tb.mutation.alternatives import Alternative, Condition, chosen, package, rendered
from tb.mutation.difference import NotAlternativeError, alternatives_of, constant_functions
from tb.mutation.names import FILE_NAME
from tb.mutation.syntax import SourceError

FILE_LIST = "rtl/files.f"


@dataclass(frozen=True, slots=True)
class PlantedCopy:
    """A copy of the RTL in `folder`. `faults` tells the number of each bug in it.

    A copy of one patched RTL has no numbers: `faults` is empty then.
    """

    folder: Path
    faults: Mapping[str, int]

    def options(self, bug: Planted) -> tuple[int, ...]:
        """The faults to turn on for a bug."""
        return (self.faults[bug.name],) if bug.name in self.faults else ()


def sources() -> dict[str, str]:
    """The RTL: path from the project's folder, and text."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "rtl").rglob("*.sv"))
    }


def alternatives_in(
    bug: Planted, fault: int, clean: Mapping[str, str], constant: frozenset[str]
) -> dict[str, list[Alternative]]:
    """What a bug changes, file by file. Raises NotAlternativeError; FlowError where it does not fit."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        plant(bug, folder)
        patched = {name: (folder / name).read_text(encoding="utf-8") for name in clean}
        if sum(path.suffix == ".sv" for path in (folder / "rtl").rglob("*")) != len(clean):
            raise NotAlternativeError("it adds or takes away a file")
    try:
        return {
            name: alternatives_of(text, patched[name], fault, constant)
            for name, text in clean.items()
            if patched[name] != text
        }
    except SourceError as error:
        raise NotAlternativeError(f"it leaves no SystemVerilog: {error}") from None


def plant_together(bugs: Sequence[Planted], folder: Path) -> tuple[PlantedCopy, dict[str, str]]:
    """A copy with every bug that can be an alternative in it; for the others by name, why they cannot."""
    clean = sources()
    constant = constant_functions(list(clean.values()))
    alternatives: dict[str, list[Alternative]] = {name: [] for name in clean}
    faults: dict[str, int] = {}
    alone: dict[str, str] = {}
    for bug in bugs:
        fault = len(faults) + 1
        try:
            changes = alternatives_in(bug, fault, clean, constant)
        except NotAlternativeError as reason:
            alone[bug.name] = str(reason)
            continue
        faults[bug.name] = fault
        for name, ones in changes.items():
            alternatives[name] += ones
    write_copy(folder, clean, alternatives, len(faults))
    return PlantedCopy(folder, faults), alone


def write_copy(
    folder: Path,
    clean: Mapping[str, str],
    alternatives: Mapping[str, Sequence[Alternative]],
    faults: int,
    condition: Condition = chosen,
) -> None:
    """Copy `rtl/` into `folder`, with the alternatives and the package that chooses among them."""
    shutil.rmtree(folder / "rtl", ignore_errors=True)
    shutil.copytree(ROOT / "rtl", folder / "rtl")
    for name, ones in alternatives.items():
        if ones:
            (folder / name).write_text(rendered(clean[name], ones, condition), encoding="utf-8")
    (folder / FILE_NAME).write_text(package(faults), encoding="utf-8")
    listed = (folder / FILE_LIST).read_text(encoding="utf-8")
    (folder / FILE_LIST).write_text(f"{Path(FILE_NAME).name}\n{listed}", encoding="utf-8")
