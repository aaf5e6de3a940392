"""The four channels and the disk's side between function and host;
everything that passes is told to the judge.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from tb.models.judge.judge import Judge
from tb.models.judge.media import MediaEvent
from tb.pcie.tlp import Channel, Tlp, TlpError, decode, encode
from tb.selfplay.clock import Clock

TRACE = 400


class FunctionSide(Protocol):
    """Who takes what the host sends."""

    def accept(self, tlp: Tlp) -> None: ...

    def answered(self, tlp: Tlp) -> None: ...


class HostSide(Protocol):
    """Who takes what the function sends."""

    def completed(self, tlp: Tlp) -> None: ...

    def requested(self, tlp: Tlp) -> None: ...


class Wire:
    """Hands packets over, the judge first. `events` counts what passed,
    `last` keeps the end of it in words.
    """

    function: FunctionSide
    host: HostSide

    def __init__(self, clock: Clock, judge: Judge) -> None:
        self.clock = clock
        self.judge = judge
        self.events = 0
        self.last: deque[tuple[int, str, object]] = deque(maxlen=TRACE)

    def request(self, tlp: Tlp) -> None:
        """Host to function: an access."""
        self._tell(Channel.RX_REQ, tlp)
        self.function.accept(tlp)

    def complete(self, tlp: Tlp, *, spoilt: bool = False) -> None:
        """Function to host: the answer to an access. `spoilt`: it may break a rule of its own."""
        if self._tell(Channel.TX_CPL, tlp, spoilt=spoilt):
            self.host.completed(tlp)

    def send(self, tlp: Tlp, *, spoilt: bool = False) -> None:
        """Function to host: DMA, a message."""
        if self._tell(Channel.TX_REQ, tlp, spoilt=spoilt):
            self.host.requested(tlp)

    def answer(self, tlp: Tlp) -> None:
        """Host to function: the answer to a DMA read."""
        self._tell(Channel.RX_CPL, tlp)
        self.function.answered(tlp)

    def media(self, event: MediaEvent) -> None:
        """Something on the disk's side."""
        self.events += 1
        self.last.append((self.clock.now, "disk", event))
        self.judge.media(self.clock.now, event)

    def unanswered(self, tag: int) -> None:
        """The host will not answer, or not in time."""
        self.last.append((self.clock.now, "unanswered", tag))
        self.judge.unanswered(self.clock.now, tag)

    def _tell(self, channel: Channel, tlp: Tlp, *, spoilt: bool = False) -> bool:
        """False when the packet is so broken that nobody can take it."""
        self.events += 1
        self.last.append((self.clock.now, channel.value, tlp))
        if not spoilt:
            self.judge.tlp(self.clock.now, channel, tlp)
            return True
        try:
            self.judge.tlp(self.clock.now, channel, decode(*encode(tlp)))
        except TlpError as error:
            self.judge.malformed(self.clock.now, channel, error)
            return False
        return True
