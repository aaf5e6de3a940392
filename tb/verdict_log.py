"""Verdicts as they are found: equal ones counted, each kind on disk at once, memory bounded.

Two verdicts are of one kind when they break the same rule with the same sentence, numbers aside. The first of
a kind stands for all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tb.models.verdict import Verdict

VERDICTS = "verdicts.jsonl"
MOST_KINDS = 200
"""Kinds that are told apart; what a function thinks up beyond them is counted together."""
_NUMBER = re.compile(r"0x[0-9a-fA-F_]+|\d[\d,._]*")


@dataclass(slots=True)
class VerdictKind:
    """Equal verdicts: the first of them, how many there were, and when the last one came (ns)."""

    first: Verdict
    count: int = 1
    last_ns: int = 0

    def __str__(self) -> str:
        first = self.first
        if self.count == 1:
            return str(first)
        when = f"first at {first.time_ns:,} ns, last at {self.last_ns:,} ns"
        return f"{first.rule} ×{self.count:,}, {when}: {first.sentence}"  # noqa: RUF001


class VerdictLog:
    """Takes verdicts and groups them. With a `path`, what a reader should know of is a line there.

    A line is `{"kind": number, "count": n, "rule": …, "text": …}`. It is written for the first of a kind and
    whenever its count has doubled, so that the file stays small and a run that is killed has told all it
    knew. `on_verdict` is called with each verdict.
    """

    def __init__(
        self, path: Path | None = None, *, on_verdict: Callable[[Verdict], None] = lambda _verdict: None
    ) -> None:
        self._path = path
        self._on_verdict = on_verdict
        self._file: TextIO | None = None
        self._kinds: dict[tuple[str, str], VerdictKind] = {}
        self.total = 0

    def add(self, verdict: Verdict) -> None:
        """Take one verdict."""
        self.total += 1
        key = (verdict.rule, _NUMBER.sub("#", verdict.what))
        if key not in self._kinds and len(self._kinds) >= MOST_KINDS:
            key = ("", "")
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = VerdictKind(verdict, last_ns=verdict.time_ns)
        else:
            kind.count += 1
            kind.last_ns = verdict.time_ns
        if kind.count & (kind.count - 1) == 0:
            self._write(list(self._kinds).index(key), kind)
        self._on_verdict(verdict)

    @property
    def kinds(self) -> list[VerdictKind]:
        """The kinds in the order in which they were first seen."""
        return list(self._kinds.values())

    def texts(self, most: int = MOST_KINDS + 1) -> list[str]:
        """The first kinds as sentences."""
        return [str(kind) for kind in self.kinds[:most]]

    def close(self) -> None:
        """Write the last counts and close the file."""
        for number, kind in enumerate(self.kinds):
            self._write(number, kind)
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path = None

    def _write(self, number: int, kind: VerdictKind) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._file = open(self._path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        line = {"kind": number, "count": kind.count, "rule": kind.first.rule, "text": str(kind)}
        self._file.write(json.dumps(line) + "\n")
