"""A plan: rows of a trace that are yet without answers. It is a driver that never looks at what comes back.

Everything in a plan follows from its random numbers alone, so the same seed gives the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tb.models.devices.base import DeviceModel
from tb.models.registers import (
    CONFIG_VECTOR,
    GUEST_FEATURES,
    HOST_FEATURES,
    ISR,
    QUEUE_NOTIFY,
    QUEUE_PFN,
    QUEUE_SELECT,
    QUEUE_SIZE,
    QUEUE_VECTOR,
    STATUS,
)
from tb.oracle.live.kinds import BAR0, BAR1, Kind
from tb.oracle.trace import Row

T = TypeVar("T")

MESSAGES = 0x3000  # MSI-X messages of entry n are written here, 4 bytes each
MESSAGE_DATA = 0xA0
RINGS = 0x10_0000
RING_ROOM = 0x8000
BUFFERS = 0x20_0000
BUFFERS_END = 0x200_0000
MSIX_CONTROL = 0x42
MSIX_ENABLE = 0x8000
MSIX_MASK = 0x4000
COMMAND = 4
COMMAND_ALL = 7
NO_VECTOR = 0xFFFF


@dataclass(frozen=True, slots=True)
class Shape:
    """What a driver finds out about the device: entries of each queue, vectors, features, config bytes."""

    queues: tuple[int, ...]
    vectors: int
    features: int
    config_length: int

    @classmethod
    def of(cls, device: DeviceModel) -> Shape:
        return cls(tuple(device.queue_sizes), device.vectors, device.host_features, device.config_length)


class Plan:
    """Rows under construction for the device of ``kind``."""

    def __init__(self, kind: Kind, shape: Shape, rng: Random) -> None:
        self.kind = kind
        self.shape = shape
        self.rng = rng
        self.rows: list[Row] = []
        self._free = BUFFERS
        self.msix = False
        self.features = 0
        self.note("PIRQA-D of the PIIX3 bridge routed to GSI 11 before this trace")

    # --- chance

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def choose(self, values: Sequence[T]) -> T:
        return self.rng.choice(values)

    def number(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return self.rng.randint(low, high)

    # --- rows

    def row(self, operation: str, **values: object) -> None:
        self.rows.append({"op": operation, **values})

    def note(self, text: str) -> None:
        self.row("note", text=text)

    def cfg_r(self, offset: int, size: int = 4) -> None:
        self.row("cfg_r", addr=offset, size=size)

    def cfg_w(self, offset: int, size: int, value: int) -> None:
        self.row("cfg_w", addr=offset, size=size, value=value)

    def io_r(self, offset: int, size: int) -> None:
        self.row("io_r", addr=offset, size=size)

    def io_w(self, offset: int, size: int, value: int) -> None:
        self.row("io_w", addr=offset, size=size, value=value)

    def mem_r(self, offset: int, size: int = 4) -> None:
        self.row("mem_r", addr=offset, size=size)

    def mem_w(self, offset: int, size: int, value: int) -> None:
        self.row("mem_w", addr=offset, size=size, value=value)

    def ram_r(self, address: int, length: int) -> None:
        self.row("ram_r", addr=address, size=length)

    def ram_w(self, address: int, data: bytes) -> None:
        self.row("ram_w", addr=address, size=len(data), value=data.hex())

    def ram_fill(self, address: int, length: int, byte: int) -> None:
        self.row("ram_fill", addr=address, size=length, value=byte)

    def intx(self) -> None:
        self.row("intx")

    def settle(self) -> None:
        self.row("settle")

    def host(self, command: str, **arguments: object) -> None:
        self.row("host", cmd=command, args=arguments)

    # --- memory

    def buffer(self, length: int) -> int:
        """A fresh address with ``length`` bytes and some more behind it; seldom aligned."""
        gap = self.number(1, 64)
        if self._free + length + gap + 64 > BUFFERS_END:
            self._free = BUFFERS
        address = self._free + gap
        self._free = address + length + 16
        return address

    # --- what a driver does

    def enable(self, command: int = COMMAND_ALL) -> None:
        """BARs where a trace has them, decoding and bus master on."""
        self.cfg_w(0x10, 4, BAR0)
        if self.shape.vectors:
            self.cfg_w(0x14, 4, BAR1)
        self.cfg_w(COMMAND, 2, command)

    def reset(self) -> None:
        self.io_w(STATUS, 1, 0)
        self.io_w(STATUS, 1, 1)
        self.io_w(STATUS, 1, 3)

    def negotiate(self, features: int) -> None:
        """Read the offer, accept ``features``."""
        self.features = features & self.shape.features
        self.io_r(HOST_FEATURES, 4)
        self.io_w(GUEST_FEATURES, 4, features)
        self.io_r(GUEST_FEATURES, 4)

    def some_features(self, always: int = 0, never: int = 0) -> int:
        """A random part of what is offered."""
        features = self.shape.features & ~(1 << 30)
        if self.chance(0.8):
            features &= self.rng.getrandbits(32) | self.rng.getrandbits(32)
        return (features | always & self.shape.features) & ~never

    def set_msix(self, on: bool) -> None:
        """Fill the table, enable or disable MSI-X."""
        if not self.shape.vectors:
            return
        self.msix = on
        self.ram_fill(MESSAGES, 4 * self.shape.vectors, 0)
        for vector in range(self.shape.vectors):
            self.mem_w(16 * vector, 4, MESSAGES + 4 * vector)
            self.mem_w(16 * vector + 4, 4, 0)
            self.mem_w(16 * vector + 8, 4, MESSAGE_DATA + vector)
            self.mem_w(16 * vector + 12, 4, 0)
        self.cfg_w(MSIX_CONTROL, 2, MSIX_ENABLE if on else 0)

    def some_vector(self) -> int:
        if self.chance(0.1):
            return self.choose((NO_VECTOR, self.shape.vectors, 0x7FFF))
        return self.number(0, max(self.shape.vectors - 1, 0))

    def look(self) -> None:
        """Everything that tells of interrupts, then the ISR and what reading it does."""
        self.intx()
        self.cfg_r(6, 2)
        if self.shape.vectors:
            self.ram_r(MESSAGES, 4 * self.shape.vectors)
            self.mem_r(0x800)
        if self.chance(0.7):
            self.io_r(ISR, 1)
            self.intx()
            self.io_r(STATUS, 1)
            if self.shape.vectors:
                self.ram_fill(MESSAGES, 4 * self.shape.vectors, 0)

    def registers(self) -> None:
        """Every register once, at its natural width."""
        for offset, size in (
            (HOST_FEATURES, 4),
            (GUEST_FEATURES, 4),
            (QUEUE_PFN, 4),
            (QUEUE_SIZE, 2),
            (QUEUE_SELECT, 2),
            (QUEUE_NOTIFY, 2),
            (STATUS, 1),
            (ISR, 1),
            (CONFIG_VECTOR, 2),
            (QUEUE_VECTOR, 2),
        ):
            self.io_r(offset, size)

    def device_config(self) -> None:
        """The device configuration from either place it may start at."""
        for offset in range(20, 24 + self.shape.config_length + 8, 4):
            self.io_r(offset, 4)

    def cold_reset(self) -> None:
        """The machine is reset; interrupts are routed anew, the function is set up anew."""
        self.host("system_reset")
        self.note("PIRQ routing redone")
        self.msix = False
        self.cfg_r(COMMAND)
        self.cfg_r(0x10)
        self.cfg_r(0x40)
        self.enable()
