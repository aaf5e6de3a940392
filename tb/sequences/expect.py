"""What scenarios expect of interrupts and completions, each as one verb that raises where it is not so."""

from __future__ import annotations

from tb.guest.block import BlockDriver
from tb.guest.block_request import SECTOR, BlockRequest, BlockType
from tb.guest.enumeration import CapabilityId
from tb.guest.errors import DeviceTimeoutError, InterruptError
from tb.guest.host_bus import Msi
from tb.guest.msix import MsixTable, VectorTarget
from tb.sequences.scene import Scene

QUIET_NS = 4_000
"""Long enough for an interrupt that is due to have come."""
ARRIVAL_NS = 100_000
PATIENCE_NS = 400_000


async def table_of(scene: Scene) -> MsixTable:
    """The function's MSI-X table."""
    return await MsixTable.find(scene.bus, scene.function.capabilities[CapabilityId.MSIX])


async def request(driver: BlockDriver) -> None:
    """One request whose completion is polled for, so that interrupts are the scenario's own."""
    driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR))
    await driver.kick()
    await poll(driver)


async def poll(driver: BlockDriver, limit_ns: int = PATIENCE_NS) -> None:
    """Collect by looking at the ring until nothing is outstanding. DeviceTimeoutError if that never is."""
    waited = 0
    while driver.queue.outstanding:
        driver.collect()
        if driver.queue.outstanding:
            if waited > limit_ns:
                raise DeviceTimeoutError("BAD-DEV-11", f"{driver.queue.outstanding} requests never complete")
            await driver.transport.bus.delay(400)
            waited += 400


async def drop_interrupts(scene: Scene) -> None:
    """Forget interrupts that arrived and were not taken."""
    while await scene.bus.wait_for_interrupt(0) is not None:
        pass


async def expect_message(scene: Scene, target: VectorTarget) -> None:
    """Exactly this message comes, and no second one."""
    seen = await scene.bus.wait_for_interrupt(ARRIVAL_NS)
    if seen != Msi(target.address, target.data):
        what = f"{seen} came where the message {target.data:#x} to {target.address:#x} was due"
        raise InterruptError("PCI-MSIX-08", what)
    await expect_silence(scene)


async def expect_silence(scene: Scene) -> None:
    """No interrupt comes for a while."""
    seen = await scene.bus.wait_for_interrupt(QUIET_NS)
    if seen is not None:
        raise InterruptError("PCI-MSIX-07", f"{seen} came where no interrupt was due")
