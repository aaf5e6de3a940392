"""Block requests as the guest's driver makes them: types, features, config, and how buffers are cut.

How a request's header, data and status are cut into buffers is a `Framing`, so that a test can cut them
anywhere (ANY_LAYOUT) without another driver.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from tb.guest.registers import RingFeature
from tb.guest.virtqueue import Piece

SECTOR = 512
HEADER_BYTES = 16
SERIAL_BYTES = 20
STATUS_POISON = 0xEE
"""What the status byte holds before the device writes it: no status any device returns."""
CONFIG_BYTES = 24
_HEADER = struct.Struct("<IIQ")
_CONFIG = struct.Struct("<QIIHBBI")


class BlockType(IntEnum):
    """Request types (VBLK-08)."""

    IN = 0
    OUT = 1
    SCSI_CMD = 2
    FLUSH = 4
    FLUSH_OUT = 5
    GET_ID = 8
    DISCARD = 11


class BlockStatus(IntEnum):
    """Request results (VBLK-10)."""

    OK = 0
    IO_ERROR = 1
    UNSUPPORTED = 2


class BlockFeature(IntFlag):
    """Feature bits of a block device (VBLK-02)."""

    NONE = 0
    SIZE_MAX = 1 << 1
    SEG_MAX = 1 << 2
    GEOMETRY = 1 << 4
    READ_ONLY = 1 << 5
    BLK_SIZE = 1 << 6
    FLUSH = 1 << 9


DRIVER_FEATURES = (
    BlockFeature.SEG_MAX
    | BlockFeature.READ_ONLY
    | BlockFeature.BLK_SIZE
    | BlockFeature.FLUSH
    | RingFeature.ANY_LAYOUT
    | RingFeature.INDIRECT_DESC
    | RingFeature.EVENT_IDX
)


@dataclass(slots=True, frozen=True)
class BlockConfig:
    """The device config every legacy block device has. `capacity` in sectors of 512 bytes."""

    capacity: int
    size_max: int
    seg_max: int
    blk_size: int

    @classmethod
    def decode(cls, raw: bytes) -> BlockConfig:
        """From the first 24 bytes of device config (VBLK-03)."""
        capacity, size_max, seg_max, *_geometry, blk_size = _CONFIG.unpack(raw[:CONFIG_BYTES])
        return cls(capacity, size_max, seg_max, blk_size)


@dataclass(slots=True)
class BlockRequest:
    """One request. `data` goes to the device, `length` bytes come from it; the rest is the result."""

    type: int
    sector: int = 0
    data: bytes = b""
    length: int = 0
    indirect: bool = False
    reserved: int = 0
    status: int = STATUS_POISON
    used_length: int = 0
    answer: bytes = b""

    @property
    def header(self) -> bytes:
        return _HEADER.pack(self.type, self.reserved, self.sector)

    @property
    def ok(self) -> bool:
        return self.status == BlockStatus.OK


@dataclass(slots=True)
class Slot:
    """Buffers for one request in flight: a header, `room` bytes of data, a status byte."""

    header: int
    data: int
    status: int
    room: int


Framing = Callable[[Slot, BlockRequest], tuple[list[Piece], list[Piece]]]
"""Cuts a request's buffers into readable and writable pieces."""


def plain_framing(slot: Slot, request: BlockRequest) -> tuple[list[Piece], list[Piece]]:
    """The legacy framing: header, data, status, each in a buffer of its own (VBLK-21)."""
    readable = [(slot.header, HEADER_BYTES)]
    writable = [(slot.status, 1)]
    if request.data:
        readable.append((slot.data, len(request.data)))
    if request.length:
        writable.insert(0, (slot.data, request.length))
    return readable, writable


def paged_framing(page: int) -> Framing:
    """Data in buffers of at most `page` bytes, as a driver with scattered pages has them."""

    def frame(slot: Slot, request: BlockRequest) -> tuple[list[Piece], list[Piece]]:
        readable = [(slot.header, HEADER_BYTES), *_cut(slot.data, len(request.data), page)]
        writable = [*_cut(slot.data, request.length, page), (slot.status, 1)]
        return readable, writable

    return frame


def _cut(address: int, length: int, page: int) -> list[Piece]:
    return [(address + at, min(page, length - at)) for at in range(0, length, page)]
