"""The Python half of `shared_memory.h`: the same layout, and rings of records that go both ways.

The simulation and Python are one process and one thread, so nothing is locked. What runs per packet works on
memoryviews by word index, since a field of a ctypes structure costs ten times as much.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

MAGIC: Final = 0x4843_5445_4943_5056
VERSION: Final = 4
RING_BYTES: Final = 1 << 20
ALWAYS: Final = 256
"""The chance of a stall, in 1/256, with which a stream stands still until it is set otherwise."""


class Stream(IntEnum):
    """Everything with valid and ready on the function's boundary."""

    RX_REQ = 0
    TX_CPL = 1
    TX_REQ = 2
    RX_CPL = 3
    BLK_REQ = 4
    BLK_WDATA = 5
    BLK_RDATA = 6
    BLK_RSP = 7


class RecordKind(IntEnum):
    """What a record in the ring of observations tells."""

    PAD = 0
    PACKET = 1
    FAULT = 2
    RESET = 3
    MEDIA_REQUEST = 4
    MEDIA_WRITE = 5
    MEDIA_RESPONSE = 6


class _Ring(ctypes.Structure):
    _fields_ = (
        ("written", ctypes.c_uint64),
        ("read", ctypes.c_uint64),
        ("bytes", ctypes.c_uint8 * RING_BYTES),
    )


class _Throttle(ctypes.Structure):
    _fields_ = (
        ("stall_per_256", ctypes.c_uint32),
        ("longest", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
    )


class _SharedMemory(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("version", ctypes.c_uint32),
        ("data_bytes", ctypes.c_uint32),
        ("cycle", ctypes.c_uint64),
        ("time_ns", ctypes.c_uint64),
        ("unfinished", ctypes.c_uint64),
        ("eager", ctypes.c_uint64),
        ("held_ns", ctypes.c_uint64),
        ("coverage", ctypes.c_uint64),
        ("accept_limit", ctypes.c_uint64),
        ("throttle", _Throttle * len(Stream)),
        ("observed", _Ring),
        ("rx_req", _Ring),
        ("rx_cpl", _Ring),
        ("media", _Ring),
    )


HEADER = struct.Struct("<IIQ")
PACKET = struct.Struct("<IIQIIQQQQ")
FAULT = struct.Struct("<IIQIIQQ")
MEDIA = struct.Struct("<IIQIIQQQQ")
_LOW_64: Final = (1 << 64) - 1


class SharedMemoryError(RuntimeError):
    """The shared memory is not there, is of another version, or a ring overflows."""


class WritableRing:
    """A ring that Python writes and the simulation reads."""

    def __init__(self, base: memoryview, words: memoryview, offset: int) -> None:
        self._words = words
        self._written = offset // 8
        self._read = offset // 8 + 1
        self._bytes = base[offset + _Ring.bytes.offset : offset + _Ring.bytes.offset + RING_BYTES]

    def reserve(self, size: int) -> int:
        """Offset in `buffer` for a record of `size` bytes (a multiple of 16); `commit` publishes it."""
        written: int = self._words[self._written]
        offset = written % RING_BYTES
        pad = RING_BYTES - offset if RING_BYTES - offset < size else 0
        if written + pad + size - self._words[self._read] > RING_BYTES:
            raise SharedMemoryError("A ring to the pins is full: the function takes no packets.")
        if pad:
            HEADER.pack_into(self._bytes, offset, pad, RecordKind.PAD, 0)
            self._words[self._written] = written + pad
            offset = 0
        return offset

    def commit(self, size: int) -> None:
        """Make the reserved record visible."""
        self._words[self._written] += size

    def put_packet(self, stream: int, header: int, payload: bytes, not_before: int) -> None:
        """Add a packet that may start from clock `not_before` on."""
        length = len(payload)
        size = _aligned(PACKET.size + length)
        offset = self.reserve(size)
        fields = (size, RecordKind.PACKET, not_before, stream, length, header & _LOW_64, header >> 64, 0, 0)
        PACKET.pack_into(self._bytes, offset, *fields)
        if length:
            start = offset + PACKET.size
            self._bytes[start : start + length] = payload
        self.commit(size)

    def put_media(self, error: bool, pointer: int, length: int, not_before: int) -> None:
        """Add a response of the disk; the bytes at `pointer` must stay until it has passed."""
        size = _aligned(MEDIA.size)
        offset = self.reserve(size)
        kind = RecordKind.MEDIA_RESPONSE
        MEDIA.pack_into(self._bytes, offset, size, kind, not_before, error, 0, 0, pointer, length, 0)
        self.commit(size)


def _aligned(size: int) -> int:
    """The next multiple of a header's size, so that a pad record always has room."""
    return -(-size // HEADER.size) * HEADER.size


Record = tuple[int, int, int]
"""Kind, time in ns, offset in the buffer."""


class SharedMemory:
    """The simulation's shared memory at `address`."""

    def __init__(self, address: int) -> None:
        if not address:
            raise SharedMemoryError("The simulation gave no shared memory: is the harness part of the build?")
        self._memory = _SharedMemory.from_address(address)
        if (self._memory.magic, self._memory.version) != (MAGIC, VERSION):
            raise SharedMemoryError(
                "The simulation's shared memory is of another version than the Python half."
            )
        raw = (ctypes.c_uint8 * ctypes.sizeof(_SharedMemory)).from_address(address)
        base = memoryview(raw).cast("B")
        self._words = base.cast("Q")
        self._cycle = _SharedMemory.cycle.offset // 8
        self._held = _SharedMemory.held_ns.offset // 8
        self._time = _SharedMemory.time_ns.offset // 8
        observed = _SharedMemory.observed.offset
        self._written = observed // 8
        self._read = observed // 8 + 1
        start = observed + _Ring.bytes.offset
        self.buffer = base[start : start + RING_BYTES]
        """Bytes of the ring of observations; records lie in it at the offsets that `records` gives."""
        self.rx_req = WritableRing(base, self._words, _SharedMemory.rx_req.offset)
        self.rx_cpl = WritableRing(base, self._words, _SharedMemory.rx_cpl.offset)
        self.media = WritableRing(base, self._words, _SharedMemory.media.offset)

    @property
    def data_bytes(self) -> int:
        """DataWidth / 8."""
        return int(self._memory.data_bytes)

    @property
    def cycle(self) -> int:
        """Clocks since the start."""
        value: int = self._words[self._cycle]
        return value

    @property
    def time_ns(self) -> int:
        """Simulated time of the latest clock edge."""
        value: int = self._words[self._time]
        return value

    def set_accept_limit(self, clocks: int) -> None:
        """How long a completion for the function may wait to be taken."""
        self._memory.accept_limit = clocks

    @property
    def held_ns(self) -> int:
        """How much of `time_ns` was not the function's own: see `hold_watch.sv`."""
        value: int = self._words[self._held]
        return value

    @property
    def unfinished(self) -> int:
        """Packets that have begun on the pins and not ended."""
        return int(self._memory.unfinished)

    def set_eager(self, eager: bool) -> None:
        """Wake Python for every packet, or only for those that it has to answer."""
        self._memory.eager = int(eager)

    @property
    def coverage(self) -> int:
        """Address of the coverage window, 0 where the build does not count."""
        return int(self._memory.coverage)

    @property
    def observed_bytes(self) -> int:
        """Grows with every observation, so that equal values tell that nothing happened."""
        value: int = self._words[self._written]
        return value

    def records(self) -> Iterator[Record]:
        """The observations not read yet, oldest first.

        Each is given back to the ring when the next is asked for.
        """
        words, buffer, unpack = self._words, self.buffer, HEADER.unpack_from
        position: int = words[self._read]
        while position != words[self._written]:
            offset = position % RING_BYTES
            size, kind, time_ns = unpack(buffer, offset)
            position += size
            if kind:
                yield kind, time_ns, offset
            words[self._read] = position

    def set_throttle(self, stream: Stream, stall_per_256: int, longest: int, seed: int) -> None:
        """Stall `stream` with the given chance per clock (0: never, 256: always) for 1..`longest` clocks."""
        if not 0 <= stall_per_256 <= ALWAYS:
            raise ValueError(f"a chance of {stall_per_256}/{ALWAYS} per clock is not in 0..{ALWAYS}")
        throttle = self._memory.throttle[stream]
        throttle.longest = longest
        throttle.seed = (seed & _LOW_64) or 1
        throttle.stall_per_256 = stall_per_256
