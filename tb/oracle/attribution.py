"""Says which choices explain a difference: the profile fields that turn one answer into the other.

Nothing here is kept by hand. A trace is replayed on the model with the fields in which two profiles differ
switched from the one to the other, as many at a time as it takes to find those at which an answer changes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from tb.models.profile import Profile
from tb.oracle.natural import NaturalTrace
from tb.oracle.replay import Replay, Result

Explanation = tuple[str, ...]


def deciding_fields(reference: Profile, subject: Profile) -> tuple[str, ...]:
    """The fields in which two profiles differ, their names aside."""
    names = (each.name for each in fields(Profile) if each.name != "name")
    return tuple(name for name in names if getattr(reference, name) != getattr(subject, name))


def replay_answers(trace: NaturalTrace, profile: Profile, length: int | None = None) -> list[Any]:
    """What the model answers to the first ``length`` rows of a trace; None where a row observes nothing."""
    replay = Replay(profile, trace.header, Result(trace.path), bounced=False)
    return [replay.answer(row) for row in trace.rows[:length]]


@dataclass(slots=True, frozen=True)
class Part:
    """Rows of a trace whose answer changes between the first ``low`` and the first ``high`` fields."""

    low: int
    high: int
    rows: list[int]


class Attribution:
    """The differences between two profiles in one trace, by the fields that decide them."""

    def __init__(self, trace: NaturalTrace, reference: Profile, subject: Profile) -> None:
        self._trace = trace
        self._reference = reference
        self._subject = subject
        self._names = deciding_fields(reference, subject)
        self._length = len(trace.rows)
        self._answers: dict[frozenset[str], list[Any]] = {}

    def explain(self) -> dict[int, Explanation]:
        """For every row that the two answer differently, the fields that explain it."""
        names = self._names
        before, after = self._first(0), self._first(len(names))
        different = [row for row in range(self._length) if before[row] != after[row]]
        if not different:
            return {}
        self._length = different[-1] + 1
        found: dict[int, list[str]] = {row: [] for row in different}
        self._search(Part(0, len(names), different), found)
        return {row: self._least(row, found[row], after[row]) for row in different}

    def _first(self, count: int) -> list[Any]:
        """The answers with the first so many fields switched."""
        return self._switched(frozenset(self._names[:count]))

    def _switched(self, names: frozenset[str]) -> list[Any]:
        if names not in self._answers:
            profile = replace(self._reference, **{name: getattr(self._subject, name) for name in names})
            self._answers[names] = replay_answers(self._trace, profile, self._length)
        return self._answers[names]

    def _search(self, part: Part, found: dict[int, list[str]]) -> None:
        """Halve the fields until each change of an answer belongs to one of them."""
        if part.high - part.low == 1:
            for row in part.rows:
                found[row].append(self._names[part.low])
            return
        middle = (part.low + part.high) // 2
        for low, high in ((part.low, middle), (middle, part.high)):
            before, after = self._first(low), self._first(high)
            rows = [row for row in part.rows if before[row] != after[row]]
            if rows:
                self._search(Part(low, high, rows), found)

    def _least(self, row: int, found: list[str], answer: Any) -> Explanation:
        """Fields of which none can be spared: switched alone they give the answer of the other profile."""
        explains = partial(self._explains, row, answer)
        chosen = list(found) if explains(found) else list(self._names)
        for name in tuple(chosen):
            fewer = [each for each in chosen if each != name]
            if explains(fewer):
                chosen = fewer
        return tuple(chosen)

    def _explains(self, row: int, answer: Any, names: list[str]) -> bool:
        return bool(self._switched(frozenset(names))[row] == answer)
