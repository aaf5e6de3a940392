"""Tells whoever waits that a certain packet or disk event has just passed the pins.

Nothing is listened to, and Python wakes no more often than before, until somebody watches.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocotb.triggers import Event, SimTimeoutError, with_timeout

from tb.guest.host_bus import MSI_WINDOW
from tb.harness.link import MediaAnswered, MediaRequest, MediaSeen, MediaWritten, Observation, PinLink
from tb.pcie.moment import Matcher, Passed, PassedKind
from tb.pcie.tlp import Channel, Tlp, TlpType, requested_bytes
from tb.pcie.types import MessageCode

_MEDIA_OF = {0: PassedKind.MEDIA_READ, 1: PassedKind.MEDIA_WRITE, 2: PassedKind.MEDIA_FLUSH}


@dataclass(slots=True)
class PinWatch:
    """Implements `Watch`. Fires when `left` more matching things have passed."""

    matches: Matcher
    left: int
    seen: Event

    async def reached(self, limit_ns: int) -> bool:
        """Wait until it has passed; False when that takes longer than `limit_ns`."""
        if self.seen.is_set():
            return True
        try:
            await with_timeout(self.seen.wait(), limit_ns, "ns")
        except SimTimeoutError:
            return False
        return True


class Watcher:
    """Watches the pins behind `link`."""

    def __init__(self, link: PinLink) -> None:
        self._link = link
        self._listening = False
        self._watches: list[PinWatch] = []
        self._reads: dict[int, Passed] = {}

    def watch(self, matches: Matcher, occurrence: int) -> PinWatch:
        """A watch for the thing number `occurrence` (from 1) that matches from now on."""
        self._listen()
        self._link.memory.set_eager(True)
        watch = PinWatch(matches, occurrence, Event())
        self._watches.append(watch)
        return watch

    def drop(self, watch: PinWatch) -> None:
        """Watch no longer."""
        if watch in self._watches:
            self._watches.remove(watch)
        if not self._watches:
            self._link.memory.set_eager(False)
            self._reads.clear()

    def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True
        self._link.receive(Channel.TX_REQ, self._sent)
        self._link.receive(Channel.RX_CPL, self._answered)
        self._link.receive(Channel.RX_REQ, self._asked)
        self._link.receive_media(self._media)

    def _sent(self, seen: Observation) -> None:
        if not self._watches or seen.tlp is None:
            return
        passed = _passed(seen.tlp)
        if passed.kind is PassedKind.READ:
            self._reads[seen.tlp.tag] = passed
        self._show(passed)

    def _answered(self, seen: Observation) -> None:
        if not self._watches or seen.tlp is None:
            return
        read = self._reads.get(seen.tlp.tag)
        if read is not None:
            self._show(Passed(PassedKind.ANSWER, read.address, read.length))

    def _asked(self, seen: Observation) -> None:
        if self._watches and seen.tlp is not None and seen.tlp.type is TlpType.MEMORY_WRITE:
            self._show(Passed(PassedKind.HOST_WRITE, seen.tlp.address))

    def _media(self, seen: MediaSeen) -> None:
        if not self._watches:
            return
        if isinstance(seen, MediaRequest):
            self._show(Passed(_MEDIA_OF.get(seen.op, PassedKind.MEDIA_READ)))
        elif isinstance(seen, MediaWritten):
            self._show(Passed(PassedKind.MEDIA_DATA))
        elif isinstance(seen, MediaAnswered):
            self._show(Passed(PassedKind.MEDIA_RESPONSE))

    def _show(self, passed: Passed) -> None:
        for watch in self._watches:
            if watch.left and watch.matches(passed):
                watch.left -= 1
                if not watch.left:
                    watch.seen.set()


def _passed(tlp: Tlp) -> Passed:
    """What a packet of the function is, as far as its header tells."""
    if tlp.type is TlpType.MEMORY_READ:
        return Passed(PassedKind.READ, *requested_bytes(tlp))
    if tlp.type is TlpType.MEMORY_WRITE:
        kind = PassedKind.MESSAGE if tlp.address in MSI_WINDOW else PassedKind.WRITE
        return Passed(kind, *requested_bytes(tlp))
    asserted = tlp.message_code == MessageCode.ASSERT_INTA
    return Passed(PassedKind.ASSERT if asserted else PassedKind.DEASSERT)
