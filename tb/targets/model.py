"""The golden model as a target: a `HostBus` over the actor, on which guest code runs without any event loop.

Everything an access causes has happened when it returns, so every await returns at once and `run` is enough.
Time is a count: accesses and delays add to it, nothing else does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from tb.guest.host_bus import MSI_WINDOW, Interrupt, IntxAsserted, Msi
from tb.guest.memory import SparseMemory
from tb.models.actor import Actor, MediaOperation
from tb.models.devices.base import DeviceModel, MediaFlush, MediaRead, MediaResult, MediaWrite
from tb.models.events import NOTHING, Events
from tb.models.function import FunctionModel
from tb.models.profile import Profile
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, completion_for

ACCESS_NS = 100
COMMAND_IO, COMMAND_MEMORY = 1, 2


class DiskLike(Protocol):
    """Where a block device's sectors are."""

    def read(self, sector: int, count: int) -> bytes | None: ...

    def write(self, sector: int, data: bytes) -> bool: ...

    def flush(self) -> bool: ...


class DiskMedia:
    """Implements the actor's media with a disk. `failing` requests still to come end in an error."""

    def __init__(self, disk: DiskLike) -> None:
        self.disk = disk
        self.failing = 0

    def perform(self, operation: MediaOperation) -> MediaResult:
        """Do what the device asks of its disk."""
        if self.failing:
            self.failing -= 1
            return MediaResult(False)
        match operation:
            case MediaRead(sector, count):
                data = self.disk.read(sector, count)
                return MediaResult(data is not None, data or b"")
            case MediaWrite(sector, content):
                return MediaResult(self.disk.write(sector, content))
            case MediaFlush():
                return MediaResult(self.disk.flush())
        return MediaResult(False)


@dataclass(slots=True)
class ModelBus:
    """Implements `HostBus` over an actor built from a profile, a device model and a disk."""

    profile: Profile
    device: DeviceModel
    disk: DiskLike
    memory: SparseMemory = field(default_factory=SparseMemory)
    media: DiskMedia = field(init=False)
    actor: Actor = field(init=False)
    _interrupts: deque[Interrupt] = field(default_factory=deque)
    _line: bool = False
    _now_ns: int = 0

    def __post_init__(self) -> None:
        self.media = DiskMedia(self.disk)
        function = FunctionModel(self.profile, self.device)
        self.actor = Actor(function, self.memory, self.media, self._message)

    async def config_read(self, offset: int, size: int) -> int:
        """Read configuration space."""
        return self._settled(self.actor.config_read(offset, size))

    async def config_write(self, offset: int, size: int, value: int) -> None:
        """Write configuration space."""
        self.actor.config_write(offset, size, value)
        self._settled(0)

    async def io_read(self, offset: int, size: int) -> int:
        """Read BAR0."""
        return self._settled(self.actor.io_read(offset, size))

    async def io_write(self, offset: int, size: int, value: int) -> None:
        """Write BAR0."""
        self.actor.io_write(offset, size, value)
        self._settled(0)

    async def mem_read(self, offset: int, size: int, *, bar: int = 1) -> int:
        """Read a memory BAR."""
        return self._settled(self.actor.mem_read(offset, size, bar=bar))

    async def mem_write(self, offset: int, size: int, value: int, *, bar: int = 1) -> None:
        """Write a memory BAR."""
        self.actor.mem_write(offset, size, value, bar=bar)
        self._settled(0)

    async def wait_for_interrupt(self, timeout_ns: int) -> Interrupt | None:
        """The oldest interrupt not yet taken. Nothing will come by waiting, so an empty queue gives None."""
        if self._interrupts:
            return self._interrupts.popleft()
        self._now_ns += timeout_ns
        return None

    @property
    def intx_asserted(self) -> bool:
        """Level of the INTx line."""
        return self._line

    async def delay(self, ns: int) -> None:
        """Time passes; nothing else happens."""
        self._now_ns += ns

    @property
    def now_ns(self) -> int:
        """Counted time."""
        return self._now_ns

    async def send(self, tlp: Tlp) -> Tlp | None:
        """Any request as a packet; its completion, None for a posted one."""
        answer = self._answer(tlp)
        self._settled(0)
        return None if tlp.posted else answer

    def changed(self) -> None:
        """The media side has changed something."""
        self.actor.media_changed()
        self._settled(0)

    def _answer(self, tlp: Tlp) -> Tlp:
        function = self.actor.function
        if tlp.poisoned:
            return _refusal(tlp)
        found = self._claimed(tlp)
        if found is None:
            return _refusal(tlp)
        bar, place = found
        events: Events = NOTHING
        data = b""
        value = int.from_bytes(tlp.data[:4], "little")
        match tlp.type:
            case TlpType.CONFIG_READ:
                data = function.config_read_enabled(place, tlp.first_be).to_bytes(4, "little")
            case TlpType.CONFIG_WRITE:
                events = function.config_write_enabled(place, tlp.first_be, value)
            case TlpType.IO_READ:
                data = function.io_read_enabled(place, tlp.first_be).to_bytes(4, "little")
            case TlpType.IO_WRITE:
                events = function.io_write_enabled(place, tlp.first_be, value)
            case TlpType.MEMORY_READ:
                data = b"".join(self._memory_dw(tlp, bar, place, index) for index in range(tlp.length))
            case _:
                events = function.mem_write_enabled(place, tlp.first_be, value, bar=bar)
        self.actor.apply(events)
        return completion_for(tlp, data)

    def _memory_dw(self, tlp: Tlp, bar: int, place: int, index: int) -> bytes:
        enables = tlp.first_be if index == 0 else tlp.last_be if index == tlp.length - 1 else 0xF
        value = self.actor.function.mem_read_enabled(place + 4 * index, enables, bar=bar)
        return value.to_bytes(4, "little")

    def _claimed(self, tlp: Tlp) -> tuple[int, int] | None:
        """The BAR (0 for configuration space too) and the DW's offset; None when nobody claims the packet."""
        config = self.actor.function.config
        match tlp.type:
            case TlpType.CONFIG_READ | TlpType.CONFIG_WRITE:
                return 0, tlp.address
            case TlpType.IO_READ | TlpType.IO_WRITE:
                bars = {0: config.bar0_size} if config.command & COMMAND_IO else {}
            case TlpType.MEMORY_READ | TlpType.MEMORY_WRITE:
                on = bool(config.command & COMMAND_MEMORY)
                bars = {number: bar.size for number, bar in config.bars.items()} if on else {}
            case _:
                return None
        end = tlp.address + 4 * tlp.length
        for number, size in bars.items():
            base = config.bar_base(number)
            if base <= tlp.address and end <= base + size:
                return number, tlp.address - base
        return None

    def _message(self, address: int, data: int) -> None:
        if address in MSI_WINDOW:
            self._interrupts.append(Msi(address, data))
        else:
            self.memory.write(address, data.to_bytes(4, "little"))

    def _settled(self, value: int) -> int:
        """After every access: time passes, and the line may have moved."""
        self._now_ns += ACCESS_NS
        line = self.actor.intx_line
        if line and not self._line:
            self._interrupts.append(IntxAsserted())
        self._line = line
        return value


def _refusal(tlp: Tlp) -> Tlp:
    return completion_for(tlp, status=CompletionStatus.UNSUPPORTED_REQUEST)
