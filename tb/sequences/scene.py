"""What a scenario has in its hands: a bus, raw packets, the host's bad sides, and a seeded source of chance.

Scenarios know nothing of simulators: the same scenario runs on the RTL, where everything it provokes is
scored, and on the golden model, where it is tried out in milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from tb.guest.block import BlockDriver
from tb.guest.block_request import DRIVER_FEATURES
from tb.guest.enumeration import PciFunction, enumerate_function
from tb.guest.errors import GuestUsageError
from tb.guest.host_bus import HostBus
from tb.guest.interrupts import LADDER, InterruptMode
from tb.guest.transport import QueueFactory
from tb.pcie.moment import Matcher, Port, Watch
from tb.pcie.tlp import Tlp, TlpType

ALL_BYTES = 0xF


class Space(Enum):
    """Where an access goes. Offsets count from the start of BAR0 and of the first memory BAR."""

    CONFIG = "config"
    IO = "io"
    MEMORY = "memory"


class ReadFault(Enum):
    """How the host can spoil its answer to one of the function's reads."""

    UNSUPPORTED_REQUEST = "unsupported request"
    ABORT = "completer abort"
    RETRY = "a retry status, which no memory read may get"
    POISONED = "poisoned data"
    NO_ANSWER = "no completion at all"
    SHORT = "the last part never comes"
    LATE = "a late but good answer"
    TOO_LATE = "a good answer after the function may have given up"
    WRONG_TAG = "a completion under a tag nobody uses, then the right one"
    FOREIGN = "a completion for another requester, then the right one"
    TWICE = "the right completions, the last of them twice"
    WRONG_COUNT = "a byte count that is not what is left"
    WRONG_PLACE = "a lower address that is not where the read stands"

    @property
    def harmless(self) -> bool:
        """True when the function still gets its data."""
        return self in (ReadFault.LATE, ReadFault.WRONG_TAG, ReadFault.FOREIGN, ReadFault.TWICE)


class Pace(Enum):
    """How the host answers and takes packets."""

    FAST = "everything at once"
    SLOW = "late answers"
    SPLIT = "answers in many parts"
    REORDER = "answers of different reads overtake each other"
    THROTTLED = "ready goes away at random"
    WILD = "all of it"


class HostControls(Protocol):
    """The host's and the media's behaviour that no guest can reach."""

    async def fail_read(
        self,
        addresses: range,
        fault: ReadFault,
        *,
        skip: int = 0,
        good_bytes: int = 0,
        count: int = 1,
        delay: int | None = None,
    ) -> None:
        """`count` reads that touch `addresses` go wrong, after `skip` others and `good_bytes` of their own.

        `delay` is how many clocks late LATE and TOO_LATE come.
        """
        ...

    def mend(self) -> None:
        """What was asked to go wrong and has not yet goes right."""
        ...

    def watch(self, matches: Matcher, occurrence: int = 1) -> Watch:
        """A wait for the thing number `occurrence` that matches, of those that pass from now on."""
        ...

    def drop(self, watch: Watch) -> None:
        """The wait is over, whether what it was for has come or not."""
        ...

    def hold(self, port: Port, clocks: int, *, longest: int = 0) -> None:
        """From now on, and for so many clocks, nothing passes on that stream.

        With `longest` a beat passes now and then: after a pause of 1 to so many clocks.
        """
        ...

    def release(self, port: Port) -> None:
        """That stream goes on."""
        ...

    def count(self, group: str, name: str) -> None:
        """One hit for the coverage of a run."""
        ...

    async def pace(self, pace: Pace) -> None:
        """From now on the host behaves like that."""
        ...

    async def completion_payload(self, most: int) -> None:
        """Completions carry at most so many bytes: the host's side of Max_Payload_Size."""
        ...

    async def fail_media(self, requests: int = 1) -> None:
        """The next so many requests to the media end in an error."""
        ...

    async def cold_reset(self) -> None:
        """A power cycle: the function forgets everything, its BARs too."""
        ...

    def capacity(self) -> int:
        """The disk's size in sectors as it is now."""
        ...

    async def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        ...


@dataclass(slots=True)
class Scene:
    """One function on one host.

    `send` puts a packet on the request channel and gives its completion. `start` puts it there and gives what
    to call for the completion; a target without it answers one request at a time.
    """

    bus: HostBus
    send: Callable[[Tlp], Awaitable[Tlp | None]]
    rng: random.Random
    controls: HostControls | None = None
    start: Callable[[Tlp], Awaitable[Callable[[], Awaitable[Tlp | None]]]] | None = None
    found: PciFunction | None = None
    drivers: list[BlockDriver] = field(default_factory=list)

    @property
    def function(self) -> PciFunction:
        """What enumeration found. GuestUsageError before `enumerate`."""
        if self.found is None:
            raise GuestUsageError("the function was not enumerated yet")
        return self.found

    @property
    def host(self) -> HostControls:
        """The host's controls. GuestUsageError on a target that has none."""
        if self.controls is None:
            raise GuestUsageError("this target's host cannot be controlled")
        return self.controls

    async def enumerate(self) -> PciFunction:
        """Enumerate and assign the BARs."""
        self.found = await enumerate_function(self.bus)
        return self.found

    async def attach_block(
        self,
        *,
        wanted: int = DRIVER_FEATURES,
        ladder: Iterable[InterruptMode] = LADDER,
        make_queue: QueueFactory | None = None,
    ) -> BlockDriver:
        """Enumerate if that was not done, and bring the block function up."""
        function = self.found or await self.enumerate()
        driver = await BlockDriver.attach(
            self.bus, function, wanted=wanted, ladder=tuple(ladder), make_queue=make_queue
        )
        driver.reserve(8, 1 << 16)
        self.drivers.append(driver)
        return driver

    async def send_all(self, tlps: Sequence[Tlp]) -> list[Tlp | None]:
        """Put several packets on the request channel without waiting between them; their completions."""
        waiting = [await self.begin(tlp) for tlp in tlps]
        return [await answer() for answer in waiting]

    async def begin(self, tlp: Tlp) -> Callable[[], Awaitable[Tlp | None]]:
        """Put a packet on the request channel; what is returned waits for its completion."""
        if self.start is not None:
            return await self.start(tlp)
        completion = await self.send(tlp)

        async def answer() -> Tlp | None:
            return completion

        return answer

    async def read_dw(self, space: Space, offset: int, enables: int = ALL_BYTES) -> int | None:
        """One DW-wide read with any byte enables; None when it was refused. Disabled bytes mean nothing."""
        answer = await self.send(self.request(space, offset, enables, None))
        return None if answer is None or answer.status else int.from_bytes(answer.data[:4], "little")

    async def write_dw(self, space: Space, offset: int, value: int, enables: int = ALL_BYTES) -> bool:
        """One DW-wide write with any byte enables. False when it was refused; posted writes never are."""
        answer = await self.send(self.request(space, offset, enables, value))
        return answer is None or not answer.status

    def request(self, space: Space, offset: int, enables: int, value: int | None) -> Tlp:
        """The packet of a DW access: a write when there is a value. For scenarios that spoil it."""
        types = {
            Space.CONFIG: (TlpType.CONFIG_READ, TlpType.CONFIG_WRITE),
            Space.IO: (TlpType.IO_READ, TlpType.IO_WRITE),
            Space.MEMORY: (TlpType.MEMORY_READ, TlpType.MEMORY_WRITE),
        }[space]
        tlp = Tlp(types[value is not None], first_be=enables, length=1)
        tlp.address = self.base_of(space) + offset
        if value is not None:
            tlp.data = value.to_bytes(4, "little")
        return tlp

    def base_of(self, space: Space) -> int:
        """The address at which a space begins."""
        if space is Space.CONFIG:
            return 0
        return self.function.bases[0 if space is Space.IO else self.function.memory_bar]
