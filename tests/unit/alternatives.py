"""Reading a text with alternatives as it reads with one fault on, to compare it with what it came from.

Compared are tokens, in a spelling that does not tell `assign` from `always_comb`, a net with a value from a
variable and its assignment, and statements with `begin` and `end` from those without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyslang.parsing import Token
from pyslang.syntax import SyntaxKind, SyntaxNode

from tb.mutation.names import PACKAGE_NAME
from tb.mutation.syntax import Parsed, children, parts, spelling

DROPPED = {"begin", "end", "(", ")", "assign", "always_comb", "wire", "logic"}
CHOICE = re.compile(rf"{PACKAGE_NAME}::on\[(\d+)\]")


def normal(text: str, fault: int = 0) -> str:
    """The tokens of a text as it reads with `fault` on."""
    words = [word for word in _words(Parsed(text).root, fault) if word not in DROPPED]
    return re.sub(r"(?<!\S)(\w+) ; \1 =", r"\1 =", " ".join(words))


def _words(node: SyntaxNode, fault: int) -> Iterator[str]:
    chosen = _chosen(node, fault)
    if chosen is not None:
        yield from _words(chosen, fault)
        return
    for part in parts(node):
        if isinstance(part, Token):
            yield part.rawText
        else:
            yield from _words(part, fault)


def _chosen(node: SyntaxNode, fault: int) -> SyntaxNode | None:
    """The branch that is taken, where `node` is a choice between faults."""
    below = children(node)
    if node.kind is SyntaxKind.ConditionalStatement:
        number = CHOICE.fullmatch("".join(spelling(below[0])).strip("()"))
        return None if number is None else below[1] if int(number[1]) == fault else children(below[2])[0]
    if node.kind is SyntaxKind.ConditionalExpression:
        number = CHOICE.fullmatch("".join(spelling(below[0])).strip("()"))
        return None if number is None else below[1] if int(number[1]) == fault else below[2]
    return None
