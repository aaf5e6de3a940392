"""A verdict: one thing the function did that a right function does not do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Verdict:
    """What is wrong, where, and what would have been right.

    `time_ns` is simulated time; `rule` a requirement id (`VPCI-REG-11`); `what` a sentence that names the
    register, queue or descriptor; `expected` and `seen` are values as text, empty where the sentence says
    all; `tlp` is the packet that gave it away, empty when it is one that never came.
    """

    time_ns: int
    rule: str
    what: str
    expected: str = ""
    seen: str = ""
    tlp: str = ""

    @property
    def sentence(self) -> str:
        """Everything but time and rule."""
        values = f" Expected {self.expected}, seen {self.seen}." if self.expected or self.seen else ""
        packet = f" [{self.tlp}]" if self.tlp else ""
        return f"{self.what}{values}{packet}"

    def __str__(self) -> str:
        return f"{self.time_ns} ns {self.rule}: {self.sentence}"
