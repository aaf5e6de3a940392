"""The RTL's syntax trees: parsing, and the few questions that planting faults asks of them.

Positions are offsets into the source text, which is ASCII (`Parsed` sees to it), so that the text between
two positions is what a node covers.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyslang.parsing import Token, TokenKind
from pyslang.syntax import SyntaxKind, SyntaxNode, SyntaxTree

Span = tuple[int, int]

# Names in these places must be known when the design is put together: nothing there can be chosen later.
CONSTANT_PLACES = frozenset(
    {
        SyntaxKind.ParameterDeclaration,
        SyntaxKind.ParameterValueAssignment,
        SyntaxKind.RangeDimensionSpecifier,
        SyntaxKind.TypedefDeclaration,
        SyntaxKind.ParameterPortList,
    }
)


class SourceError(ValueError):
    """A source text is not what planting faults can work on; the message is a sentence."""


class Parsed:
    """A source text and its syntax tree, which stays alive with it."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            raise SourceError("The source has characters that are not ASCII.")
        self.text = text
        self._tree = SyntaxTree.fromText(text)
        errors = [one for one in self._tree.diagnostics if one.isError()]
        if errors:
            line = text.count("\n", 0, errors[0].location.offset) + 1
            raise SourceError(f"The source is no SystemVerilog at line {line}.")

    @property
    def root(self) -> SyntaxNode:
        """The whole file."""
        return self._tree.root

    def of(self, node: SyntaxNode) -> str:
        """The text of a node, without what stands before its first and after its last token."""
        start, end = span(node)
        return self.text[start:end]


def span(node: SyntaxNode) -> Span:
    """Where a node's first token starts and its last one ends."""
    return node.sourceRange.start.offset, node.sourceRange.end.offset


def children(node: SyntaxNode) -> list[SyntaxNode]:
    """The nodes directly below, tokens left out."""
    return [child for child in node if isinstance(child, SyntaxNode)]


def parts(node: SyntaxNode) -> Iterator[SyntaxNode | Token]:
    """The nodes directly below, and the tokens that stand in the text."""
    for child in node:
        written = isinstance(child, Token) and child.kind is not TokenKind.Placeholder and not child.isMissing
        if isinstance(child, SyntaxNode) or (isinstance(child, Token) and written):
            yield child


def descendants(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """The node and everything below it, in the order of the text."""
    yield node
    for child in children(node):
        yield from descendants(child)


def tokens(node: SyntaxNode) -> Iterator[Token]:
    """The tokens below a node that stand in the text."""
    for part in parts(node):
        if isinstance(part, Token):
            yield part
        else:
            yield from tokens(part)


def spelling(node: SyntaxNode) -> tuple[str, ...]:
    """A node's tokens as they are written: equal for two nodes that differ in blanks and comments only."""
    return tuple(token.rawText for token in tokens(node))


def identifiers(node: SyntaxNode) -> Iterator[Token]:
    """The identifiers below a node."""
    return (token for token in tokens(node) if token.kind is TokenKind.Identifier)


def replaced(text: str, changes: list[tuple[Span, str]]) -> str:
    """`text` with spans, none of which overlap, replaced."""
    for (start, end), new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
