"""One client's session: every command of the protocol, answered.

The session owns what a client has handed over (memory map, event descriptors) and gives it back when the
client goes. It is driven one message at a time by whoever has the loop; an access to the function may take
time there, nothing else does.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tb.vfio_user import protocol
from tb.vfio_user.capabilities import CapabilityView
from tb.vfio_user.client import ClientRequests
from tb.vfio_user.function import Function
from tb.vfio_user.interrupts import EventTable, InterruptCounts, InterruptMode, IntxLine, vector_of
from tb.vfio_user.irq_commands import IrqCommands
from tb.vfio_user.memory import DmaMap
from tb.vfio_user.protocol import Command, Message, ProtocolError, Region
from tb.vfio_user.transport import Connection, close_all

MAJOR, MINOR = 0, 1
ERRORS_KEPT = 20


@dataclass(slots=True)
class SessionCounts:
    """What a session has seen."""

    messages: int = 0
    errors: int = 0
    resets: int = 0
    maps: int = 0
    unmaps: int = 0
    interrupts: InterruptCounts = field(default_factory=InterruptCounts)


class Session:
    """Implements `HostSide` for its function. `errors` are the latest refusals, as sentences."""

    def __init__(self, connection: Connection, function: Function, mode: InterruptMode) -> None:
        self.counts = SessionCounts()
        self.errors: list[str] = []
        self._function = function
        self._mode = mode
        self._client = ClientRequests(connection)
        self._memory = DmaMap(self._client)
        self._view = CapabilityView(mode)
        self._events = EventTable()
        self._line = IntxLine(self._events, self.counts.interrupts)
        self._irqs = IrqCommands(function, mode, self._events, self._line)
        self._commands: dict[int, Callable[[Message], Awaitable[bytes]]] = {
            Command.VERSION: self._version,
            Command.DMA_MAP: self._dma_map,
            Command.DMA_UNMAP: self._dma_unmap,
            Command.DEVICE_GET_INFO: self._device_info,
            Command.DEVICE_GET_REGION_INFO: self._region_info,
            Command.DEVICE_GET_IRQ_INFO: self._irqs.info,
            Command.DEVICE_SET_IRQS: self._irqs.set,
            Command.REGION_READ: self._region_read,
            Command.REGION_WRITE: self._region_write,
            Command.DEVICE_RESET: self._device_reset,
        }
        function.attach(self)

    @property
    def memory(self) -> DmaMap:
        """The guest's memory as this client maps it."""
        return self._memory

    def receive(self) -> Message | None:
        """The next message to handle, or None. Raises what `Connection.receive` raises."""
        return self._client.receive()

    async def handle(self, request: Message) -> None:
        """Serve one message and answer it. Never raises for what a client says, only DisconnectedError."""
        self.counts.messages += 1
        fds = self._client.begin(request)
        try:
            body = await self._serve(request)
        except ProtocolError as refused:
            self.counts.errors += 1
            self.errors = [*self.errors, f"{protocol.name_of(request.header.command)}: {refused}"][
                -ERRORS_KEPT:
            ]
            self._client.refuse(request.header, refused.number)
        else:
            self._client.answer(request.header, body)
        finally:
            close_all(tuple(self._irqs.untaken(fds)))

    def close(self) -> None:
        """Give back everything the client handed over; the function keeps its state."""
        self._function.attach(None)
        self._events.clear()
        self._memory.clear()
        self._client.close()

    def interrupt_message(self, address: int, data: int) -> None:
        """The function's MSI-X message on its way to the guest."""
        counts = self.counts.interrupts
        if self._mode is InterruptMode.CLIENT:
            vector = vector_of(address, data, self._function.shape.vectors)
            if vector is not None and self._events.fire(protocol.Irq.MSIX, vector):
                counts.events += 1
            else:
                counts.dropped += 1
            return
        if self._client.post_write(address, data.to_bytes(4, "little")):
            counts.messages += 1
        else:
            counts.dropped += 1

    def interrupt_line(self, asserted: bool) -> None:
        """The function's INTx line."""
        self._line.level(asserted)

    async def _serve(self, request: Message) -> bytes:
        if request.header.flags & protocol.TYPE_MASK:
            raise ProtocolError(errno.EINVAL, "a reply came that nothing waits for")
        verb = self._commands.get(request.header.command)
        if verb is None:
            name = protocol.name_of(request.header.command)
            raise ProtocolError(errno.ENOSYS, f"the server does not know {name}")
        return await verb(request)

    async def _version(self, request: Message) -> bytes:
        major, minor = protocol.VERSION.unpack(request.body)
        if major != MAJOR:
            raise ProtocolError(errno.EINVAL, f"protocol version {major} is not {MAJOR}")
        self._client.limits(request.body[protocol.VERSION.size :])
        await self._view.prepare(lambda offset: self._function.read(Region.CONFIG, offset, 1))
        offer = {"capabilities": {"max_msg_fds": protocol.MAX_FDS, "max_data_xfer_size": protocol.MAX_DATA}}
        return protocol.VERSION.pack(MAJOR, min(minor, MINOR)) + json.dumps(offer).encode() + b"\0"

    async def _dma_map(self, request: Message) -> bytes:
        _, flags, offset, address, size = protocol.DMA_MAP.unpack(request.body)
        fds = request.fds
        if len(fds) > 1:
            raise ProtocolError(errno.EINVAL, f"one range comes with one file descriptor, not {len(fds)}")
        if flags & protocol.DmaFlag.MAPPABLE and not fds:
            raise ProtocolError(errno.EINVAL, "the range is said to be mappable and no file descriptor came")
        self._memory.map(address, size, flags, offset, fds[0] if fds else None)
        self.counts.maps += 1
        return b""

    async def _dma_unmap(self, request: Message) -> bytes:
        argsz, flags, address, size = protocol.DMA_UNMAP.unpack(request.body)
        if flags & ~protocol.UNMAP_ALL:
            raise ProtocolError(errno.ENOTSUP, f"unmap flags {flags:#x}: dirty pages are not tracked")
        if flags & protocol.UNMAP_ALL:
            address, size = 0, 1 << 64
        removed = self._memory.unmap(address, size)
        self.counts.unmaps += 1
        return protocol.DMA_UNMAP.pack(argsz, flags, address, min(removed, (1 << 64) - 1))

    async def _device_info(self, request: Message) -> bytes:
        layout = protocol.DEVICE_INFO
        _need_argsz(request.body, layout)
        flags = protocol.DEVICE_FLAGS_RESET | protocol.DEVICE_FLAGS_PCI
        return layout.pack(layout.size, flags, protocol.REGION_COUNT, protocol.IRQ_COUNT)

    async def _region_info(self, request: Message) -> bytes:
        _need_argsz(request.body, protocol.REGION_INFO)
        index = protocol.REGION_INFO.unpack(request.body)[2]
        if index >= protocol.REGION_COUNT:
            raise ProtocolError(errno.EINVAL, f"there is no region {index}")
        size = self._function.shape.regions.get(index, 0)
        flags = protocol.REGION_READABLE | protocol.REGION_WRITABLE if size else 0
        return protocol.REGION_INFO.pack(protocol.REGION_INFO.size, flags, index, 0, size, 0)

    async def _region_read(self, request: Message) -> bytes:
        access = protocol.RegionAccess.unpack(request.body, writes=False)
        self._check(access)
        parts = []
        for offset, size in pieces(access.offset, access.count, _widest(access.region)):
            value = await self._function.read(access.region, offset, size)
            parts.append(value.to_bytes(size, "little"))
        data = b"".join(parts)
        if access.region == Region.CONFIG:
            data = self._view.edit(access.offset, data)
        return protocol.REGION_ACCESS.pack(access.offset, access.region, access.count) + data

    async def _region_write(self, request: Message) -> bytes:
        access = protocol.RegionAccess.unpack(request.body, writes=True)
        self._check(access)
        for offset, size in pieces(access.offset, access.count, _widest(access.region)):
            start = offset - access.offset
            value = int.from_bytes(access.data[start : start + size], "little")
            await self._function.write(access.region, offset, size, value)
        return protocol.REGION_ACCESS.pack(access.offset, access.region, 0)

    async def _device_reset(self, request: Message) -> bytes:
        await self._function.reset()
        self._line.reset()
        self._view.reset()
        self.counts.resets += 1
        return b""

    def _check(self, access: protocol.RegionAccess) -> None:
        size = self._function.shape.regions.get(access.region, 0)
        if access.offset + access.count > size:
            raise ProtocolError(
                errno.EINVAL,
                f"{access.count} bytes at {access.offset:#x} are not in region {access.region} of {size}",
            )


def pieces(offset: int, count: int, widest: int) -> list[tuple[int, int]]:
    """Split [offset, offset + count) into aligned accesses of up to `widest` bytes: (offset, size) each."""
    result = []
    while count:
        size = widest
        while offset % size or size > count:
            size //= 2
        result.append((offset, size))
        offset, count = offset + size, count - size
    return result


def _widest(region: int) -> int:
    """Configuration and I/O accesses are at most a DW; memory ones at most two."""
    return 8 if region not in (Region.CONFIG, Region.BAR0) else 4


def _need_argsz(body: bytes, layout: protocol.Layout) -> None:
    argsz = layout.unpack(body)[0]
    if argsz < layout.size:
        raise ProtocolError(errno.EINVAL, f"{layout.name} needs argsz {layout.size}, it is {argsz}")
