"""What a queue owes: due at once at rest, and later while somebody else holds the function up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Debt:
    """Something still to be done: the `rule` that asks for it; `what` is a clause that a time follows."""

    rule: str
    what: str
    expected: object = ""
    seen: object = ""
