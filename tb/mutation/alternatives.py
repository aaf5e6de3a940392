"""Alternatives in one source text: where a fault is on, the text reads otherwise there.

Which faults are on is a vector of bits in a package of the copy (`PACKAGE_NAME`), read from the plusargs
`+fault=n` and `+second_fault=n` when the simulation starts. With none the copy does what the original does.

Statements and assignments are replaced as a whole, in both branches of an `if`: no width or sign around them
can change. A continuous assignment becomes an `always_comb`, which is the same for the variable it drives.
Expressions become the operands of `?:`; that is exact only where both have one width and sign, for which the
caller answers.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from tb.mutation.names import FAULT_PLUSARGS, PACKAGE_NAME
from tb.mutation.syntax import Span


class Form(enum.Enum):
    """What a span of the text is, and so how a choice is written there."""

    EXPRESSION = "expression"
    STATEMENT = "statement"  # a whole procedural statement
    ASSIGN = "assign"  # a whole `assign left = right;`
    NET = "net"  # a whole `wire type name = value;`
    ADDED = "added"  # nothing is there; the text is added whether the fault is on or not


@dataclass(frozen=True, slots=True)
class Alternative:
    """With `fault` on, `span` of the source reads `text`. A net's text is the whole declaration."""

    span: Span
    form: Form
    fault: int
    text: str


def package(faults: int) -> str:
    """The package that says which of the faults 1 to `faults` are on."""
    reads = "\n".join(
        f'    if ($value$plusargs("{name}=%d", number)) chosen[number] = 1\'b1;' for name in FAULT_PLUSARGS
    )
    return f"""// Which planted faults are on. Part of a faulty copy only.
package {PACKAGE_NAME};
  typedef logic [{faults}:0] faults_t;
  function automatic faults_t chosen_faults();
    int unsigned number;
    faults_t chosen;
    chosen = '0;
{reads}
    return chosen;
  endfunction
  faults_t on = chosen_faults();
endpackage
"""


def condition(fault: int) -> str:
    """The expression that is true while a fault is on."""
    return f"{PACKAGE_NAME}::on[{fault}]"


def rendered(text: str, alternatives: Sequence[Alternative]) -> str:
    """The text with all alternatives in it.

    Spans must be nested, equal or apart. Where one lies within another the inner choice is part of the
    outer one's original.
    """
    ordered = sorted(alternatives, key=lambda one: (one.span[0], one.form is not Form.ADDED, -one.span[1]))
    return _rendered(text, (0, len(text)), ordered)


def _rendered(text: str, span: Span, alternatives: Sequence[Alternative]) -> str:
    """The text of `span`; `alternatives` lie within it, in order."""
    pieces = []
    position = span[0]
    index = 0
    while index < len(alternatives):
        here, form = alternatives[index].span, alternatives[index].form
        last = index
        while last < len(alternatives) and _within(alternatives[last], here, form):
            last += 1
        group = alternatives[index:last]
        own = [one for one in group if one.span == here and one.form is form]
        inner = [one for one in group if not (one.span == here and one.form is form)]
        pieces += [text[position : here[0]], WRITERS[form](text, _rendered(text, here, inner), own)]
        position, index = here[1], last
    return "".join([*pieces, text[position : span[1]]])


def _within(one: Alternative, span: Span, form: Form) -> bool:
    """Whether an alternative belongs to the group at `span`; additions are groups of their own."""
    if form is Form.ADDED or (one.form is Form.ADDED and one.span == span):
        return one.span == span and one.form is form
    return span[0] <= one.span[0] and one.span[1] <= span[1]


def _expression(text: str, original: str, own: Sequence[Alternative]) -> str:
    choices = "".join(f"{condition(one.fault)} ? ({one.text}) : " for one in own)
    return f"({choices}({original}))"


def _statement(text: str, original: str, own: Sequence[Alternative]) -> str:
    choices = "".join(f"if ({condition(one.fault)}) begin {one.text} end else " for one in own)
    return f"begin {choices}begin {original} end end"


def _assign(text: str, original: str, own: Sequence[Alternative]) -> str:
    choices = [(one.fault, one.text.removeprefix("assign")) for one in own]
    return _always_comb(choices, original.removeprefix("assign"))


def _net(text: str, original: str, own: Sequence[Alternative]) -> str:
    declaration, value = _variable(original)
    return f"{declaration} {_always_comb([(one.fault, _variable(one.text)[1]) for one in own], value)}"


def _variable(net: str) -> tuple[str, str]:
    """A net's declaration as a variable's without value, and the assignment of the value."""
    left, _, value = net.removeprefix("wire").rstrip(";").partition("=")
    return f"logic{left.rstrip()};", f"{left.split()[-1]} ={value};"


def _always_comb(choices: Sequence[tuple[int, str]], original: str) -> str:
    written = "".join(f"if ({condition(fault)}) begin {text} end else " for fault, text in choices)
    return f"always_comb begin {written}begin {original} end end"


def _added(text: str, original: str, own: Sequence[Alternative]) -> str:
    return "".join(f"\n{one.text}\n" for one in own)


WRITERS = {
    Form.EXPRESSION: _expression,
    Form.STATEMENT: _statement,
    Form.ASSIGN: _assign,
    Form.NET: _net,
    Form.ADDED: _added,
}
