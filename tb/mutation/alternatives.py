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
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tb.mutation.names import FAULT_PLUSARGS, PACKAGE_NAME, REACHED, REACHED_FILE
from tb.mutation.syntax import Span

# By then the reset that every simulation starts with has reached the registers.
IN_RESET_NS = 32


class Form(enum.Enum):
    """What a span of the text is, and so how a choice is written there."""

    EXPRESSION = "expression"
    STATEMENT = "statement"  # a whole procedural statement
    ASSIGN = "assign"  # a whole `assign left = right;`
    NET = "net"  # a whole `wire type name = value;`
    ADDED = "added"  # nothing is there; the text is added whether the fault is on or not


@dataclass(frozen=True, slots=True)
class Alternative:
    """With `fault` on, `span` of the source reads `text`. A net's text is the whole declaration.

    `same` is an expression that is true while that makes no difference, empty where there is none.
    """

    span: Span
    form: Form
    fault: int
    text: str
    same: str = ""


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


def probing_package() -> str:
    """The package of a copy that has no fault on and tells which would have made a difference.

    Before the first clock has put the registers into reset they hold anything, and everything differs.
    """
    return f"""// Which planted faults would have made a difference. Part of a copy only.
package {PACKAGE_NAME};
  import "DPI-C" function bit {REACHED}(input int number);
  function automatic bit noted(int number);
    return $time > {IN_RESET_NS} ? {REACHED}(number) : 1'b0;
  endfunction
endpackage
"""


def probing_program(faults: int) -> str:
    """Its other half, in C++: each number once into a file of the folder it runs in."""
    return f"""// Which planted faults would have made a difference. Part of a copy only.
#include <cstdio>
namespace {{
bool reached[{faults + 1}];
}}
extern "C" unsigned char {REACHED}(int number) {{
  static FILE* const file = std::fopen("{REACHED_FILE}", "w");
  if (!reached[number] && file) {{
    reached[number] = true;
    std::fprintf(file, "%d\\n", number);
    std::fflush(file);
  }}
  return 0;
}}
"""


def chosen(one: Alternative) -> str:
    """The expression that is true while a fault is on."""
    return f"{PACKAGE_NAME}::on[{one.fault}]"


def probed(one: Alternative) -> str:
    """An expression that is never true, and notes that the fault would have made a difference."""
    called = f"{PACKAGE_NAME}::noted({one.fault})"
    return f"({one.same}) ? 1'b0 : {called}" if one.same else called


Condition = Callable[[Alternative], str]


def rendered(text: str, alternatives: Sequence[Alternative], condition: Condition = chosen) -> str:
    """The text with all alternatives in it.

    Spans must be nested, equal or apart. Where one lies within another the inner choice is part of the
    outer one's original.
    """
    ordered = sorted(alternatives, key=lambda one: (one.span[0], one.form is not Form.ADDED, -one.span[1]))
    return _Writer(text, condition).written((0, len(text)), ordered)


class _Writer:
    """Writes a text with choices in it."""

    def __init__(self, text: str, condition: Condition) -> None:
        self._text = text
        self._condition = condition
        self._writers: dict[Form, Callable[[str, Sequence[Alternative]], str]] = {
            Form.EXPRESSION: self._expression,
            Form.STATEMENT: self._statement,
            Form.ASSIGN: self._assign,
            Form.NET: self._net,
            Form.ADDED: self._added,
        }

    def written(self, where: Span, alternatives: Sequence[Alternative]) -> str:
        """The text of a span; `alternatives` lie within it, in order."""
        pieces = []
        position = where[0]
        index = 0
        while index < len(alternatives):
            here, form = alternatives[index].span, alternatives[index].form
            last = index
            while last < len(alternatives) and _within(alternatives[last], here, form):
                last += 1
            group = alternatives[index:last]
            own = [one for one in group if one.span == here and one.form is form]
            inner = [one for one in group if not (one.span == here and one.form is form)]
            pieces += [self._text[position : here[0]], self._writers[form](self.written(here, inner), own)]
            position, index = here[1], last
        return "".join([*pieces, self._text[position : where[1]]])

    def _expression(self, original: str, own: Sequence[Alternative]) -> str:
        choices = "".join(f"({self._condition(one)}) ? ({one.text}) : " for one in own)
        return f"({choices}({original}))"

    def _statement(self, original: str, own: Sequence[Alternative]) -> str:
        return f"begin {self._if([(one, one.text) for one in own], original)} end"

    def _assign(self, original: str, own: Sequence[Alternative]) -> str:
        choices = [(one, one.text.removeprefix("assign")) for one in own]
        return f"always_comb begin {self._if(choices, original.removeprefix('assign'))} end"

    def _net(self, original: str, own: Sequence[Alternative]) -> str:
        declaration, value = _variable(original)
        choices = [(one, _variable(one.text)[1]) for one in own]
        return f"{declaration} always_comb begin {self._if(choices, value)} end"

    def _added(self, original: str, own: Sequence[Alternative]) -> str:
        return "".join(f"\n{one.text}\n" for one in own)

    def _if(self, choices: Sequence[tuple[Alternative, str]], original: str) -> str:
        written = "".join(f"if ({self._condition(one)}) begin {text} end else " for one, text in choices)
        return f"{written}begin {original} end"


def _within(one: Alternative, span: Span, form: Form) -> bool:
    """Whether an alternative belongs to the group at `span`; additions are groups of their own."""
    if form is Form.ADDED or (one.form is Form.ADDED and one.span == span):
        return one.span == span and one.form is form
    return span[0] <= one.span[0] and one.span[1] <= span[1]


def _variable(net: str) -> tuple[str, str]:
    """A net's declaration as a variable's without value, and the assignment of the value."""
    left, _, value = net.removeprefix("wire").rstrip(";").partition("=")
    return f"logic{left.rstrip()};", f"{left.split()[-1]} ={value};"
