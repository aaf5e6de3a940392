"""Finding the rule that a verdict is of in its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A verdict of its own (`12 ns RULE: ...`), or many equal ones (the rule and how many).
VERDICT_RULE = re.compile(r"(?:\d+ ns )?([\w-]+)(?::| ×)")  # noqa: RUF001


def naming(verdicts: Sequence[str], rules: Sequence[str]) -> str:
    """The first verdict of one of the rules, empty if there is none."""
    return next((one for one in verdicts if rule_of(one) in rules), "")


def rule_of(verdict: str) -> str:
    """The rule that a verdict is of."""
    match = VERDICT_RULE.match(verdict)
    return match[1] if match else ""
