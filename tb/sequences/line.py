"""Scenarios on INTx: the line, the ISR, Interrupt Disable, Interrupt Status, and MSI-X taking over."""

from __future__ import annotations

from tb.guest.block import BlockDriver
from tb.guest.block_request import DRIVER_FEATURES, SECTOR, BlockRequest, BlockType
from tb.guest.enumeration import CapabilityId, Command, Header, PciStatus, change_command
from tb.guest.errors import DeviceTimeoutError, InterruptError
from tb.guest.interrupts import InterruptMode
from tb.guest.msix import MessageControl, MsixTable
from tb.guest.registers import Isr, Register, RingFeature
from tb.guest.turns import turns
from tb.sequences.expect import request
from tb.sequences.scene import ALL_BYTES, Pace, Scene, Space

SETTLE_NS = 2_000
ISR_LANE = 0b1000
MOST_TURNS = 10_000
"""Reads of the ISR until a handler gives up."""


async def raise_and_lower(scene: Scene) -> None:
    """One request raises the line once; reading the ISR lowers it; an ISR of 0 stays 0 (VPCI-INT-02, -17)."""
    driver = await _attach(scene)
    for _ in range(3):
        await _raise(scene, driver)
        await _raise_again(scene, driver)
        await _expect_isr(scene, Isr.QUEUE)
        await _expect_line(scene, False)
        await _expect_isr(scene, Isr.NONE)
    await driver.stop()


async def read_around_the_isr(scene: Scene) -> None:
    """Every byte enable at the status DW, line up: only the ISR's own lane clears it (VPCI-REG-11)."""
    driver = await _attach(scene)
    for enables in range(16):
        await _raise(scene, driver)
        await scene.read_dw(Space.IO, Register.QUEUE_NOTIFY, enables)
        await _expect_line(scene, not enables & ISR_LANE)
        await scene.write_dw(Space.IO, Register.QUEUE_NOTIFY, 0xFFFF_FFFF, ISR_LANE)
        await _expect_line(scene, not enables & ISR_LANE)
        await scene.bus.io_read(Register.DEVICE_STATUS, 1)
        await _expect_isr(scene, Isr.NONE if enables & ISR_LANE else Isr.QUEUE)
    for offset in range(0, 0x20, 4):
        await _raise(scene, driver)
        if offset != Register.QUEUE_NOTIFY:
            await scene.read_dw(Space.IO, offset)
        await _expect_line(scene, True)
        await _expect_isr(scene, Isr.QUEUE)
    await driver.stop()


async def disable_and_enable(scene: Scene) -> None:
    """Interrupt Disable lowers the line and keeps the cause, also when it was set first (PCI-CFG-12, -13)."""
    driver = await _attach(scene)
    for _ in range(2):
        await _raise(scene, driver)
        await change_command(scene.bus, enable=Command.INTX_DISABLE)
        await _expect_line(scene, False)
        await _expect_status(scene, True)
        await change_command(scene.bus, disable=Command.INTX_DISABLE)
        await _expect_line(scene, True)
        await change_command(scene.bus, enable=Command.INTX_DISABLE)
        await _expect_isr(scene, Isr.QUEUE)
        await _expect_status(scene, False)
        await request(driver)
        await _expect_line(scene, False)
        await _expect_status(scene, True)
        await change_command(scene.bus, disable=Command.INTX_DISABLE)
        await _expect_line(scene, True)
        await _expect_isr(scene, Isr.QUEUE)
        await _expect_line(scene, False)
    await driver.stop()


async def hand_over_to_messages(scene: Scene) -> None:
    """MSI-X switched on with the line up lowers it; off again does not raise it (PCI-INT-02, -03)."""
    driver = await _attach(scene)
    table = await MsixTable.find(scene.bus, scene.function.capabilities[CapabilityId.MSIX])
    await _raise(scene, driver)
    await table.set_control(MessageControl.ENABLE)
    await _expect_line(scene, False)
    await _expect_status(scene, False)
    await table.set_control(MessageControl.NONE)
    await scene.bus.delay(SETTLE_NS)
    await scene.bus.config_read(Header.COMMAND, 4)
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    await table.set_control(MessageControl.ENABLE | MessageControl.FUNCTION_MASK)
    await request(driver)
    await _expect_line(scene, False)
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    await table.set_control(MessageControl.NONE)
    await _raise(scene, driver)
    await _expect_isr(scene, Isr.QUEUE)
    await driver.stop()


async def lower_by_reset(scene: Scene) -> None:
    """A reset with the line up lowers it and clears the ISR (VPCI-STAT-08)."""
    driver = await _attach(scene)
    for _ in range(2):
        await _raise(scene, driver)
        await driver.stop()
        await _expect_line(scene, False)
        await _expect_status(scene, False)
        await _expect_isr(scene, Isr.NONE)
        await driver.reinit()
    await driver.stop()


async def suppress_by_flag(scene: Scene) -> None:
    """Interrupts asked away, by flag and by used_event: silence, and the ISR stays 0 (VRING-INT-01, -02)."""
    for wanted in (DRIVER_FEATURES & ~RingFeature.EVENT_IDX, DRIVER_FEATURES):
        await _suppress(scene, await scene.attach_block(wanted=wanted, ladder=(InterruptMode.INTX,)))


async def _suppress(scene: Scene, driver: BlockDriver) -> None:
    await _raise(scene, driver)
    await _expect_isr(scene, Isr.QUEUE)
    for _ in range(3):
        driver.queue.disable_interrupts()
        await request(driver)
        await _expect_line(scene, False)
        await _expect_isr(scene, Isr.NONE)
        driver.queue.enable_interrupts()
        await _raise(scene, driver)
        await _expect_isr(scene, Isr.QUEUE)
    await driver.stop()


async def announce_config_change(scene: Scene) -> None:
    """The disk grows: the ISR says config change, alone and beside a queue interrupt (VPCI-INT-04)."""
    driver = await _attach(scene)
    capacity = driver.config.capacity
    for grown in (8, 16, 0):
        await scene.host.set_capacity(capacity + grown)
        await _expect_line(scene, True)
        await driver.transport.read_stable_config(0, 8)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
        await _expect_line(scene, False)
    await _raise(scene, driver)
    await scene.host.set_capacity(capacity + 1)
    await scene.bus.delay(SETTLE_NS)
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    await _expect_line(scene, False)
    await scene.host.set_capacity(capacity)
    await scene.bus.delay(SETTLE_NS)
    await driver.stop()
    await _expect_line(scene, False)


async def serve_in_traffic(scene: Scene, rounds: int = 30) -> None:
    """Requests under INTx with Interrupt Disable toggled by the handler, as a hypervisor does it."""
    driver = await _attach(scene)
    for _ in range(rounds):
        for _ in range(scene.rng.randrange(1, 6)):
            driver.submit(BlockRequest(BlockType.IN, scene.rng.randrange(64), length=SECTOR))
        await driver.kick()
        if scene.rng.random() < 0.5:
            await change_command(scene.bus, enable=Command.INTX_DISABLE)
            await scene.bus.delay(scene.rng.randrange(3000))
            await change_command(scene.bus, disable=Command.INTX_DISABLE)
        for _ in turns(MOST_TURNS, _never_done):
            if not driver.queue.outstanding:
                break
            await _serve(scene, driver)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
    await driver.stop()


async def read_the_isr_all_along(scene: Scene, rounds: int = 40) -> None:
    """The ISR read again and again while a request completes: no moment loses the event (VPCI-INT-02).

    With late and throttled answers, because prompt ones come in step with the reads.
    """
    driver = await _attach(scene)
    for pace in (Pace.FAST, Pace.REORDER, Pace.THROTTLED, Pace.WILD):
        await scene.host.pace(pace)
        for _ in range(rounds):
            driver.submit(BlockRequest(BlockType.FLUSH))
            await driver.kick()
            for _ in turns(MOST_TURNS, _never_done):
                await scene.bus.io_read(Register.ISR_STATUS, 1)
                driver.collect()
                if not driver.queue.outstanding:
                    break
            for _ in range(12):
                await scene.bus.io_read(Register.ISR_STATUS, 1)
    await scene.host.pace(Pace.FAST)
    await driver.interrupts.discard()
    await driver.stop()


def _never_done() -> DeviceTimeoutError:
    return DeviceTimeoutError("BAD-DEV-11", f"requests are not done after {MOST_TURNS} reads of the ISR")


async def _serve(scene: Scene, driver: BlockDriver) -> None:
    """One turn of a handler that looks at the line rather than at edges."""
    if not scene.bus.intx_asserted and await scene.bus.wait_for_interrupt(200_000) is None:
        raise InterruptError("VPCI-INT-17", "requests are outstanding and the line never rises")
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    driver.collect()


async def _attach(scene: Scene) -> BlockDriver:
    return await scene.attach_block(ladder=(InterruptMode.INTX,))


async def _raise(scene: Scene, driver: BlockDriver) -> None:
    """A request that must raise the line from low."""
    await request(driver)
    await _expect_line(scene, True)
    await _expect_status(scene, True)


async def _raise_again(scene: Scene, driver: BlockDriver) -> None:
    """A request while the line is up: it stays up."""
    await request(driver)
    await _expect_line(scene, True)


async def _expect_line(scene: Scene, asserted: bool) -> None:
    """The line settles at a level. Interrupts noted on the way are dropped."""
    await scene.bus.delay(SETTLE_NS)
    while await scene.bus.wait_for_interrupt(0) is not None:
        pass
    if scene.bus.intx_asserted is not asserted:
        what = f"the line is {'up' if not asserted else 'down'} and must be {'up' if asserted else 'down'}"
        raise InterruptError("VPCI-INT-17", what)


async def _expect_status(scene: Scene, pending: bool) -> None:
    """Interrupt Status says whether a cause is pending; command and status come in one DW (PCI-CFG-07)."""
    word = await scene.read_dw(Space.CONFIG, Header.COMMAND, ALL_BYTES)
    seen = bool((word or 0) >> 16 & PciStatus.INTERRUPT)
    if seen is not pending:
        raise InterruptError("PCI-CFG-13", f"Interrupt Status is {int(seen)} and must be {int(pending)}")


async def _expect_isr(scene: Scene, isr: Isr) -> None:
    seen = await scene.bus.io_read(Register.ISR_STATUS, 1)
    if seen != isr:
        raise InterruptError("VPCI-INT-02", f"the ISR reads {seen:#04x} and must be {int(isr):#04x}")
