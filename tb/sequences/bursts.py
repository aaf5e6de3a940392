"""Scenarios on requests of many DWs: the MSI-X table in one piece, and long packets that are of no use."""

from __future__ import annotations

from tb.guest.enumeration import Header
from tb.pcie.tlp import Tlp, TlpType, memory_read, memory_write
from tb.pcie.types import MessageCode, MessageRouting
from tb.sequences.config_space import clear_device_status
from tb.sequences.scene import Scene, Space

MOST_BYTES = 128  # of a write: the smallest Max_Payload_Size
PBA = 0x800


async def read_bar1(scene: Scene) -> None:
    """Memory reads of BAR1 of several lengths and starts, aligned and not, as far as the PBA."""
    await scene.enumerate()
    base = scene.base_of(Space.MEMORY)
    for start in (0, 1, 2, 3, 4, 12, 60, 64, 68, 124, 0x7F8, 0x800, 0xFF8):
        for length in (1, 2, 3, 4, 5, 8, 16, 32, 64, 130, 256, 500):
            if start + length <= scene.function.bars[scene.function.memory_bar].size:
                await scene.send(memory_read(base + start, length))
    zero_length = memory_read(base, 4)
    zero_length.first_be = 0
    await scene.send(zero_length)


async def write_bar1(scene: Scene, rounds: int = 80) -> None:
    """Writes of any length and start over the table and what lies around the pending bits, each read back."""
    await scene.enumerate()
    base = scene.base_of(Space.MEMORY)
    size = scene.function.bars[scene.function.memory_bar].size
    for _ in range(rounds):
        start = scene.rng.choice((0, 0, PBA - 64, size - MOST_BYTES)) + scene.rng.randrange(64)
        length = scene.rng.randint(1, MOST_BYTES - start % 4)
        write = memory_write(base + start, scene.rng.randbytes(min(length, size - start)))
        if scene.rng.random() < 0.2 and write.length < 3:  # longer ones may have no holes
            write.first_be = scene.rng.randint(1, 15)
        await scene.send(write)
        if scene.rng.random() < 0.5:
            await scene.send(memory_read(base + start - start % 4, min(MOST_BYTES, size - start + start % 4)))
    await scene.send(memory_read(base, 1024))


async def drop_long_packets(scene: Scene) -> None:
    """Poisoned, foreign and unknown packets of any length: each is taken to its end and changes nothing."""
    await scene.enumerate()
    memory = scene.base_of(Space.MEMORY)
    for length in (1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32):
        data = scene.rng.randbytes(4 * length)
        poisoned = memory_write(memory, data)
        poisoned.poisoned = True
        message = Tlp(
            TlpType.MESSAGE_DATA,
            message_code=MessageCode.VENDOR_TYPE_1,
            message_routing=MessageRouting.LOCAL,
            length=length,
            data=data,
        )
        for packet in (poisoned, message, memory_write(memory ^ 0x4000_0000, data)):
            await scene.send(packet)
            await scene.bus.config_read(Header.COMMAND, 4)
            await scene.send(memory_read(memory, 64))
    await scene.bus.config_write(Header.STATUS, 2, 0xFFFF)
    await scene.bus.config_read(Header.STATUS, 2)
    await clear_device_status(scene)
