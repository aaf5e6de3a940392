"""The listening socket, and the loop that serves one client on it.

The loop belongs to any world: with the golden model it is the whole process, in a simulation it is one task.
While the client says nothing and the function has nothing to do, the process sleeps on the socket: in a
simulation simulated time stands still then. When the function has work it runs on its own, and the socket is
looked at in between.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tb.vfio_user.function import Function
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import ProtocolError
from tb.vfio_user.session import Session
from tb.vfio_user.transport import Connection, DisconnectedError

IDLE_LOOK_S = 0.2
"""How long one sleep on the socket lasts at most, so that `stop` is asked often enough (seconds)."""
LAST_ADVANCES = 1000
"""How often a function may go on with its work after its client has left."""
PATH_LIMIT = 107
"""Bytes a UNIX socket's path may have."""

Stop = Callable[[], str | None]
"""Asked between any two messages: a sentence when the server shall stop, None to go on."""


class ListenerError(Exception):
    """The socket cannot be opened. The text is a sentence."""


class Listener:
    """A UNIX socket that is there while this object is open. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if len(os.fsencode(path)) > PATH_LIMIT:
            raise ListenerError(f"the socket path {path} is longer than {PATH_LIMIT} bytes")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        try:
            self._socket.bind(os.fspath(path))
        except OSError as reason:
            self._socket.close()
            raise ListenerError(f"the socket {path} cannot be opened: {reason.strerror}") from reason
        self._socket.listen(1)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self, timeout_s: float) -> Connection | None:
        """The next client, or None when none comes in time."""
        ready, _, _ = select.select([self._socket], [], [], timeout_s)
        return Connection(self._socket.accept()[0]) if ready else None

    def close(self) -> None:
        """Close the socket and remove its file."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


@dataclass(slots=True, frozen=True)
class Ending:
    """Why a session ended, as a sentence, and whether it was the client who ended it."""

    sentence: str
    client_left: bool = False


async def serve(
    connection: Connection, function: Function, mode: InterruptMode, stop: Stop
) -> tuple[Session, Ending]:
    """Serve one client until it leaves or `stop` says so. The session's counts stay readable afterwards."""
    session = Session(connection, function, mode)
    try:
        ending = await _served(session, connection, function, stop)
        if ending.client_left:
            await _finish_work(function)
        return session, ending
    finally:
        session.close()


async def _served(session: Session, connection: Connection, function: Function, stop: Stop) -> Ending:
    try:
        return await _loop(session, connection, function, stop)
    except DisconnectedError as gone:
        return Ending(str(gone), client_left=True)
    except ProtocolError as broken:
        return Ending(f"the client's stream cannot be read any further: {broken.sentence}")


async def _finish_work(function: Function) -> None:
    """Let the function end what it has begun: the memory of a client that has left is still mapped."""
    for _ in range(LAST_ADVANCES):
        if not function.busy():
            return
        await function.advance()


async def _loop(session: Session, connection: Connection, function: Function, stop: Stop) -> Ending:
    while True:
        reason = stop()
        if reason:
            return Ending(reason)
        request = session.receive()
        if request is not None:
            await session.handle(request)
        elif function.busy():
            await function.advance()
        else:
            connection.wait(IDLE_LOOK_S)
