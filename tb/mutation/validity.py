"""Which mutants are no design at all: what the elaborated sources say against them.

All mutants stand in one copy; a complaint belongs to the last choice ahead of its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyslang.ast import Compilation
from pyslang.syntax import SyntaxTree

from tb.mutation.names import PACKAGE_NAME

CHOICE = re.compile(rf"{PACKAGE_NAME}::on\[(\d+)\]")
# Complaints that a linter would not let pass either; errors count anyhow.
FATAL = ("IndexOOB", "RangeOOB", "RangeWidthOOB", "IndexValueInvalid", "ShiftCountOverflow")


def invalid_faults(copy: Sequence[str], clean: Sequence[str]) -> dict[int, str]:
    """The faults that make no valid design, each with the complaint's name.

    Both are texts in the order in which they must be read; what is said of `clean` too is no fault's.
    """
    known = {complaint for complaint, _ in _complaints(clean)}
    found: dict[int, str] = {}
    for complaint, ahead in _complaints(copy):
        choices = CHOICE.findall(ahead)
        if complaint not in known and choices:
            found[int(choices[-1])] = complaint
    return found


def _complaints(sources: Sequence[str]) -> list[tuple[str, str]]:
    """What is said against a design: the complaint's name, and the text ahead of its place."""
    compilation = Compilation()
    trees = [SyntaxTree.fromText(text) for text in sources]
    for tree in trees:
        compilation.addSyntaxTree(tree)
    texts = {tree.root.sourceRange.start.buffer: text for tree, text in zip(trees, sources, strict=True)}
    found = []
    for one in compilation.getAllDiagnostics():
        complaint = re.sub(r"DiagCode\((\w+)\)", r"\1", str(one.code))
        if complaint in FATAL or one.isError():
            found.append((complaint, texts.get(one.location.buffer, "")[: one.location.offset]))
    return found
