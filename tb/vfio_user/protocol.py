"""The vfio-user protocol as data: commands, header, flags, and the bodies this server reads and writes.

Source: the public vfio-user specification (version 0.x) and the structures of `<linux/vfio.h>` it reuses. All
fields are little-endian; every message starts with a 16-byte header. Bodies start after the header, so every
size and offset here is counted from the end of the header unless it says otherwise.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar

HEADER_SIZE = 16
MAX_DATA = 1 << 20
"""Bytes of data one region or DMA message may carry."""
MAX_MESSAGE = HEADER_SIZE + 64 + MAX_DATA
MAX_FDS = 16
"""File descriptors one message may carry."""

_HEADER = struct.Struct("<HHIII")


class Command(IntEnum):
    """What a message asks for."""

    VERSION = 1
    DMA_MAP = 2
    DMA_UNMAP = 3
    DEVICE_GET_INFO = 4
    DEVICE_GET_REGION_INFO = 5
    DEVICE_GET_REGION_IO_FDS = 6
    DEVICE_GET_IRQ_INFO = 7
    DEVICE_SET_IRQS = 8
    REGION_READ = 9
    REGION_WRITE = 10
    DMA_READ = 11
    DMA_WRITE = 12
    DEVICE_RESET = 13
    DIRTY_PAGES = 14
    REGION_WRITE_MULTI = 15


class HeaderFlag(IntFlag):
    """Flags of the header: the low four bits are the type (0 command, 1 reply)."""

    REPLY = 0x01
    NO_REPLY = 0x10
    ERROR = 0x20


TYPE_MASK = 0x0F


class Region(IntEnum):
    """Region numbers of a PCI device."""

    BAR0 = 0
    BAR1 = 1
    ROM = 6
    CONFIG = 7
    VGA = 8


REGION_COUNT = 9
REGION_READABLE = 1
REGION_WRITABLE = 2


class Irq(IntEnum):
    """Interrupt kinds of a PCI device."""

    INTX = 0
    MSI = 1
    MSIX = 2
    ERROR = 3
    REQUEST = 4


IRQ_COUNT = 5


class IrqInfo(IntFlag):
    """How an interrupt kind can be used."""

    EVENTFD = 1
    MASKABLE = 2
    AUTOMASKED = 4


class IrqSet(IntFlag):
    """Flags of SET_IRQS: one of the data forms, one of the actions."""

    DATA_NONE = 0x01
    DATA_BOOL = 0x02
    DATA_EVENTFD = 0x04
    MASK = 0x08
    UNMASK = 0x10
    TRIGGER = 0x20


class DmaFlag(IntFlag):
    """What the function may do with a mapped range; MAPPABLE says a file descriptor came along."""

    READ = 1
    WRITE = 2
    MAPPABLE = 4


UNMAP_DIRTY_BITMAP = 1
UNMAP_ALL = 2
DEVICE_FLAGS_RESET = 1
DEVICE_FLAGS_PCI = 2


class ProtocolError(Exception):
    """A message that cannot be served. `number` is the errno of the reply, the text is a sentence."""

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(f"{errno.errorcode.get(number, number)}: {sentence}")
        self.number = number
        self.sentence = sentence


@dataclass(slots=True, frozen=True)
class Header:
    """The 16 bytes every message starts with. `size` counts the header too, in bytes."""

    message_id: int
    command: int
    size: int
    flags: int = 0
    error: int = 0

    def pack(self) -> bytes:
        """The header's 16 bytes."""
        return _HEADER.pack(self.message_id, self.command, self.size, self.flags, self.error)

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Header:
        """Read 16 bytes."""
        return cls(*_HEADER.unpack(data))

    @property
    def is_reply(self) -> bool:
        return self.flags & TYPE_MASK == HeaderFlag.REPLY

    @property
    def wants_reply(self) -> bool:
        return not self.flags & HeaderFlag.NO_REPLY


@dataclass(slots=True, frozen=True)
class Message:
    """One whole message: header, body (bytes after the header), file descriptors that came with it."""

    header: Header
    body: bytes
    fds: tuple[int, ...] = ()


def message(message_id: int, command: int, body: bytes = b"", flags: int = 0, error: int = 0) -> bytes:
    """Header and body of one message, ready to send."""
    return Header(message_id, command, HEADER_SIZE + len(body), flags, error).pack() + body


def name_of(command: int) -> str:
    """The command's name, for sentences; also for numbers nobody knows."""
    try:
        return Command(command).name
    except ValueError:
        return f"command {command}"


class Layout:
    """One body's fixed part: a `struct` format and what it is called, checked on unpacking."""

    def __init__(self, name: str, format_: str) -> None:
        self.name = name
        self._struct = struct.Struct("<" + format_)
        self.size = self._struct.size

    def unpack(self, body: bytes) -> tuple[int, ...]:
        """The fields; ProtocolError (EINVAL) when the body is too short for them."""
        if len(body) < self.size:
            raise ProtocolError(
                errno.EINVAL, f"a {self.name} body has at least {self.size} bytes, this one has {len(body)}"
            )
        return self._struct.unpack_from(body)

    def pack(self, *fields: int) -> bytes:
        """The fields' bytes."""
        return self._struct.pack(*fields)


VERSION = Layout("VERSION", "HH")  # major, minor; then JSON text with a NUL
DMA_MAP = Layout("DMA_MAP", "IIQQQ")  # argsz, flags, offset in the file, address, size
DMA_UNMAP = Layout("DMA_UNMAP", "IIQQ")  # argsz, flags, address, size
DEVICE_INFO = Layout("DEVICE_GET_INFO", "IIII")  # argsz, flags, regions, interrupt kinds
REGION_INFO = Layout("DEVICE_GET_REGION_INFO", "IIIIQQ")  # argsz, flags, index, capabilities, size, offset
IRQ_INFO = Layout("DEVICE_GET_IRQ_INFO", "IIII")  # argsz, flags, index, count
IRQ_SET = Layout("DEVICE_SET_IRQS", "IIIII")  # argsz, flags, index, start, count; then booleans
REGION_ACCESS = Layout("region access", "QII")  # offset, region, count; then data
DMA_ACCESS = Layout(
    "DMA access", "QQ"
)  # address, count; then data. (The specification text draws a 4-byte count:
# libvfio-user and QEMU 11 both take 8 bytes.)


@dataclass(slots=True, frozen=True)
class RegionAccess:
    """A read or write of `count` bytes at `offset` of `region`; `data` is empty for a read."""

    offset: int
    region: int
    count: int
    data: bytes

    SIZE: ClassVar[int] = REGION_ACCESS.size

    @classmethod
    def unpack(cls, body: bytes, *, writes: bool) -> RegionAccess:
        """Read a request's body; ProtocolError when count and data do not belong together."""
        offset, region, count = REGION_ACCESS.unpack(body)
        data = body[REGION_ACCESS.size :]
        if not 0 < count <= MAX_DATA:
            raise ProtocolError(errno.EINVAL, f"{count} bytes of data are not between 1 and {MAX_DATA}")
        if writes and len(data) != count:
            raise ProtocolError(errno.EINVAL, f"the write says {count} bytes and carries {len(data)}")
        return cls(offset, region, count, data if writes else b"")
