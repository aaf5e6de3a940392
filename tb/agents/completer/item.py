"""What a sequence can ask of the completer: to answer reads wrongly, late or not at all."""

from __future__ import annotations

from enum import Enum

from pyuvm import uvm_sequence_item

from tb.pcie.tlp import Tlp


class ReadFault(Enum):
    """How a read goes wrong."""

    UNSUPPORTED_REQUEST = "unsupported request"
    ABORT = "completer abort"
    RETRY = "configuration retry status, which no memory read may get"
    POISONED = "poisoned data"
    NO_ANSWER = "no answer"
    LATE = "a good answer, `delay` clocks late, which the function waits for"
    TOO_LATE = "the same, after the function has given up"
    SHORT = "the announced last part never comes"
    WRONG_TAG = "a completion under another tag, then the right one"
    FOREIGN = "a completion for another requester, then the right one"
    TWICE = "the right completions, the last of them twice"
    WRONG_COUNT = "a byte count that is not what is left"
    WRONG_PLACE = "a lower address that is not where the read stands"


UNANSWERED = frozenset({ReadFault.NO_ANSWER, ReadFault.TOO_LATE, ReadFault.SHORT})
"""Faults after which the function has to give up on its own."""


class FaultItem(uvm_sequence_item):
    """From now on, `count` reads that touch `addresses` go wrong, after `skip` of them went right.

    `good_bytes` of each are answered rightly first, rounded down to a completion boundary. `hits` counts
    how many reads were spoilt so far. `delay` counts clocks and belongs to LATE and TOO_LATE.
    """

    def __init__(
        self,
        fault: ReadFault,
        *,
        addresses: range = range(1 << 64),
        count: int = 1,
        skip: int = 0,
        good_bytes: int = 0,
        delay: int = 0,
    ) -> None:
        super().__init__("fault")
        self.fault = fault
        self.addresses = addresses
        self.count = count
        self.skip = skip
        self.good_bytes = good_bytes
        self.delay = delay
        self.hits = 0

    @property
    def spent(self) -> bool:
        """True when it spoils no more reads."""
        return self.hits >= self.count

    def takes(self, request: Tlp) -> bool:
        """Whether this read goes wrong; counts it."""
        end = request.address + 4 * request.length
        if self.spent or request.address >= self.addresses.stop or end <= self.addresses.start:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True
