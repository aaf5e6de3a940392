"""Mutants that no test can kill, because they change nothing that can be seen: `tests/mutants/excused.toml`.

    [[excuse]]
    file = "rtl/virtio/used_ring.sv"
    source = "default: state_d = StIdle;"       the source line; with what follows where the line
                                                alone is not the only one, as in the results file
    changes = ["StIdle => StElement"]           as `make mutants` prints them
    reason = "why the function does the same with it"

Many registers hold what is meaningless until it is loaded; what they become in reset cannot be seen:

    [[reset]]
    file = "rtl/virtio/ring_access.sv"
    lines = ["rdata_q <= '0;"]                  blanks in a row count as one
    reason = "loaded ahead of the state in which it is looked at"

An excuse belongs to the text of its line: when the line changes it fits no mutant any more, which is an
error, and so is one whose mutant a test kills.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.mutation.mutant import Mutant, flat

Key = tuple[str, str, str]
FIELDS = {"excuse": {"file", "source", "changes", "reason"}, "reset": {"file", "lines", "reason"}}
ANY_CHANGE = "(any, in reset)"


class ExcuseError(ValueError):
    """The file of excuses is wrong; the message is a sentence that names the entry."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """One change of one source line, and why it cannot be seen."""

    file: str
    source: str
    change: str
    reason: str

    @property
    def key(self) -> Key:
        """What it must have in common with a mutant."""
        return self.file, self.source, self.change


def keys_of(mutant: Mutant) -> list[Key]:
    """What an excuse may have in common with a mutant: the line and the change, or that it is in reset."""
    keys = [(mutant.file, mutant.source, mutant.change)]
    if mutant.in_reset:
        keys.append((mutant.file, mutant.line_text, ANY_CHANGE))
    return keys


class Excuses:
    """All excuses, by what they fit."""

    def __init__(self, excuses: Iterable[Excuse]) -> None:
        self._by_key: dict[Key, Excuse] = {}
        for one in excuses:
            if one.key in self._by_key:
                raise ExcuseError(f"{one.file}: `{one.change}` in `{one.source}` is excused twice.")
            self._by_key[one.key] = one

    def __len__(self) -> int:
        return len(self._by_key)

    def reason(self, mutant: Mutant) -> str:
        """Why a mutant is excused, empty if it is not."""
        found = [self._by_key[key] for key in keys_of(mutant) if key in self._by_key]
        return found[0].reason if found else ""

    def void(self, mutants: Sequence[Mutant]) -> list[Excuse]:
        """The excuses that fit none of all mutants of the RTL: their line has changed."""
        known = {key for one in mutants for key in keys_of(one)}
        return [one for key, one in self._by_key.items() if key not in known]


def read_excuses(path: Path) -> Excuses:
    """The excuses of a file, none where there is no file. Raises ExcuseError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Excuses([])
    except tomllib.TOMLDecodeError as error:
        raise ExcuseError(f"{path.name} cannot be read: {error}.") from None
    excuses = []
    for kind, fields in FIELDS.items():
        for number, entry in enumerate(table.get(kind, []), 1):
            if set(entry) != fields or not all(entry.values()):
                wanted = ", ".join(sorted(fields))
                raise ExcuseError(f"{path.name}: {kind} {number} must have {wanted}, each with text.")
            excuses += _read(entry)
    return Excuses(excuses)


def _read(entry: Mapping[str, Any]) -> list[Excuse]:
    """The excuses of one entry."""
    file, reason = str(entry["file"]), str(entry["reason"])
    if "lines" in entry:
        return [Excuse(file, flat(str(line)), ANY_CHANGE, reason) for line in entry["lines"]]
    return [Excuse(file, flat(str(entry["source"])), str(change), reason) for change in entry["changes"]]
