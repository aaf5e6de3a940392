"""DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS: which interrupts there are, and where they shall go."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from tb.vfio_user import protocol
from tb.vfio_user.function import Function
from tb.vfio_user.interrupts import VECTOR_ADDRESS, EventTable, InterruptMode, IntxLine
from tb.vfio_user.protocol import Irq, IrqInfo, IrqSet, Message, ProtocolError

ENTRY_SIZE = 16
_DATA = int(IrqSet.DATA_NONE | IrqSet.DATA_BOOL | IrqSet.DATA_EVENTFD)
_ACTION = int(IrqSet.MASK | IrqSet.UNMASK | IrqSet.TRIGGER)


@dataclass(slots=True, frozen=True)
class IrqRequest:
    """One SET_IRQS: `flags`, interrupt kind, and the interrupts [start, start + count) of it."""

    flags: int
    kind: int
    start: int
    count: int
    booleans: bytes
    fds: tuple[int, ...]

    @property
    def action(self) -> int:
        return self.flags & _ACTION

    @property
    def data(self) -> int:
        return self.flags & _DATA

    def selected(self) -> list[int]:
        """The interrupts meant: all of the range, or those whose boolean is not zero."""
        numbers = range(self.start, self.start + self.count)
        if self.data == IrqSet.DATA_BOOL:
            return [number for number, on in zip(numbers, self.booleans, strict=False) if on]
        return list(numbers)


class IrqCommands:
    """Serves the two commands for one session."""

    def __init__(self, function: Function, mode: InterruptMode, events: EventTable, line: IntxLine) -> None:
        self._function = function
        self._mode = mode
        self._events = events
        self._line = line
        self._taken: set[int] = set()

    def untaken(self, fds: tuple[int, ...]) -> list[int]:
        """Of a message's descriptors, those that no interrupt has taken: the caller closes them."""
        rest = [fd for fd in fds if fd not in self._taken]
        self._taken.clear()
        return rest

    async def info(self, request: Message) -> bytes:
        """How many interrupts of a kind there are and how they can be used."""
        argsz, _, kind, _ = protocol.IRQ_INFO.unpack(request.body)
        if argsz < protocol.IRQ_INFO.size:
            raise ProtocolError(errno.EINVAL, f"argsz {argsz} has no room for {protocol.IRQ_INFO.size} bytes")
        if kind >= protocol.IRQ_COUNT:
            raise ProtocolError(errno.EINVAL, f"there is no interrupt kind {kind}")
        return protocol.IRQ_INFO.pack(protocol.IRQ_INFO.size, _flags(kind), kind, self._count(kind))

    async def set(self, request: Message) -> bytes:
        """Route, mask, unmask or trigger interrupts."""
        asked = self._parse(request)
        if asked.data == IrqSet.DATA_NONE and asked.count == 0:
            await self._switch_off(asked.kind)
        elif asked.action == IrqSet.TRIGGER and asked.data == IrqSet.DATA_EVENTFD:
            await self._assign(asked)
        elif asked.action == IrqSet.TRIGGER:
            for number in asked.selected():
                self._events.fire(asked.kind, number)
        else:
            self._mask(asked)
        return b""

    def _parse(self, request: Message) -> IrqRequest:
        _, flags, kind, start, count = protocol.IRQ_SET.unpack(request.body)
        asked = IrqRequest(flags, kind, start, count, request.body[protocol.IRQ_SET.size :], request.fds)
        if flags & ~(_DATA | _ACTION) or asked.data.bit_count() != 1 or asked.action.bit_count() != 1:
            raise ProtocolError(errno.EINVAL, f"flags {flags:#x} are not one data form and one action")
        if kind >= protocol.IRQ_COUNT or start + count > self._count(kind):
            raise ProtocolError(errno.EINVAL, f"kind {kind} has no interrupts {start} to {start + count}")
        if asked.data == IrqSet.DATA_BOOL and len(asked.booleans) < count:
            raise ProtocolError(errno.EINVAL, f"{count} booleans are announced, {len(asked.booleans)} came")
        if asked.data != IrqSet.DATA_EVENTFD and asked.fds:
            raise ProtocolError(errno.EINVAL, "file descriptors came with a request that has none")
        if asked.fds and len(asked.fds) != count:
            raise ProtocolError(errno.EINVAL, f"{count} interrupts came with {len(asked.fds)} descriptors")
        return asked

    async def _assign(self, asked: IrqRequest) -> None:
        """Use the descriptors; a request without any takes the interrupts' events away."""
        fds: tuple[int | None, ...] = asked.fds or (None,) * asked.count
        for number, fd in zip(asked.selected(), fds, strict=True):
            if fd is not None:
                self._taken.add(fd)
            self._events.assign(asked.kind, number, fd)
            await self._program(asked.kind, number, fd is not None)
        if asked.kind == Irq.INTX and asked.fds:
            self._line.assigned()

    async def _switch_off(self, kind: int) -> None:
        numbers = self._events.numbers(kind)
        self._events.drop_kind(kind)
        for number in numbers:
            await self._program(kind, number, False)

    def _mask(self, asked: IrqRequest) -> None:
        if asked.kind != Irq.INTX or asked.data == IrqSet.DATA_EVENTFD:
            raise ProtocolError(errno.ENOTSUP, "only INTx can be masked and unmasked, and only by request")
        for _ in asked.selected():
            if asked.action == IrqSet.MASK:
                self._line.mask()
            else:
                self._line.unmask()

    async def _program(self, kind: int, vector: int, used: bool) -> None:
        """Keep the function's own table in step where the client emulates the one the guest sees."""
        if kind != Irq.MSIX or self._mode is not InterruptMode.CLIENT:
            return
        region, table = self._function.shape.msix_table
        entry = table + vector * ENTRY_SIZE
        fields = (VECTOR_ADDRESS, 0, vector, 0) if used else (VECTOR_ADDRESS, 0, vector, 1)
        for index, value in enumerate(fields):
            await self._function.write(region, entry + 4 * index, 4, value)

    def _count(self, kind: int) -> int:
        shape = self._function.shape
        visible = 0 if self._mode is InterruptMode.INTX else shape.vectors
        return {Irq.INTX: int(shape.intx), Irq.MSIX: visible}.get(Irq(kind), 0)


def _flags(kind: int) -> int:
    flags = {
        Irq.INTX: IrqInfo.EVENTFD | IrqInfo.MASKABLE | IrqInfo.AUTOMASKED,
        # Without NORESIZE the client adds vectors one by one and takes none away meanwhile.
        Irq.MSIX: IrqInfo.EVENTFD,
    }
    return int(flags.get(Irq(kind), 0))
