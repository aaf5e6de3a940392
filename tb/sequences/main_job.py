"""The main job: what a real machine does with a block function, from enumeration to the last stop.

The steps are the table `STAGES`; each runs on the same function one after the other and leaves it stopped.
All reading passes must give the hash of the image file; writes put back what they replaced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.guest.block import BlockDriver
from tb.guest.block_request import DRIVER_FEATURES, SECTOR
from tb.guest.enumeration import PciFunction, enumerate_function, set_payload_size
from tb.guest.errors import RequestError
from tb.guest.host_bus import HostBus
from tb.guest.interrupts import InterruptMode
from tb.guest.registers import RingFeature
from tb.sequences.block_traffic import read_image, refused_requests, write_side
from tb.sequences.disk_image import image_sha256

MSIX = (InterruptMode.MSIX_PER_QUEUE,)
INTX = (InterruptMode.INTX,)
ReportProgress = Callable[[int, int, str], None]
"""Done bytes, total bytes, what is going on."""


@dataclass(slots=True, frozen=True)
class Stage:
    """One attachment of the device: how it interrupts and what is negotiated."""

    name: str
    ladder: Sequence[InterruptMode]
    event_idx: bool


STAGES = (
    Stage("MSI-X, EVENT_IDX", MSIX, event_idx=True),
    Stage("MSI-X, no EVENT_IDX", MSIX, event_idx=False),
    Stage("INTx, EVENT_IDX", INTX, event_idx=True),
)


@dataclass(slots=True, frozen=True)
class StageFigures:
    """What one stage did: a row of the final table. Times in simulated nanoseconds."""

    name: str
    interrupt_mode: str
    event_idx: bool
    requests: int
    direct: int
    indirect: int
    bytes: int
    deepest: int
    interrupts: int
    kicks: int
    kicks_suppressed: int
    time_ns: int
    read_ns: int


@dataclass(slots=True)
class Figures:
    """What the job did."""

    sha256: str = ""
    capacity: int = 0
    stages: list[StageFigures] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `counters.json`."""
        return dataclasses.asdict(self)


@dataclass(slots=True, frozen=True)
class MainJob:
    """The job's inputs. `bytes_limit` bounds each reading pass; None reads the whole image.

    `payload` is the largest packet that the host takes, in bytes.
    """

    bus: HostBus
    image: Path
    bytes_limit: int | None = None
    depth: int = 8
    request_bytes: int = 16384
    payload: int = 512
    stages: Sequence[Stage] = STAGES
    progress: ReportProgress = lambda _done, _total, _what: None

    async def run(self) -> Figures:
        """Do all of it. A GuestError says what broke."""
        figures = Figures()
        function = await enumerate_function(self.bus)
        await set_payload_size(self.bus, function, self.payload)
        length = self._length()
        figures.sha256 = image_sha256(self.image, length)
        for number, stage in enumerate(self.stages):
            driver = await self._attach(function, stage)
            figures.capacity = driver.config.capacity
            offset, total = number * length, len(self.stages) * length
            figures.stages.append(await self._exercise(driver, stage, figures.sha256, offset, total))
            await driver.stop()
            await self._reinitialise(driver)
            await driver.stop()
            await driver.interrupts.tear_down()
        return figures

    def _length(self) -> int:
        size = self.image.stat().st_size // SECTOR * SECTOR
        if self.bytes_limit is None:
            return size
        return min(size, -(-self.bytes_limit // SECTOR) * SECTOR)

    async def _attach(self, function: PciFunction, stage: Stage) -> BlockDriver:
        wanted = DRIVER_FEATURES if stage.event_idx else DRIVER_FEATURES & ~RingFeature.EVENT_IDX
        driver = await BlockDriver.attach(self.bus, function, wanted=wanted, ladder=stage.ladder)
        expected = self.image.stat().st_size // SECTOR
        if driver.config.capacity != expected:
            what = f"the capacity is {driver.config.capacity} sectors, the image has {expected}"
            raise RequestError("VBLK-03", what)
        return driver

    async def _exercise(
        self, driver: BlockDriver, stage: Stage, sha256: str, offset: int, total: int
    ) -> StageFigures:
        length = self._length()
        started = self.bus.now_ns
        result = await read_image(
            driver,
            length,
            depth=self.depth,
            request_bytes=self.request_bytes,
            advance=lambda done: self.progress(offset + done, total, f"reading: {stage.name}"),
        )
        read_ns = self.bus.now_ns - started
        if result.sha256 != sha256:
            what = f"the image read through the ring hashes to {result.sha256}, the file to {sha256}"
            raise RequestError("VBLK-06", what)
        await write_side(driver)
        await refused_requests(driver)
        counts = driver.queue.counts
        return StageFigures(
            name=stage.name,
            interrupt_mode=driver.interrupts.mode.value,
            event_idx=driver.queue.event_idx,
            requests=driver.counts.requests,
            direct=counts.chains - counts.indirect_chains,
            indirect=counts.indirect_chains,
            bytes=driver.counts.bytes_read + driver.counts.bytes_written,
            deepest=driver.counts.deepest,
            interrupts=driver.interrupts.taken,
            kicks=counts.kicks,
            kicks_suppressed=counts.kicks_suppressed,
            time_ns=self.bus.now_ns - started,
            read_ns=read_ns,
        )

    async def _reinitialise(self, driver: BlockDriver) -> None:
        """Bring the stopped device up with the same queue and see that it serves."""
        await driver.reinit()
        driver.reserve(1, SECTOR)
        await driver.read(0, SECTOR)
