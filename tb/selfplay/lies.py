"""The lies: each breaks one rule at one event. The verdict on it must name one of its rules."""

from __future__ import annotations

from dataclasses import dataclass

from tb.selfplay.lie_table import LIES
from tb.selfplay.twists import TWISTS

__all__ = ["LIES", "Liar"]


@dataclass(slots=True)
class Liar:
    """Tells the lie `name` once, at the opportunity numbered `turn` (from 0); an honest one has no name."""

    name: str = ""
    turn: int = 0
    told: bool = False

    def lies(self, name: str) -> bool:
        """Whether to lie now, this being an opportunity for the lie `name`."""
        if name != self.name or self.told:
            return False
        self.turn -= 1
        if self.turn >= 0:
            return False
        self.told = True
        return True

    def keeps_lying(self, name: str) -> bool:
        """For a lie that lasts: whether it has begun, or begins now."""
        return self.name == name and (self.told or self.lies(name))

    def twist(self, tlp: object, payload: int) -> bool:
        """Spoil the form of a packet about to be sent, where the lie is one of form;
        True when that was done.
        """
        if self.told:
            return False
        twist = TWISTS.get(self.name)
        if twist is None or not twist.fits(tlp) or not self.lies(self.name):
            return False
        twist.spoil(tlp, payload)
        return True
