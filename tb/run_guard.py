"""Ends a run that will tell nothing new: enough verdicts, the same packets over and over, or silence.

What it measures is what happened, never how long the machine took: a loaded machine gives the same end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tb.harness.link import Observation
from tb.pcie.tlp import Channel, MessageCode, Tlp, TlpType
from tb.pcie.types import SHORT_NAMES

Shape = tuple[Channel, TlpType | None, int, int]
"""What tells packets of the function apart here: channel, type, address (a completion's requester and tag, a
message's code) and status. Data and the tags of requests do not count."""
_ALIKE = 8
"""A window is a repetition when it has this many times fewer shapes than packets."""


@dataclass(slots=True, frozen=True)
class RunLimits:
    """When a run ends itself. A limit of 0 is none.

    `verdicts`: so many were given, equal ones included. Progress is an access answered, something that
    reached the disk, a new kind of verdict. `repetitions`: so many windows of `window` packets without
    progress, in which the function sent the same few packets over and over, more often than one in `pace_ns`
    (a device that polls does that too, but takes its time). `idle_ns`: so long without progress whatever the
    function sent. `silence_ns`: so long nothing passed any pin. `stop_at`: a verdict of one of these
    rules was given. `time_ns`: simulated time has come so far, and who runs the test knows it should not.
    """

    verdicts: int = 1000
    window: int = 4096
    repetitions: int = 4
    pace_ns: int = 40
    idle_ns: int = 50_000_000
    silence_ns: int = 50_000_000
    stop_at: tuple[str, ...] = ()
    time_ns: int = 0


class RunEndedError(AssertionError):
    """The run was ended before the guest was through: nothing new would have come."""


class RunGuard:
    """Told of packets and verdicts; `reason` is a clause once the run should end.

    `progress` gives numbers that change when something new has happened. `on_look` is called whenever the
    guard has looked, which is seldom: a good moment to write down where the run stands. `on_end` is called
    once.
    """

    def __init__(
        self,
        limits: RunLimits,
        progress: Callable[[], tuple[int, ...]],
        *,
        on_look: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self.limits = limits
        self.reason = ""
        self.wedged = ""
        """What is known of a function that goes on for ever or not at all; empty after enough verdicts."""
        self._progress = progress
        self._on_look = on_look
        self._on_end = on_end
        self._before: tuple[int, ...] = ()
        self._shapes: Counter[Shape] | None = None
        self._repeated = 0
        self._window_ns = 0
        self._state: tuple[int, ...] = ()
        self._progress_ns = 0
        self._seen_bytes = -1
        self._seen_ns = 0

    def verdicts(self, total: int, rule: str = "") -> None:
        """So many verdicts were given until now, the last one of `rule`."""
        if rule in self.limits.stop_at:
            self._end(f"The run ended itself at the first verdict of {rule}, as it was asked to")
        if self.limits.verdicts and total >= self.limits.verdicts:
            self._end(f"The run ended itself after {total:,} verdicts")

    @property
    def watching(self) -> bool:
        """Whether `packet` wants to be told of packets: nothing new has come for a while."""
        return self._shapes is not None

    def packet(self, seen: Observation) -> None:
        """A packet passed while `watching`."""
        shapes = self._shapes
        if shapes is not None and seen.channel in (Channel.TX_REQ, Channel.TX_CPL):
            shapes[_shape(seen.channel, seen.tlp)] += 1

    def window(self, now_ns: int) -> None:
        """Another `window` packets have passed."""
        self._look_at_time(now_ns)
        took, self._window_ns = now_ns - self._window_ns, now_ns
        state, before = self._progress(), self._before
        self._before = state
        shapes, self._shapes = self._shapes, Counter()
        if state != before:
            self._shapes, self._repeated = None, 0
        elif shapes is not None:
            self._judge_window(shapes, took)
        self._on_look()

    def _judge_window(self, shapes: Counter[Shape], took_ns: int) -> None:
        """A window without progress: is it more of the same?"""
        limits = self.limits
        alike = bool(shapes) and len(shapes) * _ALIKE <= shapes.total()
        fast = took_ns < limits.window * limits.pace_ns
        self._repeated = self._repeated + 1 if alike and fast else 0
        if limits.repetitions and self._repeated >= limits.repetitions:
            packets = self._repeated * limits.window
            self._give_up(
                f"In {packets:,} packets nothing new has come: no answer to an access, nothing for the disk, "
                f"no new kind of verdict. The function sends for ever: {_most_common(shapes)}."
            )

    def moment(self, now_ns: int, seen_bytes: int) -> None:
        """Simulated time has come to `now_ns`, and the pins have told `seen_bytes` in all."""
        self._look_at_time(now_ns)
        limits, state = self.limits, self._progress()
        if state != self._state:
            self._state, self._progress_ns = state, now_ns
        if seen_bytes != self._seen_bytes:
            self._seen_bytes, self._seen_ns = seen_bytes, now_ns
        silent, idle = now_ns - self._seen_ns, now_ns - self._progress_ns
        if limits.silence_ns and silent >= limits.silence_ns:
            self._give_up(f"Nothing has passed any pin for {silent:,} ns.")
        elif limits.idle_ns and idle >= limits.idle_ns:
            self._give_up(f"For {idle:,} ns no access was answered and nothing reached the disk.")
        self._on_look()

    def _look_at_time(self, now_ns: int) -> None:
        if 0 < self.limits.time_ns <= now_ns:
            self._end(
                f"The run ended itself after {now_ns:,} ns: it was to take {self.limits.time_ns:,} at most"
            )

    def _give_up(self, wedged: str) -> None:
        self.wedged = self.wedged or wedged
        self._end("The run ended itself: nothing new came any more")

    def _end(self, reason: str) -> None:
        if not self.reason:
            self.reason = reason
            self._on_end()


def _shape(channel: Channel, tlp: Tlp | None) -> Shape:
    if tlp is None:
        return channel, None, 0, 0
    if tlp.is_completion:
        return channel, tlp.type, tlp.requester_id << 10 | tlp.tag, tlp.status
    if tlp.type is TlpType.MESSAGE:
        return channel, tlp.type, tlp.message_code, 0
    return channel, tlp.type, tlp.address, 0


def _most_common(shapes: Counter[Shape]) -> str:
    return ", ".join(f"{_words(shape)} ×{count:,}" for shape, count in shapes.most_common(3))  # noqa: RUF001


def _words(shape: Shape) -> str:
    channel, kind, place, _ = shape
    if kind is None:
        return f"what cannot be read on {channel.value}"
    name = SHORT_NAMES[kind]
    if channel is Channel.TX_CPL:
        return f"{name} for requester {place >> 10:#06x} tag {place & 0x3FF} on {channel.value}"
    if kind is TlpType.MESSAGE:
        known = place in set(MessageCode)
        return f"{name} {MessageCode(place).name if known else hex(place)} on {channel.value}"
    return f"{name} to {place:#x} on {channel.value}"
