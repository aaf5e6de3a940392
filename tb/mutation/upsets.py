"""Single event upsets: one bit of one register flips, half a clock away from the edge that writes it.

A copy of the RTL gets, at the end of each module, a process per register that flips a bit when its number and
its moment have come. Both are plusargs; with none the copy does what the original does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyslang.syntax import SyntaxKind, SyntaxNode

from tb.mutation.names import PACKAGE_NAME, UPSET_PLUSARGS
from tb.mutation.syntax import Parsed, children, descendants, identifiers, replaced, span

CLOCK = "clk_i"
PERIOD_NS = 8


@dataclass(frozen=True, slots=True)
class Register:
    """A variable that a clocked process of `module` writes; `file` is its source."""

    file: str
    module: str
    name: str

    @property
    def title(self) -> str:
        """How it is called in reports."""
        return f"{self.module}.{self.name}"


def registers_of(file: str, text: str) -> list[Register]:
    """The registers of a file's modules. Memories, and what is declared in a generate block, are left out."""
    found = []
    for module in _modules(Parsed(text)):
        name = next(identifiers(children(module)[0])).rawText
        declared = _variables(module)
        written = dict.fromkeys(one for one in _written(module) if one in declared)
        found += [Register(file, name, one) for one in written]
    return found


def with_upsets(text: str, numbers: Mapping[str, int]) -> str:
    """A source text with the processes. `numbers` are those of its registers, by title."""
    source = Parsed(text)
    changes = []
    for module in _modules(source):
        name = next(identifiers(children(module)[0])).rawText
        processes = "".join(
            _process(title.partition(".")[2], number)
            for title, number in numbers.items()
            if title.partition(".")[0] == name
        )
        end = span(module)[1]
        place = text.rindex("endmodule", 0, end)
        changes.append(((place, place), processes))
    return replaced(text, changes)


def _process(name: str, number: int) -> str:
    """The process of one register; the braces make a vector of an enumeration or a structure."""
    one_bit = f"$bits({name})'(1) << ({PACKAGE_NAME}::upset_bit % $bits({name}))"
    return (
        f"  always @(negedge {CLOCK}) if ({PACKAGE_NAME}::upset == {number} && "
        f"{PACKAGE_NAME}::due($time)) {{{name}}} <= {{{name}}} ^ ({one_bit});\n"
    )


def upset_package() -> str:
    """The package that says which register, which bit, and when (ns)."""
    functions = "\n".join(
        f"""  function automatic int {name}_given();
    int given;
    if (!$value$plusargs("{name}=%d", given)) given = -1;
    return given;
  endfunction
  int {name} = {name}_given();"""
        for name in UPSET_PLUSARGS
    )
    return f"""// Which bit of which register flips, and when. Part of a faulty copy only.
package {PACKAGE_NAME};
{functions}
  function automatic bit due(longint unsigned now);
    return upset_ns >= 0 && now >= 64'(upset_ns) && now < 64'(upset_ns) + {PERIOD_NS};
  endfunction
endpackage
"""


def _modules(source: Parsed) -> Iterator[SyntaxNode]:
    return (one for one in descendants(source.root) if one.kind is SyntaxKind.ModuleDeclaration)


def _variables(module: SyntaxNode) -> set[str]:
    """The module's own variables and ports that are no arrays of unpacked dimensions."""
    names = set()
    for member in descendants(module):
        if member.kind is SyntaxKind.Declarator and _owner(member) is module:
            unpacked = any(one.kind is SyntaxKind.VariableDimension for one in children(member))
            if not unpacked:
                names.add(next(identifiers(member)).rawText)
    return names


def _owner(node: SyntaxNode) -> SyntaxNode | None:
    """The module or the generate block around a node."""
    around = node.parent
    while around is not None and around.kind not in (SyntaxKind.ModuleDeclaration, SyntaxKind.GenerateBlock):
        around = around.parent
    return around


def _written(module: SyntaxNode) -> Iterator[str]:
    """The names that clocked processes of the module assign to."""
    for process in descendants(module):
        if process.kind is SyntaxKind.AlwaysFFBlock:
            for one in descendants(process):
                if one.kind is SyntaxKind.NonblockingAssignmentExpression:
                    yield next(identifiers(one)).rawText
