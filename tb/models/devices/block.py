"""The virtio block device: one request is a header, data, and a status byte (VBLK)."""

from __future__ import annotations

from collections.abc import Generator
from struct import Struct

from tb.models.devices.base import (
    STATUS_DRIVER_OK,
    DeviceModel,
    DeviceType,
    Drain,
    Effects,
    Gather,
    MediaFlush,
    MediaRead,
    MediaResult,
    MediaWrite,
    Operation,
    Result,
    Serve,
)
from tb.models.profile import Profile
from tb.models.virtqueue import F_ANY_LAYOUT, Chain, ChainError

SECTOR = 512
HEADER_BYTES = 16
ID_BYTES = 20

F_RO = 5
F_FLUSH = 9
F_CONFIG_WCE = 11
F_MQ = 12
F_DISCARD = 13
F_WRITE_ZEROES = 14

TYPE_OUT = 1  # the bit that makes IN an OUT
TYPE_SCSI = 2
TYPE_FLUSH = 4
TYPE_GET_ID = 8
TYPE_DISCARD = 11
TYPE_WRITE_ZEROES = 13
TYPE_BARRIER = 1 << 31

STATUS_OK = 0
STATUS_IOERR = 1
STATUS_UNSUPP = 2

_HEADER = Struct("<IIQ")
_RANGE = Struct("<QII")
_RANGE_UNMAP = 1
_MAX_RANGE_SECTORS = 0x3FFFFF
_SCSI_ERRORS = (255).to_bytes(4, "little")
_WRITEBACK = 32  # offset of the one driver-writable field
_NUM_QUEUES_END = 36

# capacity, size_max, seg_max, cylinders, heads, sectors, blk_size, topology (4 fields), writeback, unused,
# num_queues, discard (3 fields), write zeroes (3 fields), 3 unused
_CONFIG = Struct("<QIIHBBIBBHIBBHIIIIIB3x")

# What becomes of a request: the status byte, the bytes put before it, the requirement that decides it.
_Outcome = tuple[int, bytes, str]
_Requests = Generator[Operation, Result, _Outcome]


class BlockDevice(DeviceModel):
    """A disk of ``capacity`` sectors of 512 bytes with a ``serial`` of up to 20 characters."""

    type = DeviceType.BLOCK

    def __init__(
        self,
        profile: Profile,
        *,
        capacity: int,
        serial: bytes = b"",
        read_only: bool = False,
        queues: int = 1,
        queue_size: int = 256,
        vectors: int = 3,
    ) -> None:
        self.capacity = capacity
        self.serial = serial[:ID_BYTES]
        self.read_only = read_only
        self.queue_sizes = (queue_size,) * queues
        self.vectors = vectors
        self.writeback = True
        self.config_length = profile.block_config_length
        ring = profile.ring_features
        if not profile.block_any_layout:
            ring &= ~(1 << F_ANY_LAYOUT)
        # Several queues are announced only where the configuration reaches as far as their number.
        multi_queue = queues > 1 and self.config_length >= _NUM_QUEUES_END
        self.host_features = ring | profile.block_features | read_only << F_RO | multi_queue << F_MQ
        self._geometry = _guessed_geometry(capacity) if profile.block_geometry else (0, 0, 0)
        super().__init__(profile)

    def resize(self, capacity: int) -> None:
        """The disk has ``capacity`` sectors now (VBLK-20)."""
        self.capacity = capacity
        self.config_changed()

    def build_config(self) -> bytes:
        discards = self.host_features >> F_DISCARD & 1
        zeroes = self.host_features >> F_WRITE_ZEROES & 1
        return _CONFIG.pack(
            self.capacity,
            0,
            self.profile.block_seg_max or self.queue_sizes[0] - 2,
            *self._geometry,
            SECTOR,
            *(0, 0, 0, 0),
            self.writeback,
            0,
            len(self.queue_sizes),
            *(_MAX_RANGE_SECTORS * discards, discards, discards),
            *(_MAX_RANGE_SECTORS * zeroes, zeroes, zeroes),
        )

    def take_config(self, content: bytes) -> None:
        if self._serves(F_CONFIG_WCE) and len(content) > _WRITEBACK:
            self.writeback = content[_WRITEBACK] != 0

    def _serves(self, feature: int) -> bool:
        return bool(self.host_features >> feature & 1) or self.profile.block_unoffered == "served"

    def status_written(self, status: int) -> None:
        """DRIVER_OK without CONFIG_WCE settles the cache mode by FLUSH (VBLK-05)."""
        super().status_written(status)
        if status & STATUS_DRIVER_OK and not self.features >> F_CONFIG_WCE & 1:
            self.writeback = bool(self.features >> F_FLUSH & 1)
            self._config = None

    def reset(self) -> None:
        super().reset()
        self.writeback = True

    def drain_style(self, queue: int) -> Drain:
        return Drain.QUIET

    def serve(self, queue: int, chain: Chain) -> Serve:
        """One request; its status is the last writable byte, wherever descriptors end (VRING-DESC-06)."""
        if not chain.readable or not chain.writable:
            raise ChainError("BAD-BLK-01", f"block request {chain.head} lacks a header or a status byte")
        header = yield Gather(0, HEADER_BYTES)
        if not isinstance(header, bytes) or len(header) < HEADER_BYTES:
            raise ChainError("BAD-BLK-02", f"block request {chain.head} has a header of fewer than 16 bytes")
        kind, _, sector = _HEADER.unpack(header)
        kind &= ~TYPE_BARRIER
        writes: tuple[tuple[int, bytes], ...] = ()
        match kind & ~TYPE_OUT:
            case 0 if kind & TYPE_OUT:
                outcome = yield from self._out(sector, chain.readable_length - HEADER_BYTES)
            case 0:
                outcome = yield from self._in(sector, chain.writable_length - 1)
            case 4:
                outcome = _ended((yield MediaFlush()), "VBLK-17")
            case 8:
                outcome = STATUS_OK, self._id()[: chain.writable_length - 1], "VBLK-14"
            case 10 | 12 if self._serves(F_DISCARD if kind & ~1 == 10 else F_WRITE_ZEROES):
                outcome = yield from self._range(kind, chain)
            case 2 if self.profile.block_scsi == "refused_with_errors":
                outcome, writes = _scsi_outcome(chain), _scsi_errors(chain)
            case _:
                outcome = STATUS_UNSUPP, b"", "VBLK-11"
        status, data, rule = outcome
        if data:
            writes += ((0, data),)
        writes += ((chain.writable_length - 1, bytes((status,))),)
        return Effects(writes, self._used_length(chain, len(data)), rule=rule)

    def failure(self, chain: Chain) -> Effects:
        """The status tells of the error; no data were written."""
        status = chain.writable_length - 1, bytes((STATUS_IOERR,))
        return Effects((status,), self._used_length(chain, 0))

    def _used_length(self, chain: Chain, data_length: int) -> int:
        """Used length: all that is writable, or the prefix really written (VRING-US-04)."""
        if self.profile.block_used_length == "whole_buffer":
            return chain.writable_length
        return chain.writable_length if data_length == chain.writable_length - 1 else data_length

    def _id(self) -> bytes:
        if self.profile.block_id == "padded":
            return self.serial.ljust(ID_BYTES, b"\0")
        return (self.serial + b"\0")[:ID_BYTES]

    def _fits(self, sector: int, length: int) -> bool:
        """Whole sectors that end inside the disk; 64-bit sector numbers do not wrap (VBLK-12, VBLK-22)."""
        return length % SECTOR == 0 and sector + length // SECTOR <= self.capacity

    def _in(self, sector: int, length: int) -> _Requests:
        if not self._fits(sector, length):
            return _outside(sector, length)
        if not length:
            yield from self._queued()
            return STATUS_OK, b"", ""
        result = yield MediaRead(sector, length // SECTOR)
        status, _, rule = _ended(result, "")
        return status, result.data if isinstance(result, MediaResult) else b"", rule

    def _queued(self) -> Generator[Operation, Result, None]:
        """A request with nothing to transfer waits its turn where requests overlap (VRING-US-06)."""
        if self.profile.requests_overlap:
            yield MediaRead(0, 0)

    def _out(self, sector: int, length: int) -> _Requests:
        if not self._fits(sector, length):
            return _outside(sector, length)
        if self.read_only:
            yield from self._queued()
            return STATUS_IOERR, b"", "VBLK-13"
        if not length:
            yield from self._queued()
            return STATUS_OK, b"", ""
        data = yield Gather(HEADER_BYTES, length)
        assert isinstance(data, bytes)
        return _ended((yield MediaWrite(sector, data)), "")

    def _range(self, kind: int, chain: Chain) -> _Requests:
        """DISCARD and WRITE_ZEROES with their one segment of 16 bytes (VBLK-15)."""
        length = chain.readable_length - HEADER_BYTES
        if not kind & TYPE_OUT or length > _RANGE.size:
            return STATUS_UNSUPP, b"", "VBLK-15"
        if length < _RANGE.size:
            raise ChainError(
                "BAD-BLK-11", f"block request {chain.head} has a segment of {length} bytes, not 16"
            )
        segment = yield Gather(HEADER_BYTES, _RANGE.size)
        assert isinstance(segment, bytes)
        sector, count, flags = _RANGE.unpack(segment)
        if count > _MAX_RANGE_SECTORS or not self._fits(sector, count * SECTOR):
            return _outside(sector, count * SECTOR)
        if flags & ~_RANGE_UNMAP or (kind == TYPE_DISCARD and flags):
            return STATUS_UNSUPP, b"", "VBLK-15"
        if kind == TYPE_DISCARD or not count or self.read_only:
            yield from self._queued()
            refused = self.read_only and count and kind != TYPE_DISCARD
            return STATUS_IOERR if refused else STATUS_OK, b"", "VBLK-13" if refused else "VBLK-15"
        return _ended((yield MediaWrite(sector, bytes(count * SECTOR))), "VBLK-15")


def _ended(result: Result, rule: str) -> _Outcome:
    """What the media said, and `rule` unless they failed (VBLK-10)."""
    if isinstance(result, MediaResult) and result.ok:
        return STATUS_OK, b"", rule
    return STATUS_IOERR, b"", "VBLK-10"


def _outside(sector: int, length: int) -> _Outcome:
    """Not whole sectors inside the disk; a byte offset past 64 bits is a rule of its own."""
    wraps = (sector + length // SECTOR) * SECTOR >> 64
    return STATUS_IOERR, b"", "VBLK-22" if wraps else "VBLK-12"


def _scsi_outcome(chain: Chain) -> _Outcome:
    """A SCSI command has its own command and sense descriptors, or it is no SCSI command (VBLK-19)."""
    framed = len(chain.readable) >= 2 and len(chain.writable) >= 3
    return (STATUS_UNSUPP if framed else STATUS_IOERR), b"", "VBLK-19"


def _scsi_errors(chain: Chain) -> tuple[tuple[int, bytes], ...]:
    if len(chain.readable) < 2 or len(chain.writable) < 3:
        return ()
    offset = sum(segment.length for segment in chain.writable[:-2])
    return ((offset, _SCSI_ERRORS),)


def _guessed_geometry(capacity: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors a BIOS would guess for a disk without a partition table."""
    heads, sectors = 16, 63
    return min(max(capacity // (heads * sectors), 2), 16383), heads, sectors
