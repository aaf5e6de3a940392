"""A small vfio-user client for the unit tests, and a function made of plain bytes for it to drive.

`Bench` holds both ends of one socket in one thread: `ask` sends a request, lets the session serve what has
arrived, and returns the reply.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from dataclasses import dataclass, field

from tb.guest.host_bus import run
from tb.vfio_user.function import Function, FunctionShape, HostSide
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import HEADER_SIZE, Command, Header, Message, Region
from tb.vfio_user.session import Session
from tb.vfio_user.transport import Connection

PAGE = 4096


@dataclass(slots=True)
class ByteFunction:
    """Regions that keep what is written. A write to BAR0 offset 0x10 runs `on_notify`, if there is one."""

    regions: dict[int, bytearray] = field(default_factory=dict)
    host: HostSide | None = None
    log: list[tuple[str, int, int, int]] = field(default_factory=list)
    resets: int = 0
    read_from_guest: tuple[int, int] | None = None
    on_read: tuple[int, int] | None = None
    work: int = 0

    def __post_init__(self) -> None:
        self.regions = {
            Region.BAR0: bytearray(64),
            Region.BAR1: bytearray(PAGE),
            Region.CONFIG: bytearray(256),
        }

    @property
    def shape(self) -> FunctionShape:
        return FunctionShape({index: len(data) for index, data in self.regions.items()}, vectors=3)

    def attach(self, host: HostSide | None) -> None:
        self.host = host

    async def read(self, region: int, offset: int, size: int) -> int:
        self.log.append(("read", region, offset, size))
        if self.on_read and self.host:
            self.host.memory.read(*self.on_read)
        return int.from_bytes(self.regions[region][offset : offset + size], "little")

    async def write(self, region: int, offset: int, size: int, value: int) -> None:
        self.log.append(("write", region, offset, size))
        self.regions[region][offset : offset + size] = value.to_bytes(size, "little")
        if self.read_from_guest and self.host and (region, offset) == (Region.BAR0, 0x10):
            data = self.host.memory.read(*self.read_from_guest)
            self.regions[Region.BAR1][: len(data)] = data

    async def reset(self) -> None:
        self.resets += 1

    def busy(self) -> bool:
        return self.work > 0

    async def advance(self) -> None:
        self.work -= 1


class Bench:
    """A client and a session on the two ends of one socket."""

    def __init__(
        self, mode: InterruptMode = InterruptMode.FUNCTION, function: Function | None = None
    ) -> None:
        self.function = ByteFunction()
        self.client, server = socket.socketpair()
        self.client.settimeout(5)
        self.session = Session(Connection(server), function or self.function, mode)
        self._id = 100

    def close(self) -> None:
        self.session.close()
        self.client.close()

    def send(self, command: int, body: bytes = b"", fds: tuple[int, ...] = (), flags: int = 0) -> int:
        """Send a request without serving it; returns its message id."""
        self._id += 1
        data = Header(self._id, command, HEADER_SIZE + len(body), flags).pack() + body
        self.send_bytes(data, fds)
        return self._id

    def send_bytes(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.client.sendmsg([data], ancillary)

    def serve(self) -> None:
        """Let the session answer everything that has arrived."""
        while (request := self.session.receive()) is not None:
            run(self.session.handle(request))

    def reply(self) -> Message:
        """The next message from the server."""
        header = Header.unpack(self._exactly(HEADER_SIZE))
        return Message(header, self._exactly(header.size - HEADER_SIZE))

    def silent(self) -> bool:
        """The server has sent nothing that is not taken yet."""
        self.client.setblocking(False)
        try:
            return not self.client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self.client.settimeout(5)

    def ask(self, command: int, body: bytes = b"", fds: tuple[int, ...] = ()) -> Message:
        """One request, served; its reply."""
        message_id = self.send(command, body, fds)
        self.serve()
        reply = self.reply()
        assert reply.header.message_id == message_id
        assert reply.header.command == command
        assert reply.header.is_reply
        return reply

    def map_memory(self, address: int, size: int, *, flags: int = 7, offset: int = 0) -> int:
        """Offer `size` bytes of guest memory; returns the client's own descriptor of it."""
        fd = os.memfd_create("ram")
        os.ftruncate(fd, offset + size)
        reply = self.ask(Command.DMA_MAP, struct.pack("<IIQQQ", 32, flags, offset, address, size), (fd,))
        assert reply.header.error == 0
        return fd

    def read(self, region: int, offset: int, count: int) -> Message:
        return self.ask(Command.REGION_READ, struct.pack("<QII", offset, region, count))

    def write(self, region: int, offset: int, data: bytes) -> Message:
        return self.ask(Command.REGION_WRITE, struct.pack("<QII", offset, region, len(data)) + data)

    def set_irqs(
        self, flags: int, kind: int, start: int, count: int, fds: tuple[int, ...] = (), data: bytes = b""
    ) -> Message:
        body = struct.pack("<IIIII", 20 + len(data), flags, kind, start, count) + data
        return self.ask(Command.DEVICE_SET_IRQS, body, fds)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.client.recv(count - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data
