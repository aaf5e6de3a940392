"""Scenarios on MSI-X messages: masks and pending bits, and which event goes to which vector."""

from __future__ import annotations

from tb.guest.block import BlockDriver
from tb.guest.block_request import SECTOR, BlockRequest, BlockType
from tb.guest.enumeration import Command, change_command
from tb.guest.host_bus import MSI_WINDOW
from tb.guest.interrupts import InterruptMode
from tb.guest.msix import MessageControl, MsixTable, VectorTarget, target_of
from tb.guest.registers import CONFIG_BASE_MSIX, NO_VECTOR, Register
from tb.sequences.expect import QUIET_NS, expect_message, expect_silence, request
from tb.sequences.msix_table import read_pending, vectors_to_visit
from tb.sequences.registers import reset
from tb.sequences.scene import ALL_BYTES, Scene, Space

ONES = 0xFFFF_FFFF


async def map_every_vector(scene: Scene) -> None:
    """The queue on each vector in turn and on none: the message is that entry's alone (VPCI-INT-08)."""
    driver, table = await _attach(scene)
    vectors = vectors_to_visit(scene, table)
    for vector in vectors:
        await table.program(vector, target_of(vector))
    for vector in vectors:
        await _map_queue(scene, vector)
        await request(driver)
        await expect_message(scene, target_of(vector))
    await _map_queue(scene, NO_VECTOR)
    await request(driver)
    await expect_silence(scene)
    await driver.stop()


async def aim_messages_anywhere(scene: Scene) -> None:
    """Walking bits in message address and data: each bit reaches the wire (PCI-MSIX-16, -17)."""
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    base = 0x2_4000_0000
    targets = [VectorTarget(base ^ 1 << bit, 0x1111) for bit in range(2, 52)]
    targets += [VectorTarget(1 << bit, 0x2222) for bit in range(20, 64)]
    targets += [VectorTarget(MSI_WINDOW.start, 1 << bit) for bit in range(32)]
    targets += [VectorTarget(MSI_WINDOW.start + (1 << bit), ONES ^ 1 << bit) for bit in range(2, 20)]
    for target in targets:
        await table.program(1, target)
        await request(driver)
        if target.address in MSI_WINDOW:
            await expect_message(scene, target)
        else:
            await scene.bus.delay(QUIET_NS)
    await driver.stop()


async def hold_by_mask(scene: Scene) -> None:
    """Masked by vector, function, both: pending, then exactly one message (PCI-MSIX-07, -08)."""
    driver, table = await _attach(scene)
    vectors = vectors_to_visit(scene, table)
    for vector in vectors:
        await _map_queue(scene, vector)
        await table.program(vector, target_of(vector))
        await table.mask(vector)
        await _two_requests_in_silence(scene, driver)
        await read_pending(scene, table)
        await table.unmask(vector)
        await expect_message(scene, target_of(vector))
        await read_pending(scene, table)

        await table.set_control(MessageControl.ENABLE | MessageControl.FUNCTION_MASK)
        await _two_requests_in_silence(scene, driver)
        await read_pending(scene, table)
        await table.mask(vector)
        await table.unmask(vector)
        await expect_silence(scene)
        await table.mask(vector)
        await table.set_control(MessageControl.ENABLE)
        await expect_silence(scene)
        await table.unmask(vector)
        await expect_message(scene, target_of(vector))
    await request(driver)
    await expect_message(scene, target_of(vectors[-1]))
    await driver.stop()


async def change_while_pending(scene: Scene) -> None:
    """Address and data rewritten while pending: the message is the entry at the unmask (BAD-REG-30)."""
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    for number in range(4):
        await table.mask(1)
        await _two_requests_in_silence(scene, driver)
        moved = VectorTarget(MSI_WINDOW.start + 0x1000 * (number + 1), 0x6000 + number)
        await table.program(1, moved, masked=True)
        await expect_silence(scene)
        await table.unmask(1)
        await expect_message(scene, moved)
    await driver.stop()


async def keep_pending_over_disable(scene: Scene) -> None:
    """Pending, then MSI-X off and on: what was pending is sent; what came while off is not (PCI-MSIX-10)."""
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    await table.mask(1)
    await _two_requests_in_silence(scene, driver)
    await table.set_control(MessageControl.NONE)
    driver.transport.msix_enabled = False
    await read_pending(scene, table)
    await request(driver)
    await scene.bus.delay(QUIET_NS)
    await driver.interrupts.discard()
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    await table.set_control(MessageControl.ENABLE)
    await read_pending(scene, table)
    await table.unmask(1)
    await scene.bus.delay(QUIET_NS)
    await driver.interrupts.discard()
    await read_pending(scene, table)
    await reset(scene)


async def release_as_the_line_falls(scene: Scene) -> None:
    """MSI-X comes on with the line up and two vectors pending and not masked: the line falls between the
    messages, and neither is lost (PCI-INT-03, PCI-MSIX-08).
    """
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    capacity = driver.config.capacity
    for step in (1, 2):
        await table.mask(0)
        await table.mask(1)
        await _two_requests_in_silence(scene, driver)
        await scene.host.set_capacity(capacity + step)
        await expect_silence(scene)
        await table.set_control(MessageControl.NONE)
        driver.transport.msix_enabled = False
        await change_command(scene.bus, disable=Command.INTX_DISABLE)
        await request(driver)
        await table.unmask(0)
        await table.unmask(1)
        await table.set_control(MessageControl.ENABLE)
        driver.transport.msix_enabled = True
        await scene.bus.delay(QUIET_NS)
        await driver.interrupts.discard()
        await read_pending(scene, table)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
    await reset(scene)
    await scene.host.set_capacity(capacity)


async def drop_pending_at_reset(scene: Scene) -> None:
    """A reset clears what is pending; unmasking afterwards sends nothing (VPCI-STAT-08)."""
    for _ in range(2):
        driver, table = await _attach(scene)
        await _map_queue(scene, 1)
        await table.mask(1)
        await _two_requests_in_silence(scene, driver)
        await driver.transport.reset()
        await read_pending(scene, table)
        await table.unmask(1)
        await expect_silence(scene)


async def hold_by_bus_master(scene: Scene) -> None:
    """Pending at a mask, bus master off at the unmask: sent only when it is on again (PCI-MSIX-22)."""
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    await table.mask(1)
    await _two_requests_in_silence(scene, driver)
    await change_command(scene.bus, disable=Command.BUS_MASTER)
    await table.unmask(1)
    await read_pending(scene, table)
    await expect_silence(scene)
    await change_command(scene.bus, enable=Command.BUS_MASTER)
    await expect_message(scene, target_of(1))
    await driver.stop()


async def move_queue_while_pending(scene: Scene) -> None:
    """The queue goes to another vector while its old one is pending (VPCI-INT-18)."""
    driver, table = await _attach(scene)
    if table.size < 3:
        return
    await table.program(2, target_of(2))
    await _map_queue(scene, 1)
    await table.mask(1)
    await _two_requests_in_silence(scene, driver)
    await _map_queue(scene, 2)
    await read_pending(scene, table)
    await request(driver)
    await expect_message(scene, target_of(2))
    await table.unmask(1)
    await scene.bus.delay(QUIET_NS)
    await driver.interrupts.discard()
    await read_pending(scene, table)
    await driver.stop()


async def toggle_masks_in_traffic(scene: Scene, rounds: int = 40) -> None:
    """Masks go on and off at any moment in traffic; no completion stays unannounced (BAD-REG-32)."""
    driver, table = await _attach(scene)
    await _map_queue(scene, 1)
    for _ in range(rounds):
        for _ in range(scene.rng.randrange(1, 5)):
            driver.submit(BlockRequest(BlockType.IN, 0, length=SECTOR))
        await driver.kick()
        await scene.bus.delay(scene.rng.randrange(0, 3000))
        if scene.rng.random() < 0.5:
            await table.mask(1)
            await scene.bus.delay(scene.rng.randrange(0, 3000))
            await table.unmask(1)
        else:
            await table.set_control(MessageControl.ENABLE | MessageControl.FUNCTION_MASK)
            await scene.bus.delay(scene.rng.randrange(0, 3000))
            await table.set_control(MessageControl.ENABLE)
        while driver.queue.outstanding:
            await driver.wait()
    await driver.stop()


async def announce_config_change(scene: Scene) -> None:
    """The disk grows as it runs: a message on the config vector, ISR and capacity follow (VPCI-STAT-24)."""
    driver, table = await _attach(scene)
    capacity = driver.config.capacity
    for step, vector in enumerate((0, 1, NO_VECTOR, 0)):
        await scene.bus.io_write(Register.CONFIG_VECTOR, 2, vector)
        await scene.bus.io_read(Register.CONFIG_VECTOR, 2)
        await scene.host.set_capacity(capacity + 8 * (step + 1))
        if vector == NO_VECTOR:
            await expect_silence(scene)
        else:
            await expect_message(scene, target_of(vector))
        await driver.transport.read_stable_config(0, 8)
        await scene.bus.io_read(Register.ISR_STATUS, 1)
    await table.mask(0)
    await scene.host.set_capacity(capacity)
    await expect_silence(scene)
    await read_pending(scene, table)
    await table.unmask(0)
    await expect_message(scene, target_of(0))
    await driver.stop()
    await scene.host.set_capacity(capacity + 1)
    await expect_silence(scene)
    await scene.host.set_capacity(capacity)
    await scene.bus.delay(QUIET_NS)
    await scene.bus.io_read(Register.ISR_STATUS, 1)


async def read_capacity_all_along(scene: Scene, rounds: int = 40) -> None:
    """Both halves of the capacity and the ISR, read one behind the other while it changes (VPCI-REG-18)."""
    driver, _ = await _attach(scene)
    before = driver.config.capacity
    low = CONFIG_BASE_MSIX
    places = ((low, ALL_BYTES), (low + 4, ALL_BYTES), (Register.ISR_STATUS & ~3, 8))
    for _ in range(rounds):
        answers = []
        for _ in range(scene.rng.randint(1, 2)):
            for _ in range(scene.rng.randint(0, 6)):
                place, enables = scene.rng.choice(places)
                answers.append(await scene.begin(scene.request(Space.IO, place, enables, None)))
            await scene.host.set_capacity(scene.rng.getrandbits(40) | 1 << 40)
            await scene.bus.delay(scene.rng.choice((0, 0, 20, 60)))
        for place, enables in scene.rng.choices(places, k=4):
            answers.append(await scene.begin(scene.request(Space.IO, place, enables, None)))
        for answer in answers:
            await answer()
    await scene.host.set_capacity(before)
    await scene.bus.delay(QUIET_NS)
    await driver.interrupts.discard()
    await driver.stop()


async def _attach(scene: Scene) -> tuple[BlockDriver, MsixTable]:
    driver = await scene.attach_block(ladder=(InterruptMode.MSIX_PER_QUEUE,))
    table = driver.interrupts.table
    assert table is not None
    return driver, table


async def _map_queue(scene: Scene, vector: int) -> None:
    await scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
    await scene.bus.io_write(Register.QUEUE_VECTOR, 2, vector)
    await scene.bus.io_read(Register.QUEUE_VECTOR, 2)


async def _two_requests_in_silence(scene: Scene, driver: BlockDriver) -> None:
    await request(driver)
    await request(driver)
    await expect_silence(scene)
