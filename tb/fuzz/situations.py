"""Which situations were met: a packet, and where the judge stood when it came.

The half of the feedback that needs no counters in the simulation.
"""

from __future__ import annotations

from tb.models.judge.standing import Standing
from tb.pcie.tlp import Channel, Tlp, TlpType

Situation = tuple[object, ...]
_IO = (TlpType.IO_READ, TlpType.IO_WRITE)
_CONFIG = (TlpType.CONFIG_READ, TlpType.CONFIG_WRITE)
BAR0_MASK, CONFIG_MASK = 0x3C, 0xFC


class Situations:
    """Situations met so far, and those of the genome that is played."""

    def __init__(self) -> None:
        self._known: set[Situation] = set()
        self._open: set[Situation] = set()

    def see(self, channel: Channel, tlp: Tlp, stands: Standing) -> None:
        """A packet comes."""
        self._open.add((channel, tlp.type, _register(tlp), tlp.status, tlp.poisoned, stands))

    def take(self, *, remember: bool) -> int:
        """How many situations of this genome were never met before it; a new genome begins."""
        fresh = self._open - self._known
        if remember:
            self._known |= fresh
        self._open.clear()
        return len(fresh)


def _register(tlp: Tlp) -> tuple[int, int]:
    """Where in its space an access goes, and by which byte enables; nothing for memory."""
    if tlp.type in _IO:
        return tlp.address & BAR0_MASK, tlp.first_be
    return (tlp.address & CONFIG_MASK, tlp.first_be) if tlp.type in _CONFIG else (0, 0)
