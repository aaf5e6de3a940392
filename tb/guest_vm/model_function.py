"""The golden model as a function that the vfio-user server can offer: it answers at once and never waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tb.guest.host_bus import NoMemoryError, run
from tb.guest_vm.file_disk import FileDisk
from tb.guest_vm.server_options import ServerOptions
from tb.guest_vm.serving import offer
from tb.guest_vm.shape import shape_of
from tb.models.actor import Actor, MediaOperation
from tb.models.devices.base import DeviceModel, MediaFlush, MediaRead, MediaResult, MediaWrite
from tb.models.devices.block import BlockDevice
from tb.models.function import FunctionModel
from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.models.virtqueue import ChainError
from tb.vfio_user.function import FunctionShape, HostSide
from tb.vfio_user.protocol import Region


class DiskMedia:
    """Implements the actor's `Media` with a disk's sectors."""

    def __init__(self, disk: FileDisk) -> None:
        self._disk = disk

    def perform(self, operation: MediaOperation) -> MediaResult:
        """Do what the device asks for; what a disk cannot do is a media error."""
        match operation:
            case MediaRead(sector, count):
                data = self._disk.read(sector, count)
                return MediaResult(data is not None, data or b"")
            case MediaWrite(sector, data):
                return MediaResult(self._disk.write(sector, data))
            case MediaFlush():
                return MediaResult(self._disk.flush())
            case _:
                return MediaResult(False)


class ClientRam:
    """The actor's memory: the client's. A DMA that strays stops the queue, as an error completion does.

    So does one that the client could only serve later: the actor cannot wait.
    """

    def __init__(self) -> None:
        self.host: HostSide | None = None

    def read(self, address: int, length: int) -> bytes:
        try:
            return self.host.memory.read(address, length) if self.host else bytes(length)
        except NoMemoryError as error:
            raise ChainError("PCIE-DMA", str(error)) from error

    def write(self, address: int, data: bytes) -> None:
        try:
            if self.host:
                self.host.memory.write(address, data)
        except NoMemoryError as error:
            raise ChainError("PCIE-DMA", str(error)) from error


class ModelFunction:
    """Implements `Function` over an actor."""

    def __init__(self, profile: Profile, device: DeviceModel, disk: FileDisk) -> None:
        self._ram = ClientRam()
        self._actor = Actor(FunctionModel(profile, device), self._ram, DiskMedia(disk), self._message)
        self._line = False
        self._shape = shape_of(profile, device)
        actor = self._actor
        self._reads: dict[int, Callable[[int, int], int]] = {
            Region.CONFIG: actor.config_read,
            Region.BAR0: actor.io_read,
        }
        self._writes: dict[int, Callable[[int, int, int], None]] = {
            Region.CONFIG: actor.config_write,
            Region.BAR0: actor.io_write,
        }
        for bar in actor.function.config.bars:
            self._reads[bar] = partial(actor.mem_read, bar=bar)
            self._writes[bar] = partial(actor.mem_write, bar=bar)

    @property
    def shape(self) -> FunctionShape:
        return self._shape

    @property
    def stops(self) -> list[str]:
        """Malformed chains, as sentences."""
        return self._actor.stops

    def attach(self, host: HostSide | None) -> None:
        self._ram.host = host

    async def read(self, region: int, offset: int, size: int) -> int:
        value = self._reads[region](offset, size)
        self._show_line()
        return value

    async def write(self, region: int, offset: int, size: int, value: int) -> None:
        self._writes[region](offset, size, value)
        self._show_line()

    async def reset(self) -> None:
        self._actor.cold_reset()
        self._show_line()

    def busy(self) -> bool:
        """Everything is done within the access that causes it."""
        return False

    async def advance(self) -> None:
        """Nothing goes on by itself."""

    def _message(self, address: int, data: int) -> None:
        if self._ram.host is not None:
            self._ram.host.interrupt_message(address, data)

    def _show_line(self) -> None:
        if self._actor.intx_line != self._line:
            self._line = self._actor.intx_line
            if self._ram.host is not None:
                self._ram.host.interrupt_line(self._line)


def block_function(disk: FileDisk) -> ModelFunction:
    """A block function with this project's choices on a disk."""
    device = BlockDevice(VIRTIO_PCI_RTL, capacity=disk.sectors, serial=disk.serial, vectors=3)
    return ModelFunction(VIRTIO_PCI_RTL, device, disk)


def serve_model() -> int:
    """The process that `TARGET=model` starts: offer the function that the environment describes."""
    options = ServerOptions.from_environment()
    disk = FileDisk(Path(options.disk))
    function = block_function(disk)
    results = run(offer(function, disk, options))
    results.verdicts = [f"the queue stopped: {reason}" for reason in function.stops]
    results.mismatches = len(results.verdicts)
    results.save(Path(options.results))
    return 0
