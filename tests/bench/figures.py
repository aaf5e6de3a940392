"""What `make bench` measures in a simulation: each test writes `units` done and the `wall_s` they took.

Run by `tb.flow.commands.bench`, not as part of the test plan: how fast a machine is, is no question of right
or wrong.
"""

from __future__ import annotations

import time

import pyuvm

from tb.env import FunctionTest
from tb.guest.block import BlockDriver
from tb.guest.enumeration import enumerate_function
from tb.sequences.block_traffic import read_image
from tb.targets.rtl import RtlBus

READS = 20_000
# Offset and size of what is read in turn: features, queue size, status, capacity behind the MSI-X vectors.
REGISTERS = ((0x00, 4), (0x0C, 2), (0x12, 1), (0x18, 4))
READ_BYTES = 4 << 20
DEPTH = 8
REQUEST_BYTES = 16 << 10
IDLE_NS = 16_000_000


class Measured(FunctionTest):
    """A test that attaches a driver, then measures one thing."""

    async def scenario(self, bus: RtlBus) -> None:
        driver = await BlockDriver.attach(bus, await enumerate_function(bus))
        started = time.perf_counter()
        units = await self.work(bus, driver)
        self.figures |= {"units": units, "wall_s": time.perf_counter() - started}
        await driver.stop()

    async def work(self, bus: RtlBus, driver: BlockDriver) -> float:
        """What is measured; the number of units done."""
        raise NotImplementedError(f"{type(self).__name__} measures nothing")


@pyuvm.test()
class ScoredReads(Measured):
    """Register reads, one after the other, each scored. Unit: reads."""

    async def work(self, bus: RtlBus, _driver: BlockDriver) -> float:
        for number in range(READS):
            offset, size = REGISTERS[number % len(REGISTERS)]
            await bus.io_read(offset, size)
        return READS


@pyuvm.test()
class BlockRead(Measured):
    """A disk image read through the ring at depth 8 in requests of 16 KiB. Unit: 10^6 bytes."""

    async def work(self, _bus: RtlBus, driver: BlockDriver) -> float:
        length = min(READ_BYTES, driver.config.capacity * 512)
        result = await read_image(driver, length, depth=DEPTH, request_bytes=REQUEST_BYTES)
        return result.bytes / 1e6


@pyuvm.test()
class Idle(Measured):
    """Nothing happens, with the whole environment attached. Unit: clocks."""

    async def work(self, bus: RtlBus, _driver: BlockDriver) -> float:
        before = bus.now_ns
        await bus.delay(IDLE_NS)
        return (bus.now_ns - before) / 8
