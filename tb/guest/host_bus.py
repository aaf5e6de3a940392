"""The one thing guest software knows: a bus it can make accesses on, memory, and interrupts.

Every target (the RTL, the golden model, a remote device) offers a `HostBus`. Guest code is `async` but knows
no event loop: what is awaited belongs to the target, and on a target that answers at once `run` is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

_Result = TypeVar("_Result")

MSI_WINDOW = range(0xFEE0_0000, 0xFEF0_0000)
"""Addresses that the host takes as interrupt messages, not as memory."""


@dataclass(slots=True, frozen=True)
class Msi:
    """One MSI-X message: a memory write of one DW into the message window."""

    address: int
    data: int


@dataclass(slots=True, frozen=True)
class IntxAsserted:
    """The line went from de-asserted to asserted."""


Interrupt = Msi | IntxAsserted


class NoMemoryError(Exception):
    """An access to addresses where the guest has no memory. The text is a sentence."""


class MemoryPendingError(NoMemoryError):
    """A read of memory that is far away: its bytes are on their way, and reading again later gives them.

    Each of `callbacks` is called once, when it is time.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.callbacks: list[Callable[[], None]] = []


class HostMemory(Protocol):
    """Guest RAM as both the guest and the function's DMA see it. Addresses and lengths in bytes.

    Memory with holes raises NoMemoryError for an access that touches one.
    """

    def read(self, address: int, length: int) -> bytes: ...

    def write(self, address: int, data: bytes) -> None: ...

    def allocate(self, length: int, align: int = 16) -> int:
        """Reserve `length` zeroed bytes at a multiple of `align`, below 4 GiB; never given back."""
        ...


class HostBus(Protocol):
    """Accesses to one function, as a CPU makes them. Offsets count from the start of the space or BAR.

    Reads that nobody answers give all ones of the size, as on a real host.
    """

    @property
    def memory(self) -> HostMemory: ...

    async def config_read(self, offset: int, size: int) -> int: ...

    async def config_write(self, offset: int, size: int, value: int) -> None: ...

    async def io_read(self, offset: int, size: int) -> int: ...

    async def io_write(self, offset: int, size: int, value: int) -> None: ...

    async def mem_read(self, offset: int, size: int, *, bar: int = 1) -> int: ...

    async def mem_write(self, offset: int, size: int, value: int, *, bar: int = 1) -> None: ...

    async def wait_for_interrupt(self, timeout_ns: int) -> Interrupt | None:
        """The oldest interrupt not yet taken; None when none comes within `timeout_ns`."""
        ...

    @property
    def intx_asserted(self) -> bool: ...

    async def delay(self, ns: int) -> None: ...

    @property
    def now_ns(self) -> int: ...


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run guest code on a target whose every await returns at once. RuntimeError when something waits."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: _Result = finished.value
        return result
    coroutine.close()
    raise RuntimeError("this target waits for something: it needs an event loop, not run()")
