"""The machine that traces were recorded on: which device, which media, how much memory.

A trace's header holds the options the device was started with; ``Machine`` builds the same from the models.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Any

from tb.models.actor import Actor, MediaOperation
from tb.models.devices.balloon import BalloonDevice
from tb.models.devices.base import (
    MediaFlush,
    MediaRead,
    MediaRelease,
    MediaResult,
    MediaSend,
    MediaTake,
    MediaWrite,
)
from tb.models.devices.block import SECTOR, BlockDevice
from tb.models.devices.console import ConsoleDevice, Port
from tb.models.devices.net import NetDevice
from tb.models.function import FunctionModel
from tb.models.memory import Ram
from tb.models.profile import Profile
from tb.models.virtqueue import Chain, ChainError, Segment
from tb.oracle.devices import DISK_SECTORS, build_device
from tb.oracle.trace import Row

RAM_BYTES = 64 << 20
# (first address, end) of what the recorded machine has there: no video card, so RAM goes on up to its ROMs
_RAM = ((0, 0xC0000), (0xE0000, 0xF0000), (0x100000, RAM_BYTES))
_ROM = ((0xC0000, 0xE0000), (0xF0000, 0x100000))
PAGE = 4096
LONGEST_FRAME = 65507  # the wire is made of UDP datagrams: longer frames are lost
LARGEST = 1 << 30  # bytes of a disk or of memory that a host command may ask for


class BounceBuffer:
    """QEMU's way to map buffers: RAM as it is, and of all else one page at a time for the whole machine."""

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        self._holder: Chain | None = None

    def map(self, chain: Chain) -> None:
        pieces = sum(_unmapped_pieces(segment, readable=True) for segment in chain.readable)
        pieces += sum(_unmapped_pieces(segment, readable=False) for segment in chain.writable)
        if pieces > 1 or (pieces and self._holder is not None):
            raise ChainError(
                "BAD-RING-12", f"chain {chain.head} has buffers outside RAM: no bounce buffer is left"
            )
        if pieces:
            self._holder = chain

    def map_table(self, address: int, length: int) -> None:
        end = address + length
        if any(first <= address < last < end for first, last in (*_RAM, *_ROM)):
            raise ChainError(
                "VRING-IND-06", f"an indirect table of {length} bytes reaches past the RAM's end"
            )

    def unmap(self, chain: Chain) -> None:
        if self._holder is chain:
            self._holder = None


def _unmapped_pieces(segment: Segment, *, readable: bool) -> int:
    """Pages' worth of ``segment`` that are not RAM (for a read: nor ROM)."""
    end = segment.address + segment.length
    outside = 0
    for first, last in ((RAM_BYTES, end),) if readable else (*_ROM, (RAM_BYTES, end)):
        missed = min(end, last) - max(segment.address, first)
        outside += -(-missed // PAGE) if missed > 0 else 0
    return outside


class HostCommandError(Exception):
    """A command to the host side whose arguments make no sense."""


def _argument(command: str, arguments: Row, name: str, kind: type) -> Any:
    value: Any = arguments.get(name)
    sized = isinstance(value, bool) or (isinstance(value, int) and 0 <= value <= LARGEST)
    if type(value) is not kind or not sized:
        what = "true or false" if kind is bool else f"a number from 0 to {LARGEST}"
        raise HostCommandError(f"host: {command} needs {name}, {what}, not {value!r}")
    return value


def _disk() -> bytes:
    """Sector n is filled with n as 32-bit little-endian words."""
    word = Struct("<I").pack
    return b"".join(word(sector) * (SECTOR // 4) for sector in range(DISK_SECTORS))


DISK = _disk()


def recorded_ram() -> Ram:
    """Memory as the recorded machines had it, all zeros."""
    return Ram(tuple((first, end - first) for first, end in _RAM))


class Machine:
    """The actor with its memory and media; also the far end of each media, for the replay to use.

    Attributes:
        wire: frames sent, oldest first; ``terminal``: bytes sent by console ports.
    """

    def __init__(self, profile: Profile, header: Row, *, bounced: bool = True) -> None:
        """``bounced``: buffers outside RAM go through QEMU's bounce buffer; else they are mere memory."""
        self.ram = recorded_ram()
        self.device = build_device(profile, header)
        self.disk = bytearray(DISK) if isinstance(self.device, BlockDevice) else bytearray()
        self.wire: deque[bytes] = deque()
        self.terminal = bytearray()
        self._listening = False  # at the far end of the console's ports
        function = FunctionModel(profile, self.device)
        self.actor = Actor(function, self.ram, self, mapping=BounceBuffer() if bounced else None)

    # --- media

    def perform(self, operation: MediaOperation) -> MediaResult:
        """Do what the device asks of its media."""
        match operation:
            case MediaRead(sector, count):
                return MediaResult(True, bytes(self.disk[sector * SECTOR : (sector + count) * SECTOR]))
            case MediaWrite(sector, data):
                self.disk[sector * SECTOR : sector * SECTOR + len(data)] = data
            case MediaFlush():
                pass
            case MediaSend(data):
                self._send(data)
            case MediaTake(length):
                return MediaResult(True, bytes(length))
            case MediaRelease(page):
                self.ram.fill(page * PAGE, PAGE, 0)
        return MediaResult(True)

    def _send(self, data: bytes) -> None:
        if isinstance(self.device, NetDevice):
            if len(data) <= LONGEST_FRAME:
                self.wire.append(data)
        elif self._listening:
            self.terminal += data

    # --- the far end

    def inject_frame(self, frame: bytes) -> None:
        """A frame comes in from the wire."""
        if isinstance(self.device, NetDevice):
            self.device.receive(frame)
            self.actor.media_changed()

    def type_in(self, data: bytes) -> None:
        """Bytes come in at the far end of the ports that a host has connected."""
        for port in self._ports():
            if port.listening and port.host_connected:
                port.incoming += data
        self.actor.media_changed()

    def connect(self) -> None:
        """The host opens the far end of every port."""
        self._listening = True
        for port in self._ports():
            port.listening = True
            if not port.is_console:
                self._console.connect(port.number)
        self.actor.media_changed()

    def disconnect(self) -> None:
        """The host closes it."""
        self._listening = False
        for port in self._ports():
            port.listening = False
            port.incoming.clear()
            if not port.is_console:
                self._console.disconnect(port.number)
        self.actor.media_changed()

    @property
    def _console(self) -> ConsoleDevice:
        assert isinstance(self.device, ConsoleDevice)
        return self.device

    def _ports(self) -> list[Port]:
        return list(self.device.ports.values()) if isinstance(self.device, ConsoleDevice) else []

    def host_command(self, command: str, arguments: Row) -> bool:
        """A command to the host side; False for one that has no model. Raises ``HostCommandError``."""
        device = self.device
        match command:
            case "system_reset":
                self.actor.cold_reset()
            case "block_resize" if isinstance(device, BlockDevice):
                self._resize(device, _argument(command, arguments, "size", int))
            case "balloon" if isinstance(device, BalloonDevice):
                self._set_balloon(device, _argument(command, arguments, "value", int))
            case "set_link" if isinstance(device, NetDevice):
                device.set_link(_argument(command, arguments, "up", bool))
            case _:
                return False
        self.actor.media_changed()
        return True

    @staticmethod
    def _set_balloon(device: BalloonDevice, size: int) -> None:
        """The guest shall have ``size`` bytes; 0 is no size."""
        if size:
            device.set_target((RAM_BYTES - min(size, RAM_BYTES)) // PAGE)

    def _resize(self, device: BlockDevice, size: int) -> None:
        """The image has ``size`` bytes now, the last sector maybe in part. A read-only one stays as it is."""
        if device.read_only:
            return
        sectors = -(-size // SECTOR)
        del self.disk[size:]
        self.disk.extend(bytes(sectors * SECTOR - len(self.disk)))
        device.resize(sectors)
