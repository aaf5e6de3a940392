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
LAST_BAR = 5


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
    """The MSI-X capability of one function. `size` is the number of vectors.

    The table lies in BAR `bar`, the pending bits in BAR `pending_bar`.
    """

    def __init__(self, bus: HostBus, offset: int, size: int, table: int, pending: int) -> None:
        self._bus = bus
        self.offset = offset
        self.size = size
        self.bar, self._table = table & 7, table & ~7
        self.pending_bar, self._pending = pending & 7, pending & ~7

    @classmethod
    async def find(cls, bus: HostBus, offset: int) -> MsixTable:
        """Read the capability at `offset` of configuration space."""
        control = await bus.config_read(offset + CONTROL_OFFSET, 2)
        table = await bus.config_read(offset + TABLE_OFFSET, 4)
        pending = await bus.config_read(offset + PBA_OFFSET, 4)
        if table & 7 > LAST_BAR or pending & 7 > LAST_BAR:
            what = f"table {table:#x} and pending bits {pending:#x} do not both lie in a BAR"
            raise ConfigurationError("PCI-MSIX-02", what)
        return cls(bus, offset, (control & 0x7FF) + 1, table, pending)

    def entry_offset(self, vector: int) -> int:
        """Offset of a vector's entry in its BAR. GuestUsageError beyond the table."""
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
        await self._bus.mem_write(base + VECTOR_CONTROL, 4, MASKED, bar=self.bar)
        fields = (
            (ADDRESS_LOW, target.address & 0xFFFF_FFFF),
            (ADDRESS_HIGH, target.address >> 32),
            (DATA, target.data),
            (VECTOR_CONTROL, int(masked)),
        )
        for offset, value in fields:
            await self._bus.mem_write(base + offset, 4, value, bar=self.bar)
        for offset, value in fields:
            seen = await self._bus.mem_read(base + offset, 4, bar=self.bar)
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
        return bool(await self.pending_word(vector // 32) >> (vector % 32) & 1)

    async def pending_word(self, word: int) -> int:
        """The pending bits of the 32 vectors from `32 * word` on."""
        return await self._bus.mem_read(self._pending + 4 * word, 4, bar=self.pending_bar)

    async def _set_mask(self, vector: int, value: int) -> None:
        offset = self.entry_offset(vector) + VECTOR_CONTROL
        await self._bus.mem_write(offset, 4, value, bar=self.bar)
        seen = await self._bus.mem_read(offset, 4, bar=self.bar)
        if seen != value:
            raise ReadBackError("PCI-MSIX-03", f"vector control {vector} reads {seen:#x} after {value:#x}")
