"""Scenarios on BAR0: the legacy registers and the device config, in both layouts, by every byte enable."""

from __future__ import annotations

from tb.guest.errors import ReadBackError
from tb.guest.msix import MessageControl
from tb.guest.registers import NO_VECTOR, Register, Status
from tb.sequences.expect import table_of
from tb.sequences.scene import ALL_BYTES, Scene, Space

ONES = 0xFFFF_FFFF
HEADER_DWS = range(0x00, 0x18, 4)
DRIVER_FEATURES_DW = Register.DRIVER_FEATURES
STATUS_DW = Register.QUEUE_NOTIFY
"""The DW that holds notify, status and ISR."""
SELECT_DW = Register.QUEUE_SIZE
STATUS_BYTE = 0b0100
ISR_BYTE = 0b1000
SELECT_BYTES = 0b1100


async def reset(scene: Scene) -> None:
    """Write status 0 and see it read 0."""
    await scene.bus.io_write(Register.DEVICE_STATUS, 1, 0)
    seen = await scene.bus.io_read(Register.DEVICE_STATUS, 1)
    if seen != 0:
        raise ReadBackError("VPCI-STAT-05", f"status reads {seen:#04x} after the reset was written")


async def in_both_layouts(scene: Scene, part: object) -> None:
    """Run `part(scene)` with MSI-X off, on, on but masked as a whole, and off again (VPCI-REG-03, -04)."""
    assert callable(part)
    table = await table_of(scene)
    masked = MessageControl.ENABLE | MessageControl.FUNCTION_MASK
    for control in (MessageControl.NONE, MessageControl.ENABLE, masked, MessageControl.NONE):
        await table.set_control(control)
        await part(scene)
    await reset(scene)


async def read_whole_bar(scene: Scene) -> None:
    """Every byte of BAR0 by 1, 2 and 4 bytes, and every DW with every byte enable."""
    size = scene.function.bars[0].size
    for width in (1, 2, 4):
        for offset in range(0, size, width):
            await scene.bus.io_read(offset, width)
    for offset in range(0, size, 4):
        for enables in range(16):
            await scene.read_dw(Space.IO, offset, enables)


async def write_whole_bar(scene: Scene) -> None:
    """Random values under every byte enable into every DW, then a look at the header (BAD-REG-20 to -23)."""
    for offset in range(0, scene.function.bars[0].size, 4):
        for enables in range(16):
            await scene.write_dw(Space.IO, offset, scene.rng.getrandbits(32), enables)
            for looked_at in HEADER_DWS:
                await scene.read_dw(
                    Space.IO, looked_at, ALL_BYTES & ~ISR_BYTE if looked_at == 0x10 else ALL_BYTES
                )
        await reset(scene)


async def walk_feature_bits(scene: Scene) -> None:
    """Each feature bit alone, all, none, by bytes; what is not offered does not stick (VPCI-STAT-17)."""
    values = [1 << bit for bit in range(32)]
    for value in (0, ONES, *values, *(ONES ^ one for one in values)):
        await scene.bus.io_write(Register.DRIVER_FEATURES, 4, value)
        await scene.bus.io_read(Register.DRIVER_FEATURES, 4)
        await scene.bus.io_read(Register.DEVICE_FEATURES, 4)
    for enables in range(16):
        for start in (0, ONES):
            await scene.write_dw(Space.IO, DRIVER_FEATURES_DW, start)
            await scene.write_dw(Space.IO, DRIVER_FEATURES_DW, ONES ^ start, enables)
            await scene.read_dw(Space.IO, DRIVER_FEATURES_DW)
    await reset(scene)


async def walk_queue_address(scene: Scene) -> None:
    """Each PFN bit alone from reset, by bytes, and the rewrite of a live queue (VPCI-Q-08, -11)."""
    for bit in range(32):
        await _write_pfn(scene, 1 << bit)
        await scene.bus.io_write(Register.QUEUE_PFN, 4, ONES ^ (1 << bit))
        await scene.bus.io_read(Register.QUEUE_PFN, 4)
        await reset(scene)
    for enables in range(1, 16):
        await scene.write_dw(Space.IO, Register.QUEUE_PFN, 0x8899_AABB, enables)
        await scene.read_dw(Space.IO, Register.QUEUE_PFN)
        await scene.write_dw(Space.IO, Register.QUEUE_PFN, 0x1122_3344, ALL_BYTES ^ enables)
        await scene.read_dw(Space.IO, Register.QUEUE_PFN)
        await reset(scene)


async def walk_queue_select(scene: Scene) -> None:
    """Each selector bit and some edges: size, PFN, vector of a queue that is not there (BAD-REG-01, -02)."""
    table = await table_of(scene)
    await table.set_control(MessageControl.ENABLE)
    await _write_pfn(scene, 0x123)
    await scene.bus.io_write(Register.QUEUE_VECTOR, 2, 1)
    for selector in (0, *(1 << bit for bit in range(16)), 0xFFFF, 0xFFFE, 3, 1023, 1024, 1025, 0x7FFF):
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, selector)
        await _look_at_queue(scene)
        await scene.bus.io_write(Register.QUEUE_VECTOR, 2, 0)
        if selector != 0:
            await scene.bus.io_write(Register.QUEUE_PFN, 4, 0x777)
        await _look_at_queue(scene)
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
        await _look_at_queue(scene)
        await scene.bus.io_write(Register.QUEUE_VECTOR, 2, 1)
    for enables in range(16):
        await scene.write_dw(Space.IO, SELECT_DW, 0, SELECT_BYTES)
        await scene.write_dw(Space.IO, SELECT_DW, scene.rng.getrandbits(32), enables)
        await scene.read_dw(Space.IO, SELECT_DW)
    await table.set_control(MessageControl.NONE)
    await reset(scene)


async def walk_status(scene: Scene) -> None:
    """Many status values; then neighbours of the status written without it (VPCI-REG-11, VPCI-STAT-13)."""
    for value in (*range(1, 256, 7), 0xFF, 0x80, 0x40, 4, 3, 2, 1):
        await scene.bus.io_write(Register.DEVICE_STATUS, 1, value)
        await scene.bus.io_read(Register.DEVICE_STATUS, 1)
    for enables in range(16):
        await scene.bus.io_write(Register.DEVICE_STATUS, 1, 0x5A)
        await scene.write_dw(Space.IO, STATUS_DW, 0xFFC3_FFFF, enables)
        await scene.read_dw(Space.IO, STATUS_DW, STATUS_BYTE)
        await scene.bus.io_read(Register.DEVICE_STATUS, 1)
    await reset(scene)


async def walk_vectors(scene: Scene) -> None:
    """Both vector registers: in range, one past, walking bits, NO_VECTOR; by bytes too (VPCI-INT-10, -11)."""
    table = await table_of(scene)
    await table.set_control(MessageControl.ENABLE)
    values = [*range(table.size + 2), *(1 << bit for bit in range(16)), NO_VECTOR, 0xFFFE, 0x8000, 0x0100]
    for register in (Register.CONFIG_VECTOR, Register.QUEUE_VECTOR):
        await scene.bus.io_read(register, 2)
        for value in values:
            await scene.bus.io_write(register, 2, value)
            await scene.bus.io_read(register, 2)
            await scene.read_dw(Space.IO, Register.CONFIG_VECTOR)
            if value % 3 == 2:
                await scene.bus.io_write(register, 2, 0)
    for enables in range(16):
        await scene.write_dw(Space.IO, Register.CONFIG_VECTOR, 0x0001_0002)
        await scene.write_dw(Space.IO, Register.CONFIG_VECTOR, 0x0002_0000, enables)
        await scene.read_dw(Space.IO, Register.CONFIG_VECTOR)
    for control in (MessageControl.NONE, MessageControl.ENABLE):
        await scene.bus.io_write(Register.CONFIG_VECTOR, 2, 1)
        await table.set_control(control)
        await scene.read_dw(Space.IO, Register.CONFIG_VECTOR)
    await reset(scene)
    await scene.read_dw(Space.IO, Register.CONFIG_VECTOR)
    await table.set_control(MessageControl.NONE)


async def read_device_config(scene: Scene) -> None:
    """The device config by every width at every offset, past its end too (BAD-REG-22, -23)."""
    table = await table_of(scene)
    for control in (MessageControl.NONE, MessageControl.ENABLE, MessageControl.NONE):
        await table.set_control(control)
        for offset in range(0x14, scene.function.bars[0].size):
            for width in (1, 2, 4):
                if offset % 4 + width <= 4:
                    await scene.bus.io_read(offset, width)
        for offset in range(0x18, scene.function.bars[0].size, 4):
            await scene.bus.io_write(offset, 4, scene.rng.getrandbits(32))
            await scene.bus.io_read(offset, 4)


async def notify_nobody(scene: Scene) -> None:
    """Kicks of queues that are not there or have no address: nothing happens (BAD-REG-03, -04)."""
    for value in (0, 1, 2, 3, 0x100, 0x8000, 0xFFFF, *(1 << bit for bit in range(16))):
        await scene.bus.io_write(Register.QUEUE_NOTIFY, 2, value)
        await scene.bus.io_read(Register.QUEUE_NOTIFY, 2)
    await scene.bus.delay(2_000)


async def reset_from_anything(scene: Scene) -> None:
    """Dirty every register, reset, read the power-up values and what a reset keeps (VPCI-STAT-06)."""
    table = await table_of(scene)
    await table.set_control(MessageControl.ENABLE)
    for by_pfn in (False, True):
        await scene.bus.io_write(Register.DRIVER_FEATURES, 4, ONES)
        await _write_pfn(scene, 0xABCDE)
        await scene.bus.io_write(Register.QUEUE_VECTOR, 2, 1)
        await scene.bus.io_write(Register.CONFIG_VECTOR, 2, 2)
        await scene.bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER)
        if by_pfn:
            await scene.bus.io_write(Register.QUEUE_PFN, 4, 0)
        else:
            await scene.bus.io_write(Register.QUEUE_SELECT, 2, 5)
            await reset(scene)
        for offset in HEADER_DWS:
            await scene.read_dw(Space.IO, offset)
        for offset in range(0, 0x100, 4):
            await scene.bus.config_read(offset, 4)
    await scene.bus.io_write(Register.QUEUE_SELECT, 2, 9)
    await scene.bus.io_write(Register.QUEUE_PFN, 4, 0)
    for offset in HEADER_DWS:
        await scene.read_dw(Space.IO, offset)
    await table.set_control(MessageControl.NONE)
    await reset(scene)


async def poke_at_random(scene: Scene, count: int = 800) -> None:
    """Random accesses to BAR0 of any enables; the rings they name are empty memory."""
    table = await table_of(scene)
    for number in range(count):
        offset = scene.rng.randrange(0, 0x20, 4)
        if scene.rng.random() < 0.5:
            await scene.read_dw(Space.IO, offset, scene.rng.randrange(16))
        else:
            await scene.write_dw(Space.IO, offset, await _plausible(scene, offset), scene.rng.randrange(16))
        if number % 97 == 0:
            await table.set_control(MessageControl(scene.rng.choice((0, 0x4000, 0x8000, 0xC000))))
        if number % 61 == 0:
            await reset(scene)
    await table.set_control(MessageControl.NONE)
    await reset(scene)


async def _plausible(scene: Scene, offset: int) -> int:
    """A value to write: a ring address in empty memory, a small number, or anything."""
    if offset == Register.QUEUE_PFN:
        return 0x40_0000 + scene.rng.getrandbits(16)
    return scene.rng.choice((scene.rng.getrandbits(32), scene.rng.randrange(4), scene.rng.randrange(4) << 16))


async def _write_pfn(scene: Scene, pfn: int) -> None:
    await scene.bus.io_write(Register.QUEUE_SELECT, 2, 0)
    await scene.bus.io_write(Register.QUEUE_PFN, 4, pfn)
    await scene.bus.io_read(Register.QUEUE_PFN, 4)


async def _look_at_queue(scene: Scene) -> None:
    for register, width in (
        (Register.QUEUE_SELECT, 2),
        (Register.QUEUE_SIZE, 2),
        (Register.QUEUE_PFN, 4),
        (Register.QUEUE_VECTOR, 2),
    ):
        await scene.bus.io_read(register, width)
