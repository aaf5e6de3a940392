"""The record of a judgement: where the judges stand in time, what they counted, what they found wrong."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.verdict import Verdict
from tb.pcie.tlp import Tlp


class Record:
    """Shared by every judge of one function.

    `time_ns` and `tlp` are those of the fact being judged. `own_ns` is `time_ns` without the time in which
    host or media held the function up at its pins, or data moved there: differences of it are its own time.
    """

    __slots__ = (
        "accesses_scored",
        "dma_scored",
        "interrupts_scored",
        "mismatches",
        "on_verdict",
        "own_ns",
        "time_ns",
        "tlp",
    )

    def __init__(self, on_verdict: Callable[[Verdict], None]) -> None:
        self.on_verdict = on_verdict
        self.time_ns = 0
        self.own_ns = 0
        self.tlp: Tlp | None = None
        self.accesses_scored = 0
        self.dma_scored = 0
        self.interrupts_scored = 0
        self.mismatches = 0

    def verdict(self, rule: str, what: str, expected: object = "", seen: object = "") -> None:
        """Report what is wrong with the fact being judged now."""
        self.mismatches += 1
        packet = "" if self.tlp is None else str(self.tlp)
        self.on_verdict(Verdict(self.time_ns, rule, what, str(expected), str(seen), packet))
