"""From the function's interrupts to the client: event descriptors, or messages into the guest.

Three ways, chosen by `InterruptMode`. With the function's own table the guest programs it and the function's
message goes out as it is. With the client's table the guest never reaches the function's: the server programs
it so that the message says which vector it is. With INTx a line is an event, masked until the client unmasks.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from enum import Enum

from tb.vfio_user.protocol import Irq
from tb.vfio_user.transport import close_all

MESSAGE_WINDOW = range(0xFEE0_0000, 0xFEF0_0000)
VECTOR_ADDRESS = MESSAGE_WINDOW.start
"""Where the server aims the function's vectors when the client emulates the table: the data is the vector."""


class InterruptMode(Enum):
    """Whose MSI-X table the guest programs, or none."""

    FUNCTION = "function"
    CLIENT = "qemu"
    INTX = "intx"


@dataclass(slots=True)
class InterruptCounts:
    """How many interrupts went out, and how many had nowhere to go."""

    messages: int = 0
    events: int = 0
    lines: int = 0
    dropped: int = 0


@dataclass(slots=True)
class EventTable:
    """The event descriptors a client has handed over, by interrupt kind and number. Owns them."""

    _fds: dict[tuple[int, int], int] = field(default_factory=dict)

    def assign(self, kind: int, number: int, fd: int | None) -> None:
        """Use `fd` from now on (ownership passes here), or nothing."""
        old = self._fds.pop((kind, number), None)
        if old is not None:
            close_all((old,))
        if fd is not None:
            self._fds[kind, number] = fd

    def drop_kind(self, kind: int) -> None:
        """Forget every event of one kind."""
        for key in [key for key in self._fds if key[0] == kind]:
            self.assign(*key, None)

    def has(self, kind: int, number: int) -> bool:
        return (kind, number) in self._fds

    def numbers(self, kind: int) -> list[int]:
        """Which interrupts of a kind have an event."""
        return sorted(number for which, number in self._fds if which == kind)

    def fire(self, kind: int, number: int) -> bool:
        """Signal the event; False when there is none."""
        fd = self._fds.get((kind, number))
        if fd is None:
            return False
        with contextlib.suppress(BlockingIOError):  # a full counter is an event that is already pending
            os.write(fd, (1).to_bytes(8, "little"))
        return True

    def clear(self) -> None:
        for key in list(self._fds):
            self.assign(*key, None)


class IntxLine:
    """The INTx line as an automatically masked event: fires once, then waits for UNMASK and looks again."""

    def __init__(self, events: EventTable, counts: InterruptCounts) -> None:
        self._events = events
        self._counts = counts
        self._asserted = False
        self._masked = False

    def level(self, asserted: bool) -> None:
        """The function's line has this level now."""
        self._asserted = asserted
        self._look()

    def mask(self) -> None:
        self._masked = True

    def unmask(self) -> None:
        self._masked = False
        self._look()

    def reset(self) -> None:
        self._asserted = self._masked = False

    def assigned(self) -> None:
        """A new event descriptor: what was masked for the old one is not masked for it."""
        self.unmask()

    def _look(self) -> None:
        if self._asserted and not self._masked and self._events.fire(Irq.INTX, 0):
            self._counts.lines += 1
            self._masked = True


def vector_of(address: int, data: int, vectors: int) -> int | None:
    """Which vector a message of the server's own programming says; None for any other message."""
    return data if address == VECTOR_ADDRESS and data < vectors else None
