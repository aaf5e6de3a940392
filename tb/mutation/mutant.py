"""A mutant: one small change of the RTL's source text, with a name that finds it again."""

from __future__ import annotations

from dataclasses import dataclass

from tb.mutation.alternatives import Alternative, Form
from tb.mutation.syntax import Span


@dataclass(frozen=True, slots=True)
class Mutant:
    """In `file` the text of `span`, `old`, reads `new`.

    `operator` is the kind of change (a name of `operators.OPERATORS`), `line` the source line's number from 1
    on, `line_text` its text with single blanks, and `source` that text too, with as much of what follows as
    it takes to tell it from other lines. `same` is an expression that is true while the
    change makes no difference, empty where there is no simple one. `in_reset` tells whether it stands in
    what registers become in reset.
    """

    file: str
    span: Span
    form: Form
    operator: str
    old: str
    new: str
    line: int
    column: int
    source: str
    line_text: str = ""
    same: str = ""
    in_reset: bool = False

    @property
    def name(self) -> str:
        """Unique in the RTL: file, line, column and operator."""
        stem = self.file.rpartition("/")[2].removesuffix(".sv")
        return f"{stem}:{self.line}:{self.column}:{self.operator}"

    @property
    def change(self) -> str:
        """What changes, on one line."""
        return f"{flat(self.old)} => {flat(self.new) or '(nothing)'}"

    def alternative(self, fault: int) -> Alternative:
        """The mutant as fault number `fault` of a copy."""
        return Alternative(self.span, self.form, fault, self.new, self.same)

    def difference(self) -> str:
        """The change as a reader of patches expects it."""
        return f"{self.file}:{self.line}\n  - {flat(self.old)}\n  + {flat(self.new) or '(nothing)'}"


def flat(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())
