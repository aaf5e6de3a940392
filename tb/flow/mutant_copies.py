"""Mutants in copies of the RTL: drawing them, and planting many in one, to be turned on or to be probed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.flow.errors import FlowError
from tb.flow.paths import ROOT
from tb.flow.planted_copy import FILE_LIST, sources, write_copy
from tb.mutation.alternatives import Alternative, Condition, chosen, probed, probing_package, probing_program
from tb.mutation.difference import constant_functions
from tb.mutation.mutant import Mutant
from tb.mutation.names import FILE_NAME
from tb.mutation.operators import mutants_of
from tb.mutation.validity import invalid_faults

PROGRAM = "planted_faults.cpp"


@dataclass(frozen=True, slots=True)
class MutantCopy:
    """A copy of the RTL in `folder` with mutants 1, 2, ... of `mutants` in it."""

    folder: Path
    mutants: tuple[Mutant, ...]

    def number(self, mutant: Mutant) -> int:
        """The fault that turns a mutant on."""
        return self.mutants.index(mutant) + 1


def all_mutants() -> list[Mutant]:
    """Every mutant of the RTL, in the order of files and text."""
    clean = sources()
    constant = constant_functions(list(clean.values()))
    return [one for name, text in clean.items() for one in mutants_of(name, text, constant)]


def drawn(mutants: Sequence[Mutant], count: int, seed: int, file: str | None) -> list[Mutant]:
    """`count` mutants, each as likely as any other, of all files or of those whose path contains `file`.

    Raises FlowError where no file's path contains it.
    """
    candidates = [one for one in mutants if file is None or file in one.file]
    if not candidates:
        known = sorted({one.file for one in mutants})
        raise FlowError(f"FILE={file} is in no source's path: {', '.join(known)}.")
    picked = random.Random(seed).sample(candidates, min(count, len(candidates)))
    return sorted(picked, key=lambda one: (one.file, one.span, one.operator))


def named(mutants: Sequence[Mutant], name: str) -> Mutant:
    """The mutant of that name. Raises FlowError where there is none."""
    for one in mutants:
        if one.name == name:
            return one
    raise FlowError(f"MUTANT={name} is none of the {len(mutants):,} mutants of rtl/ as it is now.")


def plant_mutants(mutants: Sequence[Mutant], folder: Path) -> MutantCopy:
    """A copy in which each mutant can be turned on."""
    _write(mutants, folder, chosen)
    return MutantCopy(folder, tuple(mutants))


def plant_probes(mutants: Sequence[Mutant], folder: Path) -> MutantCopy:
    """A copy with none turned on, which notes which of them would have made a difference."""
    _write(mutants, folder, probed)
    (folder / FILE_NAME).write_text(probing_package(), encoding="utf-8")
    (folder / "rtl" / PROGRAM).write_text(probing_program(len(mutants)), encoding="utf-8")
    listed = (folder / FILE_LIST).read_text(encoding="utf-8")
    (folder / FILE_LIST).write_text(f"{PROGRAM}\n{listed}", encoding="utf-8")
    return MutantCopy(folder, tuple(mutants))


def _write(mutants: Sequence[Mutant], folder: Path, condition: Condition) -> None:
    clean = sources()
    alternatives: dict[str, list[Alternative]] = {name: [] for name in clean}
    for fault, one in enumerate(mutants, 1):
        alternatives[one.file].append(one.alternative(fault))
    write_copy(folder, clean, alternatives, len(mutants), condition)


def invalid_mutants(copy: MutantCopy) -> dict[Mutant, str]:
    """Which mutants of a copy are no valid design, and what is said against each."""
    listed = (ROOT / FILE_LIST).read_text(encoding="utf-8").split()
    clean = [(ROOT / "rtl" / name).read_text(encoding="utf-8") for name in listed]
    names = [FILE_NAME, *(f"rtl/{name}" for name in listed)]
    planted = [(copy.folder / name).read_text(encoding="utf-8") for name in names]
    return {copy.mutants[fault - 1]: why for fault, why in invalid_faults(planted, clean).items()}
