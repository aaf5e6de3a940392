"""One chain being served: the device's generator, and the chain's two byte streams in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tb.models.devices.base import (
    DeviceModel,
    Effects,
    Gather,
    MediaFlush,
    MediaRead,
    MediaRelease,
    MediaResult,
    MediaSend,
    MediaTake,
    MediaWrite,
    NextChain,
    Operation,
    Result,
    Serve,
)
from tb.models.memory import Memory
from tb.models.virtqueue import Chain, Segment

MediaOperation = MediaRead | MediaWrite | MediaFlush | MediaSend | MediaTake | MediaRelease


def gather(memory: Memory, segments: Sequence[Segment], offset: int, length: int) -> bytes:
    """``length`` bytes from ``offset`` on of the stream that ``segments`` make up, fewer at its end."""
    parts = []
    for segment in segments:
        if offset < segment.length:
            size = min(segment.length - offset, length)
            parts.append(memory.read(segment.address + offset, size))
            length -= size
            offset = 0
            if not length:
                break
        else:
            offset -= segment.length
    return b"".join(parts)


def scatter(memory: Memory, segments: Sequence[Segment], offset: int, data: bytes) -> None:
    """Write ``data`` at ``offset`` of the stream that ``segments`` make up; what does not fit is cut."""
    for segment in segments:
        if offset < segment.length:
            part = data[: segment.length - offset]
            memory.write(segment.address + offset, part)
            data = data[len(part) :]
            offset = 0
            if not data:
                return
        else:
            offset -= segment.length


class Service:
    """Runs the device's generator for ``chain`` and answers its operations.

    Attributes:
        operation: what the device waits for.
        effects: what serving the chain does, once it is done.
        idle: the flush it waits for has nothing to do.
    """

    __slots__ = ("_memory", "_next_chain", "_perform", "_serve", "chain", "effects", "idle", "operation")

    def __init__(
        self,
        device: DeviceModel,
        queue: int,
        chain: Chain,
        memory: Memory,
        perform: Callable[[MediaOperation], MediaResult],
        next_chain: Callable[[], Chain | None],
    ) -> None:
        self._serve: Serve = device.serve(queue, chain)
        self._memory = memory
        self._perform = perform
        self._next_chain = next_chain
        self.operation: Operation | None = None
        self.idle = False
        self.chain = chain
        self.effects: Effects | None = None

    def run(self, *, until_media: bool) -> bool:
        """Go on until the service is done, or asks its disk with ``until_media``. True when it is done."""
        if self.effects is not None:
            return True
        try:
            if self.operation is None:
                self.operation = next(self._serve)
            while not (until_media and isinstance(self.operation, MediaRead | MediaWrite | MediaFlush)):
                self.operation = self._serve.send(self._answer(self.operation))
        except StopIteration as done:
            self.effects = done.value
            return True
        return False

    def _answer(self, operation: Operation) -> Result:
        match operation:
            case Gather(offset, length):
                return gather(self._memory, self.chain.readable, offset, length)
            case NextChain():
                return self._next_chain()
            case _:
                return self._perform(operation)
