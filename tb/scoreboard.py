"""Holds what the monitors saw against the golden model, and collects the verdicts.

It decides nothing itself: the judge does. It fails the test in its check phase when there is a verdict, or
when nothing was scored.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pyuvm import uvm_scoreboard, uvm_subscriber

from tb.agents.media.monitor import MediaObservation
from tb.harness.faults import PinFault
from tb.harness.link import Observation, PinLink, ResetSeen
from tb.models.judge.media import MediaEvent
from tb.models.verdict import Verdict
from tb.pcie.tlp import Channel, Tlp, TlpError
from tb.run_guard import RunGuard
from tb.verdict_log import VERDICTS, VerdictLog

KINDS_SHOWN = 20


class JudgeLike(Protocol):
    """What the scoreboard needs of the judge."""

    @property
    def accesses_scored(self) -> int: ...

    @property
    def dma_scored(self) -> int: ...

    @property
    def interrupts_scored(self) -> int: ...

    @property
    def idle(self) -> bool: ...

    @property
    def waiting(self) -> list[str]: ...

    def pass_time(self, time_ns: int, held_ns: int) -> None: ...

    def tlp(self, time_ns: int, channel: Channel, tlp: Tlp, held_ns: int, waited_ns: int) -> None: ...

    def malformed(self, time_ns: int, channel: Channel, error: TlpError, held_ns: int) -> None: ...

    def media(self, time_ns: int, event: MediaEvent, held_ns: int) -> None: ...

    def unanswered(self, time_ns: int, tag: int, *, late: bool = False) -> None: ...

    def cold_reset(self, time_ns: int) -> None: ...

    def end_of_test(self, time_ns: int, held_ns: int) -> None: ...


class MismatchError(AssertionError):
    """The test ran, and the function did something that no right function does."""


class _Input(uvm_subscriber):
    """An analysis export that hands on what it gets."""

    handler: Callable[[Any], None]

    def write(self, datum: Any) -> None:
        self.handler(datum)


class Scoreboard(uvm_scoreboard):
    """Connect `packets` and `media` to the monitors' ports. Times are in ns.

    `folder` is where the verdicts are kept as they are found. Once `guard` has ended the run nothing more is
    judged.
    """

    judge_of: Callable[[Callable[[Verdict], None]], JudgeLike]
    link: PinLink
    guard: RunGuard
    folder: Path

    def build_phase(self) -> None:
        self.log = VerdictLog(self.folder / VERDICTS, on_verdict=self._verdict_given)
        self.judge = self.judge_of(self.log.add)
        self._left = self.guard.limits.window
        self.packets = self._input("packets", self._packet)
        self.media = self._input("media", self._media)

    def connect_phase(self) -> None:
        self.link.fault_listeners.append(self._fault)
        self.link.reset_listeners.append(self._reset)

    @property
    def counts(self) -> dict[str, int]:
        """What was scored so far, and what was wrong."""
        return {
            "accesses_scored": self.judge.accesses_scored,
            "dma_scored": self.judge.dma_scored,
            "interrupts_scored": self.judge.interrupts_scored,
            "mismatches": self.log.total,
        }

    @property
    def idle(self) -> bool:
        """Whether the function owes nothing that anybody knows of."""
        return self.judge.idle

    def pass_time(self) -> None:
        """Let the judge tell what is overdue by now; while a packet is still on its way it must wait."""
        self.link.drain()
        memory = self.link.memory
        if not memory.unfinished and not self.guard.reason:
            self.judge.pass_time(memory.time_ns, memory.held_ns)

    def unanswered(self, tag: int, late: bool) -> None:
        """The host has decided not to answer the DMA read with `tag`, or (`late`) not in time.

        No monitor can see that.
        """
        self.judge.unanswered(self.link.memory.time_ns, tag, late=late)

    def end_of_test(self) -> None:
        """Nothing may be owed from here on. Of a run that was ended on the way nothing is asked."""
        self.link.drain()
        if self.guard.reason:
            return
        now, unfinished = self.link.memory.time_ns, self.link.memory.unfinished
        if unfinished:
            sentence = f"{unfinished} packets or disk events still wait for a last beat on the pins."
            self.log.add(Verdict(now, "PIN-LAST", sentence))
        self.judge.end_of_test(now, self.link.memory.held_ns)

    def wedged(self, how: str, waiting: list[str]) -> None:
        """Nothing moves any more, or always the same; `how` is a sentence, `waiting` says what for."""
        what = f"Waiting: {'; '.join(waiting)}." if waiting else "Nobody knows of anything that waits."
        self.log.add(Verdict(self.link.memory.time_ns, "WEDGED", f"{how} {what}"))

    def check_phase(self) -> None:
        """MismatchError with the first verdicts; also when not one access was scored."""
        if self.log.total:
            shown = "\n".join(self.log.texts(KINDS_SHOWN))
            raise MismatchError(f"{self.log.total} mismatches of {len(self.log.kinds)} kinds:\n{shown}")
        if not self.judge.accesses_scored:
            raise MismatchError("Not one access was scored.")

    def _input(self, name: str, handler: Callable[[Any], None]) -> _Input:
        made: _Input = _Input.create(name, self)
        made.handler = handler
        return made

    def ignore(self) -> None:
        """The run is at its end: judge nothing more."""
        self.packets.handler = self.media.handler = _ignore

    def _verdict_given(self, verdict: Verdict) -> None:
        self.guard.verdicts(self.log.total, verdict.rule)

    def _packet(self, seen: Observation) -> None:
        self._left -= 1
        if not self._left:
            self._window(seen.time_ns)
        if seen.error is None and seen.tlp is not None:
            self.judge.tlp(seen.time_ns, seen.channel, seen.tlp, seen.held_ns, seen.waited_ns)
        else:
            error = seen.error or TlpError("unreadable")
            self.judge.malformed(seen.time_ns, seen.channel, error, seen.held_ns)

    def _window(self, now_ns: int) -> None:
        """Now and then: let the guard look, and tell it of packets from now on if it wants to know."""
        guard = self.guard
        self._left = guard.limits.window
        guard.window(now_ns)
        if not guard.reason:
            self.packets.handler = self._watched if guard.watching else self._packet

    def _watched(self, seen: Observation) -> None:
        self.guard.packet(seen)
        self._packet(seen)

    def _media(self, seen: MediaObservation) -> None:
        self.judge.media(seen.time_ns, seen.event, seen.held_ns)

    def _fault(self, fault: PinFault) -> None:
        if not self.guard.reason:
            self.log.add(Verdict(fault.time_ns, fault.rule, fault.sentence))

    def _reset(self, seen: ResetSeen) -> None:
        self.judge.cold_reset(seen.time_ns)


def _ignore(_seen: object) -> None:
    """The run is at its end."""
