"""The legacy virtio-pci transport driver: one verb per step of the specification, shaped as FreeBSD's is.

Every verb checks its precondition, writes, and reads back what can be read back. What it negotiates
(features, queue sizes) stays known to it, so that a stopped device can be driven up again (`reinit`).
"""

from __future__ import annotations

from collections.abc import Callable

from tb.guest.enumeration import Command, PciFunction, change_command
from tb.guest.errors import GuestUsageError, ProbeError, ReadBackError
from tb.guest.host_bus import HostBus
from tb.guest.registers import CONFIG_BASE, CONFIG_BASE_MSIX, Register, RingFeature, Status
from tb.guest.virtqueue import SplitQueue

STABLE_READ_TRIES = 16
QueueFactory = Callable[[int, int, int], SplitQueue]
"""Makes the queue of (index, size, negotiated features)."""


class Transport:
    """Drives one function's BAR0. `queues` are the queues set up so far, by their index."""

    def __init__(self, bus: HostBus, function: PciFunction) -> None:
        self.bus = bus
        self.function = function
        self.features = 0
        self.msix_enabled = False
        self.queues: list[SplitQueue] = []

    async def attach(self) -> None:
        """Bus master on, reset, ACKNOWLEDGE (FreeBSD vtpci_attach)."""
        await change_command(self.bus, enable=Command.BUS_MASTER)
        await self.reset()
        await self.set_status(Status.ACKNOWLEDGE)

    async def reset(self) -> None:
        """Write status 0; the one read that follows must already give 0 (VPCI-STAT-05)."""
        await self.bus.io_write(Register.DEVICE_STATUS, 1, Status.RESET)
        seen = await self.get_status()
        if seen != 0:
            raise ReadBackError("VPCI-STAT-05", f"status reads {seen:#04x} after the reset was written")

    async def get_status(self) -> int:
        """The device status byte."""
        return await self.bus.io_read(Register.DEVICE_STATUS, 1)

    async def set_status(self, bits: Status) -> None:
        """Add bits to the status and read it back. To clear use `reset`."""
        if bits == Status.RESET:
            raise GuestUsageError("status 0 is a reset: say reset()")
        value = await self.get_status() | bits
        await self.bus.io_write(Register.DEVICE_STATUS, 1, value)
        seen = await self.get_status()
        if seen != value:
            raise ReadBackError("VPCI-STAT-13", f"status reads {seen:#04x} after {value:#04x} was written")

    async def device_features(self) -> int:
        """What the device offers."""
        return await self.bus.io_read(Register.DEVICE_FEATURES, 4)

    async def negotiate_features(self, wanted: int) -> int:
        """Accept what the device offers of `wanted`, and read it back. Returns what was accepted."""
        self.features = await self.device_features() & wanted
        await self.bus.io_write(Register.DRIVER_FEATURES, 4, self.features)
        seen = await self.bus.io_read(Register.DRIVER_FEATURES, 4)
        if seen != self.features:
            what = f"driver features read {seen:#010x} after {self.features:#010x}"
            raise ReadBackError("VPCI-STAT-17", what)
        return self.features

    def with_feature(self, feature: int) -> bool:
        """Whether a feature was negotiated."""
        return self.features & feature == feature

    @property
    def config_base(self) -> int:
        """BAR0 offset of the device config, which moves with MSI-X Enable (VPCI-REG-03)."""
        return CONFIG_BASE_MSIX if self.msix_enabled else CONFIG_BASE

    async def read_device_config(self, offset: int, length: int) -> bytes:
        """Device config by pieces of 4, 2, 1 bytes (FreeBSD vtpci_read_dev_config)."""
        out = bytearray()
        for at, size in _pieces(offset, length):
            out += (await self.bus.io_read(self.config_base + at, size)).to_bytes(size, "little")
        return bytes(out)

    async def write_device_config(self, offset: int, data: bytes) -> None:
        """Write device config by pieces of 4, 2, 1 bytes."""
        for at, size in _pieces(offset, len(data)):
            value = int.from_bytes(data[at - offset : at - offset + size], "little")
            await self.bus.io_write(self.config_base + at, size, value)

    async def read_stable_config(self, offset: int, length: int) -> bytes:
        """Read until two reads agree: legacy has no generation counter (VPCI-REG-18)."""
        before = await self.read_device_config(offset, length)
        for _ in range(STABLE_READ_TRIES):
            again = await self.read_device_config(offset, length)
            if again == before:
                return again
            before = again
        raise ReadBackError("VPCI-REG-18", f"device config at {offset} never reads twice the same")

    async def select_queue(self, index: int) -> None:
        """Write queue_select and read it back."""
        await self.bus.io_write(Register.QUEUE_SELECT, 2, index)
        seen = await self.bus.io_read(Register.QUEUE_SELECT, 2)
        if seen != index:
            raise ReadBackError("VPCI-REG-21", f"queue_select reads {seen:#06x} after {index:#06x}")

    async def queue_size(self, index: int) -> int:
        """Select a queue and read its size; 0 when it does not exist."""
        await self.select_queue(index)
        return await self.bus.io_read(Register.QUEUE_SIZE, 2)

    async def allocate_queue(self, make: QueueFactory | None = None) -> SplitQueue:
        """Set up the next queue: select, size, ring memory, PFN. ProbeError if there is none."""
        index = len(self.queues)
        size = await self.queue_size(index)
        if size == 0:
            raise ProbeError("VPCI-Q-04", f"the function has no queue {index}")
        in_use = await self.bus.io_read(Register.QUEUE_PFN, 4)
        if in_use != 0:
            raise ReadBackError("VPCI-Q-08", f"queue {index} already has PFN {in_use:#x} before its setup")
        queue = (make or self._make_queue)(index, size, self.features)
        await self._activate(queue)
        self.queues.append(queue)
        return queue

    async def notify(self, queue: SplitQueue) -> None:
        """Tell the device that a queue has something new."""
        await self.bus.io_write(Register.QUEUE_NOTIFY, 2, queue.index)

    async def driver_ok(self) -> None:
        """The driver is ready: the device is live."""
        await self.set_status(Status.DRIVER_OK)

    async def stop(self) -> None:
        """Stop the device (FreeBSD vtpci_stop). Queues and interrupt mode stay known for `reinit`."""
        await self.reset()

    async def reinit(self, features: int) -> None:
        """Drive a stopped device up again with the same queues. Vectors and DRIVER_OK are the caller's."""
        if await self.get_status() != Status.RESET:
            await self.stop()
        await self.set_status(Status.ACKNOWLEDGE)
        await self.set_status(Status.DRIVER)
        await self.negotiate_features(features)
        for queue in self.queues:
            size = await self.queue_size(queue.index)
            if size != queue.size:
                what = f"queue {queue.index} had {queue.size} entries and now has {size}"
                raise ReadBackError("VPCI-Q-03", what)
            queue.event_idx = self.with_feature(RingFeature.EVENT_IDX)
            queue.indirect = self.with_feature(RingFeature.INDIRECT_DESC)
            queue.reset()
            await self._activate(queue)

    async def _activate(self, queue: SplitQueue) -> None:
        await self.bus.io_write(Register.QUEUE_PFN, 4, queue.pfn)
        seen = await self.bus.io_read(Register.QUEUE_PFN, 4)
        if seen != queue.pfn:
            raise ReadBackError("VPCI-Q-08", f"queue {queue.index}: PFN reads {seen:#x} after {queue.pfn:#x}")

    def _make_queue(self, index: int, size: int, features: int) -> SplitQueue:
        return SplitQueue(
            self.bus.memory,
            index,
            size,
            event_idx=bool(features & RingFeature.EVENT_IDX),
            indirect=bool(features & RingFeature.INDIRECT_DESC),
        )


def _pieces(offset: int, length: int) -> list[tuple[int, int]]:
    """Split a config access as FreeBSD does: by 4 while 4 are left, then 2, then 1. (offset, size) each."""
    out = []
    while length > 0:
        size = 4 if length >= 4 else 2 if length >= 2 else 1
        out.append((offset, size))
        offset, length = offset + size, length - size
    return out
