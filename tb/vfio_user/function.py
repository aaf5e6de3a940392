"""What the server asks of a function, and what a function gets from the server.

The server knows PCI regions, interrupts and guest memory; it knows no device and no simulator. A function is
anything that answers region accesses: the golden model at once, a simulation after some clocks. So accesses
are coroutines; on a function that answers at once nothing ever waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tb.guest.host_bus import NoMemoryError
from tb.vfio_user.protocol import Region


class DmaError(NoMemoryError):
    """A DMA that cannot be made: outside the guest's memory, forbidden, out of reach. The text says which."""


@dataclass(slots=True, frozen=True)
class FunctionShape:
    """What a client must know before it makes accesses.

    `regions` maps a region number to its size in bytes; `vectors` is the number of entries of the function's
    MSI-X table, 0 for none; `msix_table` is where that table starts (region, byte offset).
    """

    regions: Mapping[int, int]
    vectors: int = 0
    msix_table: tuple[int, int] = (Region.BAR1, 0)
    intx: bool = True
    writable: frozenset[int] = field(default_factory=lambda: frozenset(range(9)) - {Region.ROM})


class GuestMemory(Protocol):
    """The guest's RAM as the function's DMA sees it. Addresses and lengths in bytes; DmaError outside it."""

    def read(self, address: int, length: int) -> bytes: ...

    def write(self, address: int, data: bytes) -> None: ...


class HostSide(Protocol):
    """The way up from a function: guest memory and interrupts."""

    @property
    def memory(self) -> GuestMemory: ...

    def interrupt_message(self, address: int, data: int) -> None:
        """The function sent an MSI-X message: a write of one DW, `data`, to `address`."""
        ...

    def interrupt_line(self, asserted: bool) -> None:
        """The function's INTx line has this level now."""
        ...


class Function(Protocol):
    """One PCI function. Offsets count from the region, sizes are 1, 2, 4 or (memory) 8 bytes, aligned.

    A read that nobody answers gives all ones of its size.
    """

    @property
    def shape(self) -> FunctionShape: ...

    def attach(self, host: HostSide | None) -> None:
        """Use this host from now on; None when the client is gone and neither memory nor interrupts exist."""
        ...

    async def read(self, region: int, offset: int, size: int) -> int: ...

    async def write(self, region: int, offset: int, size: int, value: int) -> None: ...

    async def reset(self) -> None:
        """A conventional reset: everything back to power-on values."""
        ...

    def busy(self) -> bool:
        """The function has, or may have, work to do on its own."""
        ...

    async def advance(self) -> None:
        """Let it work for a short while (bounded), then return."""
        ...
