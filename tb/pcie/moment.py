"""Moments of the function's work, as the host sees them pass: what a scenario may wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class PassedKind(Enum):
    """What has passed the boundary."""

    READ = "a DMA read"
    ANSWER = "a completion of a DMA read"
    WRITE = "a DMA write"
    MESSAGE = "an MSI-X message"
    ASSERT = "Assert_INTA"
    DEASSERT = "Deassert_INTA"
    HOST_WRITE = "a posted write of the host"
    MEDIA_READ = "a read request to the disk"
    MEDIA_WRITE = "a write request to the disk"
    MEDIA_FLUSH = "a flush request to the disk"
    MEDIA_DATA = "the last beat of data to the disk"
    MEDIA_RESPONSE = "the disk's response"


@dataclass(slots=True, frozen=True)
class Passed:
    """One thing that passed. Address and length are the enabled bytes of a DMA packet."""

    kind: PassedKind
    address: int = 0
    length: int = 0

    def begins_in(self, places: Iterable[range]) -> bool:
        """Whether its first byte lies in one of `places`."""
        return any(self.address in place for place in places)


Matcher = Callable[[Passed], bool]


class Watch(Protocol):
    """A wait for one thing to pass, begun before anything could make it pass."""

    async def reached(self, limit_ns: int) -> bool:
        """Return when it has just passed; False when `limit_ns` go by without it."""
        ...


class Port(Enum):
    """The streams at the function's boundary, by who may hold them: all can be made to stand still."""

    RX_REQ = "requests of the host"
    TX_CPL = "their completions"
    TX_REQ = "requests of the function"
    RX_CPL = "their completions from the host"
    BLK_REQ = "requests to the disk"
    BLK_WDATA = "data to the disk"
    BLK_RDATA = "data from the disk"
    BLK_RSP = "responses of the disk"
