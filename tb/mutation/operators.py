"""Single changes of a source file that a test should notice: operators, conditions, constants, statements.

Every change keeps the width of what it changes, so that the choice between both is exact wherever it stands.
Nothing is changed that is fixed when the design is put together: parameters, dimensions, types, labels of
cases, bounds of loops and of part selects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pyslang.syntax import (
    BinaryExpressionSyntax,
    ConditionalExpressionSyntax,
    ExpressionSyntax,
    FunctionDeclarationSyntax,
    PrefixUnaryExpressionSyntax,
    SyntaxKind,
    SyntaxNode,
)

from tb.mutation.alternatives import Form
from tb.mutation.difference import declared
from tb.mutation.literals import other_values
from tb.mutation.mutant import Mutant, flat
from tb.mutation.syntax import CONSTANT_PLACES, Parsed, Span, children, descendants, identifiers, span

K = SyntaxKind

BINARY: dict[SyntaxKind, tuple[tuple[str, str], ...]] = {
    K.AddExpression: (("minus", "-"),),
    K.SubtractExpression: (("plus", "+"),),
    K.BinaryAndExpression: (("or", "|"),),
    K.BinaryOrExpression: (("and", "&"),),
    K.BinaryXorExpression: (("or", "|"), ("and", "&")),
    K.LogicalAndExpression: (("or", "||"),),
    K.LogicalOrExpression: (("and", "&&"),),
    K.EqualityExpression: (("ne", "!="),),
    K.InequalityExpression: (("eq", "=="),),
    K.LessThanExpression: (("le", "<="), ("ge", ">=")),
    K.LessThanEqualExpression: (("lt", "<"), ("gt", ">")),
    K.GreaterThanExpression: (("ge", ">="), ("le", "<=")),
    K.GreaterThanEqualExpression: (("gt", ">"), ("lt", "<")),
    K.LogicalShiftLeftExpression: (("right", ">>"),),
    K.LogicalShiftRightExpression: (("left", "<<"),),
}
# Operators of which one operand alone still makes sense.
OPERANDS_ALONE = frozenset(
    {
        K.BinaryAndExpression,
        K.BinaryOrExpression,
        K.LogicalAndExpression,
        K.LogicalOrExpression,
        K.AddExpression,
        K.SubtractExpression,
    }
)
REDUCTIONS = {
    K.UnaryBitwiseAndExpression: "|",
    K.UnaryBitwiseOrExpression: "&",
    K.UnaryBitwiseXorExpression: "|",
}
NEGATIONS = frozenset({K.UnaryBitwiseNotExpression, K.UnaryLogicalNotExpression})
ASSIGNMENTS = frozenset({K.AssignmentExpression, K.NonblockingAssignmentExpression})
# What lies below these is fixed before the design runs, or is none of the function's behaviour.
LEFT_ALONE = CONSTANT_PLACES | {
    K.ModuleHeader,
    K.InitialBlock,
    K.VariableDimension,
    K.NamedType,
    K.LogicType,
    K.EventControlWithExpression,
    K.AnsiPortList,
    K.FunctionPrototype,
    K.PackageImportDeclaration,
}
# In these an assignment is made in some cases only: left out, its variable keeps another value.
CONDITIONAL = frozenset({K.ConditionalStatement, K.StandardCaseItem, K.DefaultCaseItem, K.ForLoopStatement})
LITERALS = frozenset({K.IntegerLiteralExpression, K.IntegerVectorExpression})
CLOCKS = {"clk_i", "rst_ni"}
RESET = "!rst_ni"
# Lines that tell a place from others where one line alone does not.
MOST_LINES = 4


class _Walk:
    """One walk through a file."""

    def __init__(self, file: str, source: Parsed, constant: frozenset[str]) -> None:
        self._file, self._source, self._constant = file, source, constant
        self._lines = source.text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._sources = distinct_lines(self._lines)
        self._states = _enumerations(source.root)
        self._resets: Span = (0, 0)

    def mutants(self) -> Iterator[Mutant]:
        yield from self._visit(self._source.root, conditional=0)

    def _visit(self, node: SyntaxNode, conditional: int) -> Iterator[Mutant]:
        if node.kind in LEFT_ALONE or self._is_none_of_ours(node):
            return
        if node.kind is K.ConditionalStatement and self._of(children(node)[0]) == RESET:
            self._resets = span(children(node)[1])
        yield from self._changes(node, conditional)
        for child in self._visited(node):
            deeper = child.kind in CONDITIONAL
            yield from self._visit(child, conditional + deeper)

    def _is_none_of_ours(self, node: SyntaxNode) -> bool:
        """A function that constants are computed with; what only silences a linter."""
        if isinstance(node, FunctionDeclarationSyntax):
            return declared(node)[0] in self._constant
        return node.kind in ASSIGNMENTS and self._of(children(node)[0]).startswith("unused")

    def _visited(self, node: SyntaxNode) -> list[SyntaxNode]:
        """The nodes below that may change while the design runs."""
        below = children(node)
        if node.kind in ASSIGNMENTS:
            return below[1:]
        if node.kind in (K.ForLoopStatement, K.LoopGenerate, K.IfGenerate, K.StandardCaseItem):
            return [one for one in below if not isinstance(one, ExpressionSyntax)][-1:]
        if node.kind in (K.CastExpression, K.MultipleConcatenationExpression):
            return below[1:]
        if node.kind is K.SimpleRangeSelect or any(_is_literal_index(one) for one in below):
            return []
        if node.kind in (K.AscendingRangeSelect, K.DescendingRangeSelect):
            return below[:1]
        if node.kind is K.NamedPortConnection and _port(node) in CLOCKS:
            return []
        return below

    def _changes(self, node: SyntaxNode, conditional: int) -> Iterator[Mutant]:
        text = self._of(node)
        if node.kind in BINARY and isinstance(node, BinaryExpressionSyntax):
            yield from self._binary(node)
        elif node.kind in REDUCTIONS or node.kind in NEGATIONS:
            yield from self._unary(node)
        elif isinstance(node, ConditionalExpressionSyntax):
            condition, yes, no = children(node)
            yield from self._condition(children(condition)[0])
            swapped = f"{self._of(condition)} ? {self._of(no)} : {self._of(yes)}"
            yield self._expression(node, "arms", swapped)
        elif node.kind is K.ConditionalStatement:
            yield from self._condition(children(children(node)[0])[0])
        elif node.kind is K.ConcatenationExpression and len(children(node)) > 1:
            first, second, *rest = [self._of(one) for one in children(node)]
            if first != second:
                yield self._expression(node, "order", f"{{{', '.join([second, first, *rest])}}}")
        elif node.kind is K.ExpressionStatement:
            yield from self._statement(node, conditional)
        elif node.kind is K.IdentifierName and text in self._states and _whole_name(node) is node:
            others = self._states[text]
            yield self._expression(node, "state", others[(others.index(text) + 1) % len(others)])
        elif node.kind is K.IdentifierSelectName:
            yield from self._selected(node)
        elif node.kind is K.NamedPortConnection:
            yield from self._port(node)
        else:
            for number, value in enumerate(other_values(node.kind, text)):
                yield self._expression(node, f"value{number or ''}", value)

    def _binary(self, node: BinaryExpressionSyntax) -> Iterator[Mutant]:
        left, right = self._of(node.left), self._of(node.right)
        # Another operator binds otherwise: what is one operand now must stay one.
        first, second = (
            f"({self._of(one)})" if one.kind in BINARY else self._of(one) for one in children(node)
        )
        for name, operator in BINARY[node.kind]:
            yield self._expression(node, name, f"{first} {operator} {second}")
        if node.kind in OPERANDS_ALONE:
            yield self._expression(node, "left", left)
            if node.kind is not K.SubtractExpression:
                yield self._expression(node, "right", right)

    def _unary(self, node: SyntaxNode) -> Iterator[Mutant]:
        operand = self._of(children(node)[0])
        if node.kind in NEGATIONS:
            yield self._expression(node, "not", operand)
        elif isinstance(node, PrefixUnaryExpressionSyntax):
            yield self._expression(node, "reduction", f"{REDUCTIONS[node.kind]}{operand}")

    def _condition(self, predicate: SyntaxNode) -> Iterator[Mutant]:
        """A condition: negated unless it is a negation itself, always, never."""
        node = children(predicate)[0] if predicate.kind is K.ConditionalPattern else predicate
        if node.kind not in NEGATIONS and node.kind not in BINARY:
            yield self._expression(node, "negated", f"!({self._of(node)})")
        yield self._expression(node, "always", "1'b1")
        yield self._expression(node, "never", "1'b0")

    def _statement(self, node: SyntaxNode, conditional: int) -> Iterator[Mutant]:
        """An assignment left out, where the variable keeps the value it has by then."""
        assignment = children(node)[0]
        if assignment.kind not in ASSIGNMENTS:
            return
        target, value = (self._of(one) for one in children(assignment)[:2])
        if target.startswith("unused"):
            return
        if assignment.kind is K.AssignmentExpression and not conditional:
            return
        same = "" if "'{" in value else f"({target}) === ({value})"
        yield self._made(span(node), Form.STATEMENT, "deleted", ";", same)

    def _selected(self, node: SyntaxNode) -> Iterator[Mutant]:
        """The bit beside the one that is selected by a literal. Whole, so that one that is none is told."""
        index = next((one for one in descendants(children(node)[-1]) if one.kind in LITERALS), None)
        if index is None or not _is_literal_index(index):
            return
        node = _whole_name(node)
        start, end = span(node)
        at, after = span(index)
        for name, value in zip(("above", "below"), other_values(index.kind, self._of(index)), strict=False):
            new = f"{self._source.text[start:at]}{value}{self._source.text[after:end]}"
            yield self._expression(node, name, new)

    def _port(self, node: SyntaxNode) -> Iterator[Mutant]:
        """An input of an instance stuck."""
        name = _port(node)
        below = children(node)
        if not name.endswith("_i") or name in CLOCKS or not below:
            return
        for operator, value in (("low", "'0"), ("high", "'1")):
            yield self._expression(below[0], operator, value)

    def _expression(self, node: SyntaxNode, operator: str, new: str) -> Mutant:
        same = "" if new in ("'0", "'1") else f"({new}) === ({self._of(node)})"
        return self._made(span(node), Form.EXPRESSION, operator, new, same)

    def _made(self, where: Span, form: Form, operator: str, new: str, same: str) -> Mutant:
        line = self._source.text.count("\n", 0, where[0])
        return Mutant(
            file=self._file,
            span=where,
            form=form,
            operator=operator,
            old=self._source.text[slice(*where)],
            new=new,
            line=line + 1,
            column=where[0] - self._starts[line] + 1,
            source=self._sources[line],
            line_text=flat(self._lines[line]),
            same=same,
            in_reset=self._resets[0] <= where[0] < self._resets[1],
        )

    def _of(self, node: SyntaxNode) -> str:
        return self._source.of(node)


def _is_literal_index(node: SyntaxNode) -> bool:
    return node.kind in LITERALS and node.parent is not None and node.parent.kind is K.BitSelect


def _whole_name(node: SyntaxNode) -> SyntaxNode:
    """The name that a part of it belongs to: of `structure.field[3]`, all."""
    while node.parent is not None and node.parent.kind is K.ScopedName:
        node = node.parent
    return node


def _port(node: SyntaxNode) -> str:
    return next(identifiers(node)).rawText


def _enumerations(root: SyntaxNode) -> dict[str, tuple[str, ...]]:
    """Every value of every enumeration of a file, with all of them."""
    found = {}
    for node in descendants(root):
        if node.kind is K.EnumType:
            values = tuple(
                next(identifiers(one)).rawText for one in children(node) if one.kind is K.Declarator
            )
            found.update(dict.fromkeys(values, values))
    return found


def distinct_lines(lines: Sequence[str]) -> list[str]:
    """The lines with single blanks; one that stands there several times with what follows it."""
    texts = [flat(line) for line in lines]
    wanted = list(texts)
    for more in range(1, MOST_LINES):
        counts = Counter(wanted)
        wanted = [
            f"{text} {texts[place + more]}" if counts[text] > 1 and place + more < len(texts) else text
            for place, text in enumerate(wanted)
        ]
    return wanted


def mutants_of(file: str, text: str, constant: frozenset[str]) -> list[Mutant]:
    """All mutants of a file in the order of its text. `constant` names functions that compute constants."""
    made = {one.name: one for one in _Walk(file, Parsed(text), constant).mutants() if one.new != one.old}
    return sorted(made.values(), key=lambda one: (one.span, one.operator))
