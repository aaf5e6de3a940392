"""Scenes on the golden model, for the tests of guest and scenarios."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tb.agents.disk import Disk
from tb.models.devices.block import BlockDevice
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL, Profile
from tb.pcie.moment import Matcher, Port, Watch
from tb.sequences.scene import Pace, ReadFault, Scene
from tb.targets.model import ModelBus

PROFILES = (VIRTIO_PCI_RTL, QEMU_7_2)
SECTORS = 4096


class NeverWatch:
    """Implements `Watch` on a target where nothing is under way when an access has returned."""

    async def reached(self, limit_ns: int) -> bool:
        """It does not come any more."""
        return False


@dataclass(slots=True)
class ModelControls:
    """Implements `HostControls` as far as the model has a host: media faults and capacity."""

    bus: ModelBus
    device: BlockDevice
    disk: Disk

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
        """The model's reads never fail."""

    def mend(self) -> None:
        """Only the disk can fail."""
        self.bus.media.failing = 0

    def watch(self, matches: Matcher, occurrence: int = 1) -> Watch:
        """The model has done everything when an access returns."""
        return NeverWatch()

    def drop(self, watch: Watch) -> None:
        """Nothing was watched."""

    def hold(self, port: Port, clocks: int, *, longest: int = 0) -> None:
        """The model has no streams."""

    def release(self, port: Port) -> None:
        """The model has no streams."""

    def count(self, group: str, name: str) -> None:
        """The model has no coverage."""

    async def pace(self, pace: Pace) -> None:
        """The model has no pace."""

    async def completion_payload(self, most: int) -> None:
        """The model has no packets."""

    async def fail_media(self, requests: int = 1) -> None:
        """The next so many requests to the disk end in an error."""
        self.bus.media.failing = requests

    async def cold_reset(self) -> None:
        """A power cycle."""
        self.bus.actor.cold_reset()

    def capacity(self) -> int:
        """The disk's size in sectors as it is now."""
        return self.disk.sectors

    async def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        self.disk.sectors = sectors
        self.device.resize(sectors)
        self.bus.changed()


def model_scene(
    profile: Profile = VIRTIO_PCI_RTL,
    *,
    disk: Disk | None = None,
    queue_size: int = 256,
    queues: int = 1,
    vectors: int = 3,
    read_only: bool = False,
    seed: int = 1,
) -> Scene:
    """A block function on the model, not enumerated yet."""
    disk = disk or Disk(SECTORS)
    device = BlockDevice(
        replace(profile),
        capacity=disk.sectors,
        serial=disk.serial.rstrip(b"\0"),
        read_only=read_only,
        queues=queues,
        queue_size=queue_size,
        vectors=vectors,
    )
    bus = ModelBus(profile, device, disk)
    return Scene(bus, bus.send, random.Random(seed), ModelControls(bus, device, disk))
