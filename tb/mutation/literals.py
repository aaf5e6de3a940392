"""Other values for a literal, of its width."""

from __future__ import annotations

import re

from pyslang.syntax import SyntaxKind

VECTOR = re.compile(r"(\d+)\s*'\s*([bdho])\s*([0-9a-fA-F_]+)")
BASES = {"b": 2, "o": 8, "d": 10, "h": 16}


def other_values(kind: SyntaxKind, text: str) -> list[str]:
    """What a literal could be instead: one more and one less, all ones, nothing. Empty for what is none."""
    if kind is SyntaxKind.UnbasedUnsizedLiteralExpression:
        return ["'1" if text == "'0" else "'0"]
    if kind is SyntaxKind.IntegerLiteralExpression and text.isdecimal():
        return [str(int(text) + 1)] + ([str(int(text) - 1)] if int(text) else [])
    match = VECTOR.fullmatch(text) if kind is SyntaxKind.IntegerVectorExpression else None
    if match is None:
        return []
    width, value = int(match[1]), int(match[3].replace("_", ""), BASES[match[2]])
    largest = (1 << width) - 1
    others = [(value + 1) & largest, (value - 1) & largest, largest, 0]
    unique = [one for one in dict.fromkeys(others) if one != value]
    return [f"{width}'d{one}" for one in unique[:3]]
