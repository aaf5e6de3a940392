"""The guest's half of MSI-X: the capability, the table, the pending bits (PCI-MSIX-01 to -22)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from tb.guest.errors import ConfigurationError, GuestUsageError, ReadBackError
from tb.guest.host_bus import MSI_WINDOW, HostBus

ENTRY_BYTES = 16
ADDRESS_LOW, ADDRESS_HIGH, DATA, VECTOR_CONTROL = 0, 4, 8, 12
CONTROL_OFFSET = 2
TABLE_OFFSET = 4
PBA_OFFSET = 8
MASKED = 1


class MessageControl(IntFlag):
    """Writable bits of the Message Control register."""

    NONE = 0
    FUNCTION_MASK = 1 << 14
    ENABLE = 1 << 15


@dataclass(slots=True, frozen=True)
class VectorTarget:
    """Where a vector's message goes."""

    address: int
    data: int


def target_of(vector: int) -> VectorTarget:
    """The host's own choice for a vector: one address per vector, the vector in the data too."""
    return VectorTarget(MSI_WINDOW.start + (vector << 4), 0x4100 + vector)


class MsixTable:
    """The MSI-X capability of one function. `size` is the number of vectors."""

    def __init__(self, bus: HostBus, offset: int, size: int, table: int, pba: int) -> None:
        self._bus = bus
        self.offset = offset
        self.size = size
        self._table = table
        self._pba = pba

    @classmethod
    async def find(cls, bus: HostBus, offset: int) -> MsixTable:
        """Read the capability at `offset` of configuration space. Table and PBA must lie in BAR1."""
        control = await bus.config_read(offset + CONTROL_OFFSET, 2)
        table = await bus.config_read(offset + TABLE_OFFSET, 4)
        pba = await bus.config_read(offset + PBA_OFFSET, 4)
        if table & 7 != 1 or pba & 7 != 1:
            what = f"table {table:#x} and PBA {pba:#x} do not both lie in BAR1"
            raise ConfigurationError("PCI-MSIX-02", what)
        return cls(bus, offset, (control & 0x7FF) + 1, table & ~7, pba & ~7)

    def entry_offset(self, vector: int) -> int:
        """BAR1 offset of a vector's entry. GuestUsageError beyond the table."""
        if not 0 <= vector < self.size:
            raise GuestUsageError(f"the table has {self.size} entries, none numbered {vector}")
        return self._table + vector * ENTRY_BYTES

    async def control(self) -> MessageControl:
        """The enable and function mask bits as they are."""
        value = await self._bus.config_read(self.offset + CONTROL_OFFSET, 2)
        return MessageControl(value & (MessageControl.ENABLE | MessageControl.FUNCTION_MASK))

    async def set_control(self, value: MessageControl) -> None:
        """Write enable and function mask, and read them back."""
        await self._bus.config_write(self.offset + CONTROL_OFFSET, 2, value)
        seen = await self.control()
        if seen != value:
            raise ReadBackError("PCI-MSIX-01", f"message control reads {seen:#06x} after {int(value):#06x}")

    async def program(self, vector: int, target: VectorTarget, *, masked: bool = False) -> None:
        """Write one entry while it is masked, unmask it last unless `masked`, and read it back."""
        base = self.entry_offset(vector)
        await self._bus.mem_write(base + VECTOR_CONTROL, 4, MASKED)
        fields = (
            (ADDRESS_LOW, target.address & 0xFFFF_FFFF),
            (ADDRESS_HIGH, target.address >> 32),
            (DATA, target.data),
            (VECTOR_CONTROL, int(masked)),
        )
        for offset, value in fields:
            await self._bus.mem_write(base + offset, 4, value)
        for offset, value in fields:
            seen = await self._bus.mem_read(base + offset, 4)
            if seen != value:
                what = f"MSI-X entry {vector} offset {offset} reads {seen:#x} after {value:#x}"
                raise ReadBackError("PCI-MSIX-03", what)

    async def mask(self, vector: int) -> None:
        """Mask one vector; the read back also pushes the posted write."""
        await self._set_mask(vector, MASKED)

    async def unmask(self, vector: int) -> None:
        """Unmask one vector."""
        await self._set_mask(vector, 0)

    async def pending(self, vector: int) -> bool:
        """The vector's bit of the pending bit array."""
        word = await self._bus.mem_read(self._pba + (vector // 32) * 4, 4)
        return bool(word >> (vector % 32) & 1)

    async def _set_mask(self, vector: int, value: int) -> None:
        offset = self.entry_offset(vector) + VECTOR_CONTROL
        await self._bus.mem_write(offset, 4, value)
        seen = await self._bus.mem_read(offset, 4)
        if seen != value:
            raise ReadBackError("PCI-MSIX-03", f"vector control {vector} reads {seen:#x} after {value:#x}")
