"""What the server says to its client: replies, and its own requests for guest memory.

One socket carries both directions, so a reply to our request may come after more requests of the client's:
those are kept for the loop. And a client blocks in an access until it is answered: asking it for memory
meanwhile would leave both waiting. So the pending access is answered first where that is possible (a write),
and the DMA refused where it is not (a read).
"""

from __future__ import annotations

import json
from collections import deque

from tb.vfio_user import protocol
from tb.vfio_user.function import DmaError
from tb.vfio_user.protocol import Command, Header, HeaderFlag, Message
from tb.vfio_user.transport import Connection, DisconnectedError, close_all

REPLY_TIMEOUT_S = 30.0
_DMA_FIXED = protocol.DMA_ACCESS.size


class ClientRequests:
    """Implements `DmaChannel`, and keeps the books of who owes whom an answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[Message] = deque()
        self._pending: Header | None = None
        self._next_id = 0
        self._max_data = protocol.MAX_DATA

    def receive(self) -> Message | None:
        """The next message for the session."""
        if self._waiting:
            return self._waiting.popleft()
        return self._connection.receive()

    def limits(self, text: bytes) -> None:
        """Take what the client's VERSION text says it can bear; text that cannot be read says nothing."""
        try:
            offered = json.loads(text.rstrip(b"\0") or b"{}")
            limit = int(offered.get("capabilities", {}).get("max_data_xfer_size", self._max_data))
        except (ValueError, AttributeError, TypeError):
            return
        if limit > 0:
            self._max_data = min(self._max_data, limit)

    def begin(self, request: Message) -> tuple[int, ...]:
        """This request is being served from now on; returns the descriptors that came with it."""
        self._pending = request.header if request.header.wants_reply else None
        return request.fds

    def answer(self, header: Header, body: bytes) -> None:
        """Reply to the request being served, unless it wants none or has been answered early."""
        if self._pending is header:
            self._pending = None
            self._connection.send(protocol.message(header.message_id, header.command, body, HeaderFlag.REPLY))

    def refuse(self, header: Header, number: int) -> None:
        """Reply with an errno: the header alone."""
        if self._pending is header and not header.is_reply:
            self._pending = None
            flags = HeaderFlag.REPLY | HeaderFlag.ERROR
            self._connection.send(protocol.message(header.message_id, header.command, b"", flags, number))

    def post_write(self, address: int, data: bytes) -> bool:
        """Write guest memory (or an interrupt message) through the client, without an answer.

        False when the client is gone: whoever serves it finds that out with the next message.
        """
        body = protocol.DMA_ACCESS.pack(address, len(data)) + data
        try:
            self._connection.send(protocol.message(self._id(), Command.DMA_WRITE, body, HeaderFlag.NO_REPLY))
        except DisconnectedError:
            return False
        return True

    def dma_read(self, address: int, length: int) -> bytes:
        """Read guest memory through the client; DmaError when it refuses or cannot be asked now."""
        parts = []
        while length:
            count = min(length, self._max_data)
            reply = self._exchange(Command.DMA_READ, protocol.DMA_ACCESS.pack(address, count), address)
            if len(reply) < _DMA_FIXED + count:
                raise DmaError(f"the client answered a DMA read of {count} bytes at {address:#x} with fewer")
            parts.append(reply[_DMA_FIXED : _DMA_FIXED + count])
            address, length = address + count, length - count
        return b"".join(parts)

    def dma_write(self, address: int, data: bytes) -> None:
        """Write guest memory through the client; DmaError as in `dma_read`."""
        while data:
            piece, data = data[: self._max_data], data[self._max_data :]
            self._exchange(Command.DMA_WRITE, protocol.DMA_ACCESS.pack(address, len(piece)) + piece, address)
            address += len(piece)

    def close(self) -> None:
        """Close the connection and what came with messages that nobody will serve."""
        for unserved in self._waiting:
            close_all(unserved.fds)
        self._waiting.clear()
        self._connection.close()

    def _exchange(self, command: Command, body: bytes, address: int) -> bytes:
        try:
            return self._asked(command, body, address)
        except DisconnectedError as gone:
            raise DmaError(f"a DMA at {address:#x} needs the client: {gone}") from gone

    def _asked(self, command: Command, body: bytes, address: int) -> bytes:
        self._answer_first(address)
        message_id = self._id()
        self._connection.send(protocol.message(message_id, command, body))
        while True:
            message = self._connection.receive()
            if message is None:
                if not self._connection.wait(REPLY_TIMEOUT_S):
                    raise DisconnectedError(f"no answer to a DMA request for {REPLY_TIMEOUT_S:.0f} s")
                continue
            if not (message.header.is_reply and message.header.message_id == message_id):
                self._waiting.append(message)
                continue
            if message.header.flags & HeaderFlag.ERROR:
                raise DmaError(f"the client refused a DMA at {address:#x} (errno {message.header.error})")
            return message.body

    def _answer_first(self, address: int) -> None:
        pending = self._pending
        if pending is None:
            return
        if pending.command != Command.REGION_WRITE:
            raise DmaError(f"DMA at {address:#x} needs the client, which itself waits for an access")
        self.answer(pending, protocol.REGION_ACCESS.pack(0, 0, 0))

    def _id(self) -> int:
        self._next_id = (self._next_id + 1) & 0xFFFF
        return self._next_id
