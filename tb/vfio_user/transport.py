"""Messages and file descriptors over one UNIX stream socket, without ever blocking inside a message.

`Connection.receive` takes what is there and returns a message once it is whole, so a peer that sends a byte
at a time, or stops in the middle, holds up nobody. `wait` is where a process with nothing to do sleeps.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import select
import socket
import time

from tb.vfio_user.protocol import HEADER_SIZE, MAX_FDS, MAX_MESSAGE, Header, Message, ProtocolError

SEND_TIMEOUT_S = 30.0
_FD_SPACE = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class DisconnectedError(Exception):
    """The peer is gone, or has broken the stream for good. The text is a sentence."""


class Connection:
    """One peer. Owns the socket and the file descriptors of messages not yet taken."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        self._socket = peer
        self._header: Header | None = None
        self._bytes = bytearray()
        self._fds: list[int] = []

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def receive(self) -> Message | None:
        """The next whole message, or None when it has not arrived yet.

        Raises DisconnectedError at the end of the stream, ProtocolError (close then) for a broken header.
        """
        while True:
            wanted = HEADER_SIZE if self._header is None else self._header.size - HEADER_SIZE
            if len(self._bytes) < wanted and not self._take(wanted - len(self._bytes)):
                return None
            if len(self._bytes) < wanted:
                continue
            data, self._bytes = bytes(self._bytes), bytearray()
            if self._header is not None:
                return self._finish(self._header, data)
            header = _checked(Header.unpack(data))
            if header.size == HEADER_SIZE:
                return self._finish(header, b"")
            self._header = header

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the peer has sent something (True) or the time is over (False)."""
        ready, _, _ = select.select([self._socket], [], [], timeout_s)
        return bool(ready)

    def send(self, data: bytes) -> None:
        """Send all of it; DisconnectedError when the peer is gone or takes nothing for `SEND_TIMEOUT_S`."""
        view = memoryview(data)
        deadline = time.monotonic() + SEND_TIMEOUT_S
        while view:
            try:
                view = view[self._socket.send(view, socket.MSG_NOSIGNAL) :]
                continue
            except BlockingIOError:
                _, ready, _ = select.select([], [self._socket], [], max(0.0, deadline - time.monotonic()))
            except OSError as reason:
                raise DisconnectedError(f"the client left while it was sent to ({reason})") from reason
            if not ready:
                raise DisconnectedError(f"the client has not taken a message for {SEND_TIMEOUT_S:.0f} s")

    def close(self) -> None:
        """Close the socket and every file descriptor that nobody took."""
        close_all(self._fds)
        self._fds = []
        self._socket.close()

    def _take(self, count: int) -> bool:
        """Read up to `count` bytes and the descriptors beside them; False when nothing is there."""
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(count, _FD_SPACE, _FLAGS)
        except BlockingIOError:
            return False
        except OSError as reason:
            raise DisconnectedError(f"the client's connection broke ({reason})") from reason
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._fds += _descriptors(content)
        if flags & socket.MSG_CTRUNC:
            raise DisconnectedError(f"the client sent more than {MAX_FDS} file descriptors with one message")
        if not data:
            where = "in the middle of a message" if self._bytes or self._header else "between messages"
            raise DisconnectedError(f"the client closed the connection {where}")
        self._bytes += data
        return True

    def _finish(self, header: Header, body: bytes) -> Message:
        fds, self._fds, self._header = tuple(self._fds), [], None
        return Message(header, body, fds)


def _checked(header: Header) -> Header:
    if not HEADER_SIZE <= header.size <= MAX_MESSAGE:
        raise ProtocolError(
            errno.EINVAL, f"a message of {header.size} bytes is not between {HEADER_SIZE} and {MAX_MESSAGE}"
        )
    return header


def _descriptors(content: bytes) -> list[int]:
    fds = array.array("i")
    fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return list(fds)


def close_all(fds: list[int] | tuple[int, ...]) -> None:
    """Close file descriptors, whatever state they are in."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
