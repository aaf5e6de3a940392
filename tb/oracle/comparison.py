"""What a target answered to a trace, held against the recording and against the model of the target.

Every answer that is not the recorded one must be the one that the target's profile predicts; then the fields
that explain it are counted. Anything else is unexplained, and told in a sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tb.models.profile import QEMU_7_2, Profile
from tb.oracle.attribution import Attribution, Explanation
from tb.oracle.decode import first_mismatch, shown
from tb.oracle.natural import NaturalTrace
from tb.oracle.replay import Replay, Result, recorded


@dataclass(slots=True)
class Comparison:
    """A target that makes the choices of ``subject``, compared with what QEMU 7.2 answered.

    Attributes:
        explained: how many differences each set of profile fields explains.
        unexplained: a sentence for each answer that the profile does not predict.
    """

    subject: Profile
    traces: int = 0
    observations: int = 0
    explained: Counter[Explanation] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    @property
    def differences(self) -> int:
        """Answers that are not QEMU's, and have a name."""
        return self.explained.total()

    def add(self, trace: NaturalTrace, answers: Sequence[Any]) -> None:
        """Compare the target's answers to all rows of a trace (None where a row observes nothing)."""
        self.traces += 1
        self.observations += sum(answer is not None for answer in answers)
        predicted = self._hold_against_model(trace, answers)
        explanations = Attribution(trace, QEMU_7_2, self.subject).explain()
        self.explained.update(fields for row, fields in explanations.items() if row in predicted)

    def _hold_against_model(self, trace: NaturalTrace, answers: Sequence[Any]) -> set[int]:
        """The rows answered as the profile says; the others are unexplained."""
        model = Replay(self.subject, trace.header, Result(trace.path), bounced=False)
        predicted = set()
        for index, (row, saw) in enumerate(zip(trace.rows, answers, strict=True)):
            expected = model.answer(row)
            if saw == expected:
                predicted.add(index)
                continue
            place, rule = model.place(row)
            self.unexplained.append(
                f"{_name(trace.path)} line {row['line']}: {place} ({row['op']}): QEMU answered "
                f"{shown(recorded(row), row)}, the profile {self.subject.name} says {shown(expected, row)}, "
                f"seen {shown(saw, row)}{first_mismatch(expected, saw)} [{rule}]"
            )
        return predicted

    def table(self) -> str:
        """The explained differences as a Markdown table, the most frequent first."""
        lines = [
            f"{self.observations} observations in {self.traces} traces, {self.differences} differences from "
            f"QEMU 7.2 explained by {len(self.explained)} sets of profile fields, "
            f"{len(self.unexplained)} unexplained.",
            "",
            f"| fields | requirements | QEMU_7_2 | {self.subject.name} | differences |",
            "|---|---|---|---|---|",
            *(self._line(names, count) for names, count in self.explained.most_common()),
        ]
        return "\n".join(lines) + "\n"

    def _line(self, names: Explanation, count: int) -> str:
        rules = dict.fromkeys(_REQUIREMENTS[name] for name in names)
        values = (" + ".join(_values(profile, names)) for profile in (QEMU_7_2, self.subject))
        return f"| {' + '.join(names)} | {', '.join(rules)} | {' | '.join(values)} | {count} |"


_REQUIREMENTS = {each.name: each.metadata["requirement"] for each in fields(Profile)}


def _values(profile: Profile, names: Explanation) -> Iterator[str]:
    for name in names:
        value = getattr(profile, name)
        yield f"{value:#x}" if type(value) is int else str(value)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
