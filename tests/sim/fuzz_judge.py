"""A judge whose own errors are findings, and which tells what situations it was in."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from tb.fuzz.situations import Situations
from tb.models.judge.judge import Judge
from tb.models.judge.media import MediaEvent
from tb.models.verdict import Verdict
from tb.pcie.tlp import Channel, Tlp, TlpError

JUDGE_ERROR = "FUZZ-JUDGE"


class GuardedJudge:
    """Implements `JudgeLike` around a judge: an error in it becomes a verdict, and a finding like others.

    `situations` are those that the judge was in when a packet came.
    """

    def __init__(self, judge: Judge, report: Callable[[Verdict], None]) -> None:
        self.situations = Situations()
        self._judge = judge
        self._report = report
        self._broken = False

    @property
    def accesses_scored(self) -> int:
        return self._judge.accesses_scored

    @property
    def dma_scored(self) -> int:
        return self._judge.dma_scored

    @property
    def interrupts_scored(self) -> int:
        return self._judge.interrupts_scored

    @property
    def idle(self) -> bool:
        return self._broken or self._judge.idle

    @property
    def waiting(self) -> list[str]:
        return [] if self._broken else self._judge.waiting

    def pass_time(self, time_ns: int, held_ns: int) -> None:
        self._guarded(time_ns, lambda: self._judge.pass_time(time_ns, held_ns))

    def tlp(self, time_ns: int, channel: Channel, tlp: Tlp, held_ns: int, waited_ns: int) -> None:
        def judged() -> None:
            self.situations.see(channel, tlp, self._judge.standing)
            self._judge.tlp(time_ns, channel, tlp, held_ns, waited_ns)

        self._guarded(time_ns, judged)

    def malformed(self, time_ns: int, channel: Channel, error: TlpError, held_ns: int) -> None:
        self._guarded(time_ns, lambda: self._judge.malformed(time_ns, channel, error, held_ns))

    def media(self, time_ns: int, event: MediaEvent, held_ns: int) -> None:
        self._guarded(time_ns, lambda: self._judge.media(time_ns, event, held_ns))

    def unanswered(self, time_ns: int, tag: int, *, late: bool = False) -> None:
        self._guarded(time_ns, lambda: self._judge.unanswered(time_ns, tag, late=late))

    def cold_reset(self, time_ns: int) -> None:
        self._broken = False
        self._guarded(time_ns, lambda: self._judge.cold_reset(time_ns))

    def end_of_test(self, time_ns: int, held_ns: int) -> None:
        self._guarded(time_ns, lambda: self._judge.end_of_test(time_ns, held_ns))

    def _guarded(self, time_ns: int, act: Callable[[], None]) -> None:
        """Do it unless the judge is broken; then it knows no more until the next power-up."""
        if self._broken:
            return
        try:
            act()
        except Exception as error:
            self._broken = True
            self._report(Verdict(time_ns, JUDGE_ERROR, told(error)))


def told(error: Exception) -> str:
    """An error and where it was raised, in a sentence."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name} ({place.name}): {error}"
