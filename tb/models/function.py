"""The whole function as the guest's accesses see it: configuration space, registers, MSI-X, device.

Every access is one call that returns the value read, or the events a write causes. The function performs no
DMA and has no clock: the actor adds both to make a target of it, the judge holds it against the pins.
Offsets are relative to the BAR. The ``*_enabled`` forms take what one TLP carries: a DW and byte enables.
"""

from __future__ import annotations

from tb.models.access import ONES, access_for, pieces
from tb.models.config_space import (
    COMMAND,
    COMMAND_BUS_MASTER,
    COMMAND_INTX_DISABLE,
    COMMAND_IO,
    COMMAND_MEMORY,
    MSIX_ENABLE,
    MSIX_FUNCTION_MASK,
    STATUS,
    ConfigSpace,
)
from tb.models.devices.base import DeviceModel
from tb.models.events import NOTHING, CommandChanged, DeviceReset, Events, MessageDue, StatusChanged
from tb.models.msix import NO_VECTOR, Message, MsixTable
from tb.models.profile import Profile
from tb.models.registers import (
    ISR_QUEUE,
    STATUS_ACKNOWLEDGE,
    STATUS_DRIVER,
    STATUS_DRIVER_OK,
    LegacyRegisters,
)


class FunctionModel:
    """A legacy virtio-pci function around ``device`` that makes the choices of ``profile``.

    Attributes:
        halted: DMA stays off although bus master may be on (``bus_master_off = "clears_driver_ok"``).
        broken: a malformed chain has stopped the whole device until reset (``broken = "device"``).
    """

    __slots__ = (
        "_tolerant",
        "access",
        "broken",
        "config",
        "device",
        "halted",
        "msix",
        "profile",
        "registers",
    )

    def __init__(self, profile: Profile, device: DeviceModel) -> None:
        self.profile = profile
        self.device = device
        self.config = ConfigSpace(profile, device)
        self.msix = MsixTable(profile, device.vectors)
        self.registers = LegacyRegisters(profile, device, self.msix)
        self.access = access_for(profile, self.registers, device)
        self.halted = False
        self.broken = False
        self._tolerant = False  # of a driver that never sets bus master

    def copy(self) -> FunctionModel:
        """An independent copy of the whole state, the device's included."""
        twin = object.__new__(FunctionModel)
        twin.profile = self.profile
        twin.device = self.device.copy()
        twin.config = self.config.copy()
        twin.msix = self.msix.copy()
        twin.registers = self.registers.copy(twin.device, twin.msix)
        twin.access = access_for(self.profile, twin.registers, twin.device)
        twin.halted = self.halted
        twin.broken = self.broken
        twin._tolerant = self._tolerant
        return twin

    def cold_reset(self) -> None:
        """Conventional reset: PCI state and virtio state as after power-up."""
        self.registers.reset()
        self.config.reset()
        self.msix.reset()
        self.msix.enabled = self.msix.function_masked = self.msix.blocked = False
        self.halted = self.broken = self._tolerant = False

    # --- state that follows from the registers

    @property
    def bus_master(self) -> bool:
        return bool(self.config.command & COMMAND_BUS_MASTER)

    @property
    def may_dma(self) -> bool:
        """Whether the function may send memory requests now."""
        return self.bus_master and not self.halted

    @property
    def intx_line(self) -> bool:
        """Level of INTA as messages show it: a pending cause, unless Interrupt Disable is set."""
        return self.registers.intx_pending and not self.config.command & COMMAND_INTX_DISABLE

    # --- configuration space

    def config_read(self, offset: int, size: int) -> int:
        """``size`` bytes of configuration space at ``offset``."""
        if offset <= STATUS < offset + size:
            self.config.set_interrupt_status(self.registers.intx_pending)
        return self.config.read(offset, size)

    def config_write(self, offset: int, size: int, value: int) -> Events:
        """Write configuration space; returns what the change of command or MSI-X control causes."""
        config = self.config
        command = config.command
        control = config.msix_control
        config.write(offset, size, value)
        events = NOTHING
        if config.command != command:
            events += (CommandChanged(config.command, command),)
        if config.msix_control != control:
            events += self._follow_msix_control()
        if offset <= COMMAND < offset + size:
            events += self._follow_bus_master()
        return events

    def config_read_enabled(self, dw: int, enables: int) -> int:
        """The enabled bytes of the DW at ``dw``, in their lanes."""
        return self.config_read(dw, 4) & _lane_mask(enables)

    def config_write_enabled(self, dw: int, enables: int, value: int) -> Events:
        """Write the enabled bytes of the DW at ``dw``: one access, however its bytes lie."""
        config = self.config
        command = config.command
        control = config.msix_control
        for lane in range(4):
            if enables >> lane & 1:
                config.write(dw + lane, 1, value >> 8 * lane & 0xFF)
        events = NOTHING
        if config.command != command:
            events += (CommandChanged(config.command, command),)
        if config.msix_control != control:
            events += self._follow_msix_control()
        if dw == COMMAND and enables & 1:
            events += self._follow_bus_master()
        return events

    def _follow_msix_control(self) -> Events:
        control = self.config.msix_control
        was_enabled = self.msix.enabled
        self.msix.enabled = bool(control & MSIX_ENABLE)
        self.msix.function_masked = bool(control & MSIX_FUNCTION_MASK)
        if self.msix.enabled:
            self.registers.intx_pending = False
        elif was_enabled and self.profile.msix_disable_raises_intx:
            self.registers.intx_pending = self.registers.isr != 0
        return self._due(self.msix.release_pending())

    def _follow_bus_master(self) -> Events:
        on = self.bus_master
        choice = self.profile.bus_master_off
        if choice == "clears_driver_ok":
            self.halted = not on
        if choice in ("clears_driver_ok", "clears_driver_ok_only"):
            return NOTHING if on or self._tolerant else self.registers.clear_driver_ok()
        if self.profile.msix_pending_without_bus_master == "pending":
            self.msix.blocked = not on
        return self._due(self.msix.release_pending())

    @staticmethod
    def _due(messages: list[Message]) -> Events:
        return tuple(MessageDue(message) for message in messages)

    # --- BAR0

    def io_read(self, offset: int, size: int) -> int:
        """``size`` bytes (1, 2, 4) of BAR0; ones while I/O decode is off (VPCI-REG-23)."""
        if not self.config.command & COMMAND_IO:
            return ONES[size]
        return self.access.read(offset, size)

    def io_write(self, offset: int, size: int, value: int) -> Events:
        """Write BAR0; dropped while I/O decode is off."""
        if not self.config.command & COMMAND_IO:
            return NOTHING
        events = self.access.write(offset, size, value)
        return self._followed(events) if events else NOTHING

    def io_read_enabled(self, dw: int, enables: int) -> int:
        """The enabled bytes of the DW at BAR0 offset ``dw``, in their lanes. Does not look at I/O decode."""
        return self.access.read_enabled(dw, enables)

    def io_write_enabled(self, dw: int, enables: int, value: int) -> Events:
        """Write the enabled bytes of the DW at BAR0 offset ``dw``. Does not look at I/O decode."""
        events = self.access.write_enabled(dw, enables, value)
        return self._followed(events) if events else NOTHING

    def _followed(self, events: Events) -> Events:
        """What PCI does after register events: resets end a halt, status 3 may set bus master."""
        for event in events:
            if isinstance(event, DeviceReset):
                self.halted = self.broken = False
            elif isinstance(event, StatusChanged):
                self._follow_status(event)
        return events

    def _follow_status(self, event: StatusChanged) -> None:
        if self._wakes_bus_master(event.written):
            self.config.set_bus_master()
        if self.profile.late_bus_master_tolerated and event.status & STATUS_DRIVER_OK and not self.bus_master:
            self._tolerant = True

    def _wakes_bus_master(self, written: int) -> bool:
        return self.profile.status_driver_sets_bus_master and written == STATUS_ACKNOWLEDGE | STATUS_DRIVER

    # --- memory BARs

    def table_offset(self, bar: int, place: int) -> int | None:
        """Offset in the MSI-X table of the byte at ``place`` of a BAR, None outside it (PCI-MSIX-12)."""
        where, first = self.profile.msix_table
        return place - first if bar == where and 0 <= place - first < self.msix.table_bytes else None

    def pending_offset(self, bar: int, place: int) -> int | None:
        """Offset in the pending bits of the byte at ``place`` of a BAR, None outside them."""
        where, first = self.profile.msix_pending
        return place - first if bar == where and 0 <= place - first < self.msix.pending_bytes else None

    def _read_dw(self, bar: int, place: int) -> int:
        offset = self.table_offset(bar, place)
        if offset is not None:
            return self.msix.read_dw(offset)
        offset = self.pending_offset(bar, place)
        return 0 if offset is None else self.msix.read_pending_dw(offset)

    def _write_dw(self, bar: int, place: int, value: int) -> Events:
        offset = self.table_offset(bar, place)
        return NOTHING if offset is None else self._due(self.msix.write_dw(offset, value))

    def mem_read(self, offset: int, size: int, *, bar: int = 1) -> int:
        """``size`` bytes (1, 2, 4, 8) of a memory BAR."""
        if not self.config.command & COMMAND_MEMORY:
            return int.from_bytes(bytes((self.profile.undecoded_memory_read,)) * size, "little")
        whole_only = self.profile.msix_partial_read == "zero"
        value = 0
        for place, piece in pieces(offset, size, 4):
            if piece < 4 and whole_only:
                continue
            dword = self._read_dw(bar, place & ~3) >> 8 * (place & 3)
            value |= (dword & ONES[piece]) << 8 * (place - offset)
        return value

    def mem_write(self, offset: int, size: int, value: int, *, bar: int = 1) -> Events:
        """Write a memory BAR; only whole aligned DWs reach the table (PCI-MSIX-05)."""
        if not self.config.command & COMMAND_MEMORY:
            return NOTHING
        events = NOTHING
        for place, piece in pieces(offset, size, 4):
            if piece == 4:
                events += self._write_dw(bar, place, value >> 8 * (place - offset) & ONES[4])
        return events

    def mem_read_enabled(self, dw: int, enables: int, *, bar: int = 1) -> int:
        """The enabled bytes of the DW at ``dw`` of a memory BAR. Does not look at memory decode."""
        if enables != 0xF and self.profile.msix_partial_read == "zero":
            return 0
        return self._read_dw(bar, dw) & _lane_mask(enables)

    def mem_write_enabled(self, dw: int, enables: int, value: int, *, bar: int = 1) -> Events:
        """Write the DW at ``dw`` of a memory BAR when all its bytes are enabled. Does not look at decode."""
        return self._write_dw(bar, dw, value) if enables == 0xF else NOTHING

    # --- interrupts

    def queue_interrupt(self, queue: int) -> Message | None:
        """The device interrupts for ``queue``; returns the MSI-X message to send now, if any."""
        if self.profile.queue_interrupt == "driver_ok" and not self.registers.status & STATUS_DRIVER_OK:
            return None
        if self.profile.isr_queue_under_msix or not self.msix.enabled:
            self.registers.isr |= ISR_QUEUE
        return self._signal(self.registers.vectors.get(queue, NO_VECTOR))

    def config_interrupt(self) -> Message | None:
        """The device configuration has changed; returns the MSI-X message to send now, if any."""
        registers = self.registers
        if self.profile.config_interrupt == "driver_ok" and not registers.status & STATUS_DRIVER_OK:
            return None
        if self.profile.isr_config_under_msix or not self.msix.enabled:
            registers.isr |= self.profile.isr_config_change
        return self._signal(registers.config_vector)

    def _signal(self, vector: int) -> Message | None:
        if self.halted or self.broken:
            return None
        if self.msix.enabled:
            return self.msix.notify(vector)
        self.registers.intx_pending = True
        return None


_LANE_MASKS = tuple(
    sum(0xFF << 8 * lane for lane in range(4) if enables >> lane & 1) for enables in range(16)
)


def _lane_mask(enables: int) -> int:
    return _LANE_MASKS[enables]
