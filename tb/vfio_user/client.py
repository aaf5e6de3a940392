"""What the server says to its client: replies, and its own requests for guest memory.

One socket carries both directions, so a reply to our request may come after more requests of the client's.
And a client does nothing else while it waits for an access: who waits for memory then waits for ever. So a
write of its is answered before it is done; for anything else the read of memory is put off
(`MemoryPendingError`) until its bytes have come. Writes of memory wait for nothing.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace

from tb.guest.host_bus import MemoryPendingError
from tb.vfio_user import protocol
from tb.vfio_user.function import DmaError
from tb.vfio_user.protocol import Command, Header, HeaderFlag, Message
from tb.vfio_user.transport import Connection, DisconnectedError, close_all

REPLY_TIMEOUT_S = 30.0
_DMA_FIXED = protocol.DMA_ACCESS.size
_WRITTEN = protocol.REGION_ACCESS.pack(0, 0, 0)


class ClientRequests:
    """Implements `DmaChannel`, and keeps the books of who owes whom an answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[Message] = deque()
        self._put_off: dict[int, tuple[tuple[int, int], MemoryPendingError]] = {}
        self._arrived: dict[tuple[int, int], Message] = {}
        self._pending: Header | None = None
        self._next_id = 0
        self._max_data = protocol.MAX_DATA

    def receive(self) -> Message | None:
        """The next message for the session."""
        while True:
            message = self._waiting.popleft() if self._waiting else self._connection.receive()
            if message is None or not self._deliver(message):
                return message

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
        """Read guest memory through the client.

        DmaError when it refuses or is gone; MemoryPendingError when it can only answer later.
        """
        parts = []
        while length:
            count = min(length, self._max_data)
            parts.append(self._read(address, count))
            address, length = address + count, length - count
        return b"".join(parts)

    def dma_write(self, address: int, data: bytes) -> None:
        """Write guest memory through the client, as a posted write: nobody hears whether it could be done."""
        while data:
            piece, data = data[: self._max_data], data[self._max_data :]
            if not self.post_write(address, piece):
                raise DmaError(f"a DMA write at {address:#x} needs the client, which is gone")
            address += len(piece)

    def close(self) -> None:
        """Close the connection and what came with messages that nobody will serve."""
        for unserved in self._waiting:
            close_all(unserved.fds)
        self._waiting.clear()
        self._connection.close()

    def _read(self, address: int, count: int) -> bytes:
        reply = self._arrived.pop((address, count), None)
        if reply is None:
            try:
                reply = self._asked(address, count)
            except DisconnectedError as gone:
                raise DmaError(f"a DMA read at {address:#x} needs the client: {gone}") from gone
        if reply.header.flags & HeaderFlag.ERROR:
            raise DmaError(f"the client refused a DMA read at {address:#x} (errno {reply.header.error})")
        if len(reply.body) < _DMA_FIXED + count:
            raise DmaError(f"the client answered a DMA read of {count} bytes at {address:#x} with fewer")
        return reply.body[_DMA_FIXED : _DMA_FIXED + count]

    def _asked(self, address: int, count: int) -> Message:
        """Ask, and wait for the reply unless the client itself waits for something."""
        client_waits = self._pending is not None and not self._answer_early(self._pending)
        client_waits |= any(kept.header.wants_reply for kept in self._waiting)
        message_id = self._id()
        body = protocol.DMA_ACCESS.pack(address, count)
        self._connection.send(protocol.message(message_id, Command.DMA_READ, body))
        while not client_waits:
            message = self._next()
            if message.header.is_reply and message.header.message_id == message_id:
                return message
            if not self._deliver(message):
                client_waits = self._keep(message)
        pending = MemoryPendingError(f"a DMA read at {address:#x} needs the client, which waits itself")
        self._put_off[message_id] = ((address, count), pending)
        raise pending

    def _next(self) -> Message:
        while True:
            message = self._connection.receive()
            if message is not None:
                return message
            if not self._connection.wait(REPLY_TIMEOUT_S):
                raise DisconnectedError(f"no answer to a DMA request for {REPLY_TIMEOUT_S:.0f} s")

    def _keep(self, request: Message) -> bool:
        """Keep a request for the session; whether the client waits for its answer from now on."""
        header = request.header
        if header.wants_reply and header.command == Command.REGION_WRITE:
            self._connection.send(
                protocol.message(header.message_id, header.command, _WRITTEN, HeaderFlag.REPLY)
            )
            request = replace(request, header=replace(header, flags=header.flags | HeaderFlag.NO_REPLY))
        self._waiting.append(request)
        return request.header.wants_reply

    def _deliver(self, message: Message) -> bool:
        """Take a reply to a read that was put off; False when it is anything else."""
        if not message.header.is_reply or message.header.message_id not in self._put_off:
            return False
        place, pending = self._put_off.pop(message.header.message_id)
        self._arrived[place] = message
        for callback in pending.callbacks:
            callback()
        return True

    def _answer_early(self, pending: Header) -> bool:
        """Answer the write that is being served; False when it is something else."""
        if pending.command != Command.REGION_WRITE:
            return False
        self.answer(pending, _WRITTEN)
        return True

    def _id(self) -> int:
        self._next_id = (self._next_id + 1) & 0xFFFF
        return self._next_id
