"""Scenarios on the MSI-X table, the pending bits and the capability as registers: every bit, every enable."""

from __future__ import annotations

from tb.guest.msix import (
    ADDRESS_HIGH,
    ADDRESS_LOW,
    DATA,
    ENTRY_BYTES,
    VECTOR_CONTROL,
    MessageControl,
    MsixTable,
)
from tb.guest.registers import Register
from tb.sequences.expect import table_of
from tb.sequences.scene import Scene, Space

ONES = 0xFFFF_FFFF
PBA = 0x800
EVERY_VECTOR_LIMIT = 40
"""In a larger table the scenarios visit its borders and a sample."""


def vectors_to_visit(scene: Scene, table: MsixTable) -> list[int]:
    """All vectors of a small table; of a large one the first, the last, the word borders and some others."""
    if table.size <= EVERY_VECTOR_LIMIT:
        return list(range(table.size))
    borders = {0, 1, 31, 32, 33, 63, 64, table.size - 2, table.size - 1}
    chosen = {scene.rng.randrange(table.size) for _ in range(16)}
    return sorted(vector for vector in borders | chosen if vector < table.size)


async def walk_table_bits(scene: Scene) -> None:
    """Walking ones and zeros in every field of every entry; neighbours are read back too (PCI-MSIX-03)."""
    await scene.enumerate()
    table = await table_of(scene)
    for vector in vectors_to_visit(scene, table):
        base = table.entry_offset(vector)
        for field in (ADDRESS_LOW, ADDRESS_HIGH, DATA, VECTOR_CONTROL):
            for value in (ONES, 0, *(1 << bit for bit in range(32)), *(ONES ^ 1 << bit for bit in range(32))):
                await scene.bus.mem_write(base + field, 4, value, bar=table.bar)
                await scene.bus.mem_read(base + field, 4, bar=table.bar)
        await _read_entries(scene, table)


async def fill_table(scene: Scene) -> None:
    """A different value in every DW of the table, then all of it read: no entry aliases another."""
    await scene.enumerate()
    table = await table_of(scene)
    for vector in range(table.size):
        for field in range(0, ENTRY_BYTES, 4):
            value = scene.rng.getrandbits(32)
            await scene.bus.mem_write(table.entry_offset(vector) + field, 4, value, bar=table.bar)
    await _read_entries(scene, table)
    for vector in reversed(range(table.size)):
        for field in (0, 8):
            value = scene.rng.getrandbits(64)
            await scene.bus.mem_write(table.entry_offset(vector) + field, 8, value, bar=table.bar)
            await scene.bus.mem_read(table.entry_offset(vector) + field, 8, bar=table.bar)
    await _read_entries(scene, table)


async def write_table_by_parts(scene: Scene) -> None:
    """Partial byte enables into the table and the PBA, and everything beyond both (BAD-REG-28, -29)."""
    await scene.enumerate()
    table = await table_of(scene)
    for vector in (0, table.size - 1):
        for field in range(0, ENTRY_BYTES, 4):
            offset = table.entry_offset(vector) + field
            for enables in range(16):
                await scene.write_dw(Space.MEMORY, offset, scene.rng.getrandbits(32), enables)
                await scene.bus.mem_read(offset, 4, bar=table.bar)
                await scene.read_dw(Space.MEMORY, offset, enables)
    beyond = table.size * ENTRY_BYTES
    for offset in (beyond, beyond + 4, beyond + 12, 0x7FC, PBA, PBA + 4, PBA + 8, PBA + 0x100, 0xFFC, 0xFF8):
        if beyond <= offset < scene.function.bars[table.bar].size:
            for size in (4, 8):
                value = scene.rng.getrandbits(8 * size)
                await scene.bus.mem_write(offset & -size, size, value, bar=table.bar)
                await scene.bus.mem_read(offset & -size, size, bar=table.bar)
    for offset in range(0, 0x40, 4):
        for size in (1, 2):
            await scene.bus.mem_read(offset, size, bar=table.bar)
    await _read_entries(scene, table)


async def walk_message_control(scene: Scene) -> None:
    """Enable and function mask in all four states, by byte, word and DW; nothing else moves (PCI-MSIX-15)."""
    await scene.enumerate()
    table = await table_of(scene)
    for value in (0, 0x4000, 0xC000, 0x8000, 0xC000, 0x0000, 0xFFFF, 0x3FFF):
        await scene.bus.config_write(table.offset + 2, 2, value)
        await _look_at_control(scene, table)
    for value in (0x80, 0xC0, 0x40, 0x00):
        await scene.bus.config_write(table.offset + 3, 1, value)
        await _look_at_control(scene, table)
    for value in (ONES, 0x8000_0000, 0x0000_FFFF):
        await scene.bus.config_write(table.offset, 4, value)
        await _look_at_control(scene, table)
    await table.set_control(MessageControl.NONE)


async def _look_at_control(scene: Scene, table: MsixTable) -> None:
    await scene.bus.config_read(table.offset, 4)
    await scene.bus.io_read(Register.CONFIG_VECTOR, 4)


async def _read_entries(scene: Scene, table: MsixTable) -> None:
    for vector in range(table.size):
        for field in range(0, ENTRY_BYTES, 4):
            await scene.bus.mem_read(table.entry_offset(vector) + field, 4, bar=table.bar)


async def read_pending(scene: Scene, table: MsixTable) -> None:
    """Read the pending bits of all vectors."""
    for word in range(-(-table.size // 32)):
        await table.pending_word(word)
