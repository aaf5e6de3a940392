"""Two versions of a source text as alternatives of one: what a patch changes, in the forms of `alternatives`.

The smallest statement, continuous assignment, net or port connection around each change is replaced whole. A
changed localparam or function gets a second name, and its users become what differs. Declarations that a
patch adds are there whether its fault is on or not, under names of their own: alone they do nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from pyslang.parsing import Token
from pyslang.syntax import (
    FunctionDeclarationSyntax,
    ParameterDeclarationStatementSyntax,
    StatementSyntax,
    SyntaxKind,
    SyntaxNode,
)

from tb.mutation.alternatives import Alternative, Form
from tb.mutation.syntax import (
    CONSTANT_PLACES,
    Parsed,
    children,
    descendants,
    identifiers,
    parts,
    replaced,
    span,
    spelling,
)

Pair = tuple[SyntaxNode, SyntaxNode]

LISTS_OF_MEMBERS = frozenset(
    {SyntaxKind.CompilationUnit, SyntaxKind.ModuleDeclaration, SyntaxKind.GenerateBlock}
)
ADDABLE = frozenset(
    {
        SyntaxKind.DataDeclaration,
        SyntaxKind.NetDeclaration,
        SyntaxKind.ParameterDeclarationStatement,
        SyntaxKind.FunctionDeclaration,
        SyntaxKind.ContinuousAssign,
        SyntaxKind.AlwaysFFBlock,
        SyntaxKind.AlwaysCombBlock,
    }
)
# Renaming what a change needs shows what needs that in turn; no chain in the RTL is nearly as long.
MOST_RENAMINGS = 8


class NotAlternativeError(Exception):
    """A change that cannot be chosen at run time; the message says why, as the end of a sentence."""


class _RenamedError(Exception):
    """A name whose meaning changes: it needs a second one."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def alternatives_of(old: str, new: str, fault: int, constant: frozenset[str]) -> list[Alternative]:
    """What makes `old` into `new` while `fault` is on.

    `constant` names the functions that the design needs before it runs. Raises NotAlternativeError.
    """
    before = Parsed(old)
    text = new
    for _ in range(MOST_RENAMINGS):
        comparison = _Comparison(before, Parsed(text), fault, constant)
        try:
            return comparison.alternatives()
        except _RenamedError as meaning:
            text = _with_second_name(old, text, meaning.name, f"{meaning.name}_f{fault}")
    raise NotAlternativeError("too much depends on the constants that it changes")


class _Comparison:
    """One walk through both trees side by side."""

    def __init__(self, before: Parsed, after: Parsed, fault: int, constant: frozenset[str]) -> None:
        self._before, self._after = before, after
        self._fault = fault
        self._constant = constant
        self._found: dict[tuple[int, int], Alternative] = {}
        self._driven_added: list[SyntaxNode] = []

    def alternatives(self) -> list[Alternative]:
        """All differences. Raises _RenamedError, NotAlternativeError."""
        self._compare([(self._before.root, self._after.root)])
        return list(self._found.values())

    def _compare(self, path: list[Pair]) -> None:
        """Walk down from the last pair of `path`, which starts at the roots."""
        old, new = path[-1]
        if spelling(old) == spelling(new):
            return
        below, others = children(old), children(new)
        if old.kind in LISTS_OF_MEMBERS and old.kind is new.kind:
            for pair in self._paired_members(old, below, others):
                self._compare([*path, pair])
            return
        same_shape = old.kind is new.kind and len(below) == len(others)
        if not same_shape or _own_tokens(old) != _own_tokens(new):
            self._replace(path)
            return
        for pair in zip(below, others, strict=True):
            self._compare([*path, pair])

    def _paired_members(
        self, parent: SyntaxNode, old: list[SyntaxNode], new: list[SyntaxNode]
    ) -> Iterator[Pair]:
        """Members that belong together; one that only the new text has is added."""
        matcher = difflib.SequenceMatcher(
            None, [" ".join(spelling(one)) for one in old], [" ".join(spelling(one)) for one in new], False
        )
        for kind, low, high, other_low, other_high in matcher.get_opcodes():
            if kind == "equal":
                continue
            rest = new[other_low:other_high]
            place = span(old[low])[0] if low < len(old) else span(old[-1])[1]
            for one in old[low:high]:
                partner = _partner(one, rest)
                while rest[0] is not partner:
                    self._add(place, rest.pop(0))
                rest.pop(0)
                yield one, partner
            for one in rest:
                self._add(place, one)

    def _add(self, place: int, member: SyntaxNode) -> None:
        if member.kind not in ADDABLE:
            raise NotAlternativeError(f"it adds a member that is a {member.kind.name}")
        known = {token.rawText for token in identifiers(self._before.root)}
        for name in declared(member):
            if name in known or not name.endswith(f"_f{self._fault}"):
                raise _RenamedError(name)
        for name in _driven(member):
            if not name.endswith(f"_f{self._fault}"):
                raise NotAlternativeError(f"it adds a second driver of {name}")
        text = self._after.of(member)
        where = (place, place)
        if where in self._found:
            text = f"{self._found[where].text}\n{text}"
        self._found[where] = Alternative(where, Form.ADDED, self._fault, text)

    def _replace(self, path: list[Pair]) -> None:
        """Replace the smallest pair around the end of `path` that has a form."""
        for old, new in reversed(path):
            if isinstance(old, ParameterDeclarationStatementSyntax):
                raise _RenamedError(declared(old)[0])
            if isinstance(old, FunctionDeclarationSyntax):
                raise _RenamedError(declared(old)[0])
            if old.kind in CONSTANT_PLACES:
                if not any(isinstance(one, ParameterDeclarationStatementSyntax) for one, _ in path):
                    raise NotAlternativeError(f"it changes a {old.kind.name}")
                continue
            form = _form(old)
            if form is None or _form(new) is not form:
                continue
            function = _function_around(path)
            if function and function in self._constant:
                raise _RenamedError(function)
            self._choose(old, new, form)
            return
        raise NotAlternativeError(f"it changes a {path[-1][0].kind.name}")

    def _choose(self, old: SyntaxNode, new: SyntaxNode, form: Form) -> None:
        where = span(old)
        replaced_ones = [one for one in self._found if one[0] < one[1]]
        for one in replaced_ones:
            if where[0] <= one[0] and one[1] <= where[1]:
                del self._found[one]
            elif one[0] <= where[0] and where[1] <= one[1]:
                return
        self._found[where] = Alternative(where, form, self._fault, self._after.of(new))


def _own_tokens(node: SyntaxNode) -> list[str]:
    return [part.rawText for part in parts(node) if isinstance(part, Token)]


def _partner(one: SyntaxNode, others: Sequence[SyntaxNode]) -> SyntaxNode:
    """What took the place of `one` in the new text: of its kind, for the same names, the most like it."""
    alike = [other for other in others if other.kind is one.kind]
    if not alike:
        raise NotAlternativeError(f"it takes away a member that is a {one.kind.name}")
    words, names = spelling(one), set(declared(one)) | set(_driven(one))

    def likeness(other: SyntaxNode) -> tuple[int, float]:
        common = names & (set(declared(other)) | set(_driven(other)))
        return len(common), difflib.SequenceMatcher(None, words, spelling(other), False).ratio()

    return max(alike, key=likeness)


def _form(node: SyntaxNode) -> Form | None:
    if node.kind is SyntaxKind.ContinuousAssign:
        return Form.ASSIGN
    if node.kind is SyntaxKind.NetDeclaration:
        return Form.NET if sum(one.kind is SyntaxKind.Declarator for one in children(node)) == 1 else None
    if isinstance(node, StatementSyntax) and node.kind is not SyntaxKind.TimingControlStatement:
        return Form.STATEMENT
    if node.parent is not None and node.parent.kind is SyntaxKind.NamedPortConnection:
        return Form.EXPRESSION
    return None


def _function_around(path: Sequence[Pair]) -> str:
    for old, _ in path:
        if isinstance(old, FunctionDeclarationSyntax):
            return declared(old)[0]
    return ""


def declared(member: SyntaxNode) -> list[str]:
    """The names that a member declares."""
    if isinstance(member, FunctionDeclarationSyntax):
        return [str(member.prototype.name).strip()]
    found = (one for one in descendants(member) if one.kind is SyntaxKind.Declarator)
    if member.kind in (SyntaxKind.AlwaysCombBlock, SyntaxKind.AlwaysFFBlock):
        return []
    return [next(identifiers(one)).rawText for one in found]


def _driven(member: SyntaxNode) -> list[str]:
    """The names that a member assigns to, where it is no declaration."""
    assignments = {SyntaxKind.AssignmentExpression, SyntaxKind.NonblockingAssignmentExpression}
    found = (one for one in descendants(member) if one.kind in assignments)
    if isinstance(member, FunctionDeclarationSyntax):
        return []
    return [next(identifiers(one)).rawText for one in found]


def _with_second_name(old: str, text: str, name: str, second: str) -> str:
    """`text` with `name` called `second`, and with the declaration that `old` has beside it."""
    after = Parsed(text)
    changes = [
        ((token.location.offset, token.location.offset + len(name)), second)
        for token in identifiers(after.root)
        if token.rawText == name
    ]
    declarations = [one for one in _members(Parsed(old)) if name in one[1]]
    if declarations:
        place = next(start for start, names, _ in _members(after) if name in names)
        changes.append(((place, place), f"{declarations[0][2]}\n"))
    return replaced(text, changes)


def _members(source: Parsed) -> Iterator[tuple[int, list[str], str]]:
    """Where each localparam and function starts, what it declares, and its text."""
    for node in descendants(source.root):
        if node.kind in (SyntaxKind.ParameterDeclarationStatement, SyntaxKind.FunctionDeclaration):
            yield span(node)[0], declared(node), source.of(node)


def constant_functions(sources: Sequence[str]) -> frozenset[str]:
    """The functions that some constant of the design is computed with, and those that they call."""
    calls: dict[str, set[str]] = {}
    needed: set[str] = set()
    for text in sources:
        for node in descendants(Parsed(text).root):
            if isinstance(node, FunctionDeclarationSyntax):
                calls.setdefault(declared(node)[0], set()).update(_called(node))
            elif node.kind in CONSTANT_PLACES:
                needed.update(_called(node))
    reached: set[str] = set()
    needed.discard("")
    while needed:
        name = needed.pop()
        reached.add(name)
        needed |= calls.get(name, set()) - reached - {""}
    return frozenset(reached)


def _called(node: SyntaxNode) -> set[str]:
    found = (one for one in descendants(node) if one.kind is SyntaxKind.InvocationExpression)
    return {next(iter(_names(one)), "") for one in found}


def _names(call: SyntaxNode) -> Iterator[str]:
    return (token.rawText for token in identifiers(children(call)[0]))
