"""How an access of any width and offset reaches the registers of BAR0 (VPCI-REG-08, VPCI-REG-10).

Four answers are known, one class each; the profile picks. ``read`` and ``write`` take BAR0 offsets and sizes
of 1, 2 or 4 bytes; ``read_enabled`` and ``write_enabled`` take what a TLP carries, a DW and byte enables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from tb.models.devices.base import DeviceModel
from tb.models.events import NOTHING, ConfigWritten, Events
from tb.models.profile import Profile
from tb.models.registers import CONFIG_WITHOUT_MSIX, WIDTHS, LegacyRegisters

ONES = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF, 8: 0xFFFFFFFFFFFFFFFF}
_BYTE_LANES = tuple(tuple(lane for lane in range(4) if enables >> lane & 1) for enables in range(16))


class Access(Protocol):
    """Cuts bus accesses into whole registers and bytes of device configuration."""

    def read(self, offset: int, size: int) -> int: ...

    def write(self, offset: int, size: int, value: int) -> Events: ...

    def read_enabled(self, dw: int, enables: int) -> int:
        """Read the DW at offset ``dw``; disabled bytes read 0 and have no side effect."""

    def write_enabled(self, dw: int, enables: int, value: int) -> Events:
        """Write the enabled bytes of the DW at offset ``dw``."""


def pieces(offset: int, size: int, largest: int) -> Iterator[tuple[int, int]]:
    """Cut ``size`` bytes at ``offset`` into the largest naturally aligned (offset, size) pieces."""
    end = offset + size
    while offset < end:
        piece = largest
        while offset & (piece - 1) or offset + piece > end:
            piece >>= 1
        yield offset, piece
        offset += piece


def runs(enables: int) -> Iterator[tuple[int, int]]:
    """(first lane, count) of each run of neighbouring enabled bytes of a DW."""
    lane = 0
    while enables >> lane:
        if not enables >> lane & 1:
            lane += 1
            continue
        first = lane
        while enables >> lane & 1:
            lane += 1
        yield first, lane - first


class DeviceConfig:
    """The device configuration behind the header: reads past its end give ones, writes there are dropped."""

    __slots__ = ("_device",)

    def __init__(self, device: DeviceModel) -> None:
        self._device = device

    def read(self, offset: int, size: int) -> int:
        """``size`` bytes at config ``offset``; ones when any of them lies past the end (VPCI-REG-15)."""
        if offset + size > self._device.config_length:
            return ONES[size]
        content = self._device.config_bytes()
        return int.from_bytes(content[offset : offset + size], "little")

    def write(self, offset: int, data: bytes) -> Events:
        """Write inside the configuration; one that reaches past its end is dropped whole."""
        if offset + len(data) > self._device.config_length:
            return NOTHING
        self._device.write_config(offset, data)
        return (ConfigWritten(offset, data),)


class _SizedAccess:
    """Shared by the two kinds that think in offset and size: a DW with byte enables is taken run by run."""

    __slots__ = ("_config", "_registers")

    def __init__(self, registers: LegacyRegisters, config: DeviceConfig) -> None:
        self._registers = registers
        self._config = config

    def read(self, offset: int, size: int) -> int:
        raise NotImplementedError

    def write(self, offset: int, size: int, value: int) -> Events:
        raise NotImplementedError

    def read_enabled(self, dw: int, enables: int) -> int:
        value = 0
        for lane, count in runs(enables):
            for offset, size in pieces(dw + lane, count, 4):
                value |= self.read(offset, size) << 8 * (offset - dw)
        return value

    def write_enabled(self, dw: int, enables: int, value: int) -> Events:
        events = NOTHING
        for lane, count in runs(enables):
            for offset, size in pieces(dw + lane, count, 4):
                events += self.write(offset, size, value >> 8 * (offset - dw) & ONES[size])
        return events


class RegisterStartAccess(_SizedAccess):
    """Natural pieces; each reaches the register that starts exactly there, whole, whatever its width."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> int:
        if offset & (size - 1) == 0:
            return self._read_piece(offset, size)
        value = 0
        for place, piece in pieces(offset, size, 4):
            value |= self._read_piece(place, piece) << 8 * (place - offset)
        return value

    def _read_piece(self, offset: int, size: int) -> int:
        registers = self._registers
        if offset >= CONFIG_WITHOUT_MSIX:
            base = registers.config_base
            if offset >= base:
                return self._config.read(offset - base, size)
        if offset in WIDTHS:
            return registers.read(offset) & ONES[size]
        return ONES[size]

    def write(self, offset: int, size: int, value: int) -> Events:
        if offset & (size - 1) == 0:
            return self._write_piece(offset, size, value)
        events = NOTHING
        for place, piece in pieces(offset, size, 4):
            events += self._write_piece(place, piece, value >> 8 * (place - offset) & ONES[piece])
        return events

    def _write_piece(self, offset: int, size: int, value: int) -> Events:
        base = self._registers.config_base
        if offset >= base:
            return self._config.write(offset - base, value.to_bytes(size, "little"))
        return self._registers.write(offset, value) if offset in WIDTHS else NOTHING


class UncutAccess(RegisterStartAccess):
    """No cutting: an access reaches the register that starts exactly at its offset, or none."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> int:
        return self._read_piece(offset, size)

    def write(self, offset: int, size: int, value: int) -> Events:
        return self._write_piece(offset, size, value)


class ExactAccess(_SizedAccess):
    """Only a register's own width at its own offset works; anything else reads ones and writes nothing."""

    __slots__ = ()

    def read(self, offset: int, size: int) -> int:
        base = self._registers.config_base
        if offset >= base:
            return self._config.read(offset - base, size)
        return self._registers.read(offset) if WIDTHS.get(offset) == size else ONES[size]

    def write(self, offset: int, size: int, value: int) -> Events:
        base = self._registers.config_base
        if offset >= base:
            return self._config.write(offset - base, value.to_bytes(size, "little"))
        return self._registers.write(offset, value) if WIDTHS.get(offset) == size else NOTHING


class ByteEnableAccess:
    """Every enabled byte counts, no other: a partial write is merged into what the register holds."""

    __slots__ = ("_config", "_registers")

    def __init__(self, registers: LegacyRegisters, config: DeviceConfig) -> None:
        self._registers = registers
        self._config = config

    def read(self, offset: int, size: int) -> int:
        value = 0
        for dw, enables, shift in _dwords(offset, size):
            lanes = self.read_enabled(dw, enables)
            value |= lanes << shift if shift >= 0 else lanes >> -shift
        return value

    def write(self, offset: int, size: int, value: int) -> Events:
        events = NOTHING
        for dw, enables, shift in _dwords(offset, size):
            lanes = value >> shift if shift >= 0 else value << -shift
            events += self.write_enabled(dw, enables, lanes & 0xFFFFFFFF)
        return events

    def read_enabled(self, dw: int, enables: int) -> int:
        base = self._registers.config_base
        if dw >= base:
            lanes = _BYTE_LANES[enables]
            return sum(self._config.read(dw + lane - base, 1) << 8 * lane for lane in lanes)
        value = 0
        for register, lane, mask in _registers_in(dw, enables):
            value |= (self._registers.read(register) & mask) << 8 * lane
        return value

    def write_enabled(self, dw: int, enables: int, value: int) -> Events:
        base = self._registers.config_base
        events = NOTHING
        if dw >= base:
            for lane in _BYTE_LANES[enables]:
                events += self._config.write(dw + lane - base, bytes((value >> 8 * lane & 0xFF,)))
            return events
        for register, lane, mask in _registers_in(dw, enables):
            events += self._write_register(register, value >> 8 * lane & mask, mask)
        return events

    def _write_register(self, register: int, value: int, mask: int) -> Events:
        if register in _TRIGGERS:
            return self._registers.write(register, value) if mask & 0xFF else NOTHING
        return self._registers.write(register, self._registers.peek(register) & ~mask | value)


_TRIGGERS = {0x10, 0x12}  # notify and status act when their low byte is written, with nothing merged in


def _registers_in(dw: int, enables: int) -> Iterator[tuple[int, int, int]]:
    """(register, its first lane, mask of its enabled bytes) of each register an access to ``dw`` touches."""
    for lane in range(4):
        width = WIDTHS.get(dw + lane)
        if width is None:
            continue
        mask = sum(0xFF << 8 * byte for byte in range(width) if enables >> lane + byte & 1)
        if mask:
            yield dw + lane, lane, mask


def _dwords(offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(DW offset, byte enables, left shift from the DW's lanes to the access's value) of each DW touched."""
    end = offset + size
    dw = offset & ~3
    while dw < end:
        enables = sum(1 << lane for lane in range(4) if offset <= dw + lane < end)
        yield dw, enables, 8 * (dw - offset)
        dw += 4


_KINDS: dict[str, Callable[[LegacyRegisters, DeviceConfig], Access]] = {
    "byte_enables": ByteEnableAccess,
    "register_start": RegisterStartAccess,
    "register_start_uncut": UncutAccess,
    "exact": ExactAccess,
}


def access_for(profile: Profile, registers: LegacyRegisters, device: DeviceModel) -> Access:
    """The profile's kind of access to ``registers`` and to the configuration of ``device``."""
    return _KINDS[profile.access_width](registers, DeviceConfig(device))
