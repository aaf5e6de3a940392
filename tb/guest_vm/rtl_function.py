"""The simulated RTL as a function for the vfio-user server: accesses through the pins, DMA into the guest.

Everything crosses the pins as packets, so the scoreboard sees it. Guest memory is whatever the client has
mapped at the moment; what strays outside it is an unsupported request, as it would be on a host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from tb.agents.interrupt.item import InterruptSeen
from tb.function_env import FunctionEnv
from tb.guest.host_bus import MemoryPendingError
from tb.targets.rtl import RtlBus
from tb.vfio_user.function import DmaError, FunctionShape, HostSide
from tb.vfio_user.protocol import Region

Read = Callable[[int, int], Awaitable[int]]
Write = Callable[[int, int, int], Awaitable[None]]
ADVANCE_NS = 1_000
"""Simulated time between two looks at the socket while the function works."""
QUIET_NS = 3_000
"""So long the pins must be still before a function that owes nothing counts as idle."""
SILENCE_LIMIT_NS = 4_000_000
"""When something is owed and the pins are still for so long, nobody will ever go on: longer than the longest
silent work, which is to wait for a completion that does not come. What the function owes by itself the judge
has told long before, since it counts time as well."""


class GuestRam:
    """Implements `HostMemory` over the memory of a client that comes and goes.

    `pending` counts reads whose bytes the client has still to send.
    """

    def __init__(self) -> None:
        self.host: HostSide | None = None
        self.pending = 0

    def read(self, address: int, length: int) -> bytes:
        try:
            return self._memory().memory.read(address, length)
        except MemoryPendingError as pending:
            self.pending += 1
            pending.callbacks.append(self._come)
            raise

    def _come(self) -> None:
        self.pending -= 1

    def write(self, address: int, data: bytes) -> None:
        self._memory().memory.write(address, data)

    def allocate(self, length: int, align: int = 16) -> int:
        """Nothing on this side allocates the guest's memory."""
        raise DmaError(f"{length} bytes of the guest's memory cannot be allocated from outside")

    def _memory(self) -> HostSide:
        if self.host is None:
            raise DmaError("there is no guest whose memory could be reached")
        return self.host


class RtlFunction:
    """Implements `Function` over a bus into the simulation."""

    def __init__(self, bus: RtlBus, env: FunctionEnv, ram: GuestRam, shape: FunctionShape) -> None:
        self._bus = bus
        self._env = env
        self._ram = ram
        self._shape = shape
        self._seen = 0
        self._active_ns = 0
        self._reads: dict[int, Read] = {Region.CONFIG: bus.config_read, Region.BAR0: bus.io_read}
        self._writes: dict[int, Write] = {Region.CONFIG: bus.config_write, Region.BAR0: bus.io_write}
        for bar in set(shape.regions) - {Region.CONFIG, Region.BAR0}:
            self._reads[bar] = partial(bus.mem_read, bar=bar)
            self._writes[bar] = partial(bus.mem_write, bar=bar)

    @property
    def shape(self) -> FunctionShape:
        return self._shape

    def attach(self, host: HostSide | None) -> None:
        self._ram.host = host

    def interrupt(self, seen: InterruptSeen) -> None:
        """An interrupt from the pins, on its way up."""
        host = self._ram.host
        if host is None:
            return
        if seen.message is not None:
            host.interrupt_message(seen.message.address, seen.message.data)
        else:
            host.interrupt_line(seen.asserted)

    async def read(self, region: int, offset: int, size: int) -> int:
        value = await self._reads[region](offset, size)
        self._active_ns = self._bus.now_ns
        return value

    async def write(self, region: int, offset: int, size: int, value: int) -> None:
        await self._writes[region](offset, size, value)
        self._active_ns = self._bus.now_ns

    async def reset(self) -> None:
        await self._env.cold_reset()
        self._bus.forget_bars()
        self._active_ns = self._bus.now_ns

    def busy(self) -> bool:
        """Something moves on the pins, or the judge knows of work that the function still has to do.

        While the client owes memory simulated time stands still: the function must not give up the read.
        """
        if self._ram.pending:
            return False
        return self._silent_ns < (QUIET_NS if self._env.scoreboard.idle else SILENCE_LIMIT_NS)

    @property
    def stuck(self) -> bool:
        """The function owes something, and has been silent for longer than any work of it takes."""
        return self._silent_ns >= SILENCE_LIMIT_NS and not self._env.scoreboard.idle

    @property
    def _silent_ns(self) -> int:
        return self._bus.now_ns - self._active_ns

    async def advance(self) -> None:
        await self._bus.delay(ADVANCE_NS)
        self._env.scoreboard.pass_time()
        seen = self._env.link.memory.observed_bytes
        if seen != self._seen:
            self._seen = seen
            self._active_ns = self._bus.now_ns
