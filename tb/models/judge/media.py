"""What is seen on the media side of a block function, as facts for the judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class MediaOperation(IntEnum):
    """`blk_req_op_o` of the function's boundary."""

    READ = 0
    WRITE = 1
    FLUSH = 2


@dataclass(slots=True, frozen=True)
class BlockRequest:
    """The function asked its disk for `count` sectors of 512 bytes from `sector` on (a flush: 0 and 0)."""

    op: int
    sector: int
    count: int


@dataclass(slots=True, frozen=True)
class BlockWriteData:
    """All data of the write request that was asked for last have passed."""

    data: bytes


@dataclass(slots=True, frozen=True)
class BlockResponse:
    """The disk answered the request that is open; `data` are those of a read, told before its first beat."""

    ok: bool
    data: bytes = b""


@dataclass(slots=True, frozen=True)
class CapacityChanged:
    """The disk now has `sectors` sectors of 512 bytes."""

    sectors: int


MediaEvent = BlockRequest | BlockWriteData | BlockResponse | CapacityChanged
