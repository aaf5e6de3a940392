"""Serves one chain: reads what it carries, asks the disk, writes the answer, hands it over to be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tb.models.devices.base import (
    Effects,
    Gather,
    MediaFlush,
    MediaRead,
    MediaResult,
    MediaWrite,
    Operation,
)
from tb.models.judge.media import BlockRequest, MediaOperation
from tb.models.virtqueue import Chain, ChainError, RingLayout, Segment
from tb.selfplay.clock import Steps
from tb.selfplay.player import chain_lies
from tb.selfplay.player.core import Core
from tb.selfplay.player.disk import SECTOR, Job
from tb.selfplay.player.walk import HEADER, Walker

Piece = tuple[int, bytes]
_OUT = 1
_BARRIER = 1 << 31


class ChainOwner(Protocol):
    """The queue of a chain, as far as the chain has to do with it."""

    core: Core
    number: int
    layout: RingLayout

    def stop(self, error: ChainError | None, cause: Service | None = None) -> None: ...

    def finished_with(self, service: Service, length: int) -> None: ...

    def is_used(self, service: Service) -> bool: ...


class Service:
    """One chain in work. `turn` counts the chains of its queue; `writing`:
    all is read, only writes are left.
    """

    def __init__(self, queue: ChainOwner, head: int, turn: int) -> None:
        self.queue = queue
        self.core = queue.core
        self.head = head
        self.turn = turn
        self.writing = False
        self.chain: Chain | None = None
        self._prefix = b""
        self._job: Job | None = None

    def run(self) -> Steps[None]:
        """From the head to the used element."""
        try:
            yield from self._serve()
        except ChainError as error:
            self.forget_job()
            if self.core.liar.lies("served_when_stopped"):
                self.queue.finished_with(self, 0)
            else:
                self.queue.stop(error, self)

    def _serve(self) -> Steps[None]:
        walker = Walker(self.core, self.queue.layout, self.head)
        self.chain = yield from walker.walk()
        if self.chain is None:
            self.queue.stop(None, self)
            return
        self._prefix = walker.prefix
        yield from chain_lies.after_walk(self.core, self.chain)
        effects = yield from self._effects(self.chain)
        if effects is None:
            self.forget_job()
            self.queue.stop(None, self)
            return
        self.writing = True
        yield self.core.settings.wait()
        yield from self._answer(self.chain, effects)

    def forget_job(self) -> None:
        """The chain ends here: what it has asked of the disk is nobody's."""
        if self._job is not None:
            self.core.disk.abandon(self._job)
            self._job = None

    # --- what the device asks for

    def _effects(self, chain: Chain) -> Steps[Effects | None]:
        core, settings = self.core, self.core.settings
        serve = core.device.serve(self.queue.number, chain)
        ahead = settings.takes("data_ahead")
        try:
            operation = next(serve)
            if ahead and not (yield from self._gather(chain, chain.readable_length)):
                return None
            while True:
                result = yield from self._perform(chain, operation)
                if result is None:
                    return None
                if settings.takes("limits_late"):
                    yield 300 + settings.wait()
                operation = serve.send(result)
        except StopIteration as done:
            effects: Effects = done.value
            return effects

    def _perform(self, chain: Chain, operation: Operation) -> Steps[bytes | MediaResult | None]:
        if isinstance(operation, Gather):
            if operation.offset:
                self._ask_early(chain, operation)
            end = operation.offset + operation.length
            if end > chain.readable_length:  # its descriptors say so: nothing need be read
                return bytes(max(0, chain.readable_length - operation.offset))
            if not (yield from self._gather(chain, end)):
                return None
            return self._prefix[operation.offset : end]
        yield self.core.settings.wait()
        if self.core.liar.lies("status_early"):
            return MediaResult(
                True, bytes(operation.count * SECTOR) if isinstance(operation, MediaRead) else b""
            )
        job = self._job = self._job or self._asked(operation)
        if isinstance(operation, MediaWrite):
            job.gathered = operation.data
            self.core.clock.fire(job.data, operation.data)
        result: MediaResult = job.result.value if job.result.done else (yield job.result)
        self._job = None
        return result

    def _asked(self, operation: Operation) -> Job:
        if isinstance(operation, MediaRead):
            request = BlockRequest(MediaOperation.READ, operation.sector, operation.count)
        elif isinstance(operation, MediaWrite):
            request = BlockRequest(MediaOperation.WRITE, operation.sector, len(operation.data) // SECTOR)
        else:
            assert isinstance(operation, MediaFlush)
            request = BlockRequest(MediaOperation.FLUSH, 0, 0)
        job = Job(request)
        self.core.disk.ask(job)
        return job

    def _ask_early(self, chain: Chain, operation: Gather) -> None:
        """A write may be put before the disk while its data are still on their way."""
        kind = int.from_bytes(self._prefix[:4], "little") & ~_BARRIER
        if kind == _OUT and operation.length and self.core.settings.takes("disk_asked_early"):
            sector = int.from_bytes(self._prefix[8:16], "little")
            self._job = Job(BlockRequest(MediaOperation.WRITE, sector, operation.length // SECTOR))
            self.core.disk.ask(self._job)

    def _gather(self, chain: Chain, end: int) -> Steps[bool]:
        """Read the readable stream up to `end`; False when a read failed."""
        settings = self.core.settings
        if len(self._prefix) < HEADER == end and settings.takes("header_with_data"):
            end = max(end, min(chain.readable[0].length, 2048))
        for address, count in list(_ranges(chain.readable, len(self._prefix), end - len(self._prefix))):
            data = yield from self.core.port.read(address, count, buffer=True)
            if data is None:
                return (yield from chain_lies.zeros_to_disk(self.core, self._job, self._prefix))
            self._prefix += data
            if self._job is not None:
                self._job.gathered = self._prefix[HEADER:]
            yield settings.wait()
        return True

    # --- the answer

    def _answer(self, chain: Chain, effects: Effects) -> Steps[None]:
        settings, liar = self.core.settings, self.core.liar
        *data, status = effects.writes
        used_length = chain_lies.used_length(liar, chain, effects.used_length)
        early = liar.lies("used_early")
        if early:
            self.queue.finished_with(self, used_length)
        while early and not self.queue.is_used(self):
            yield 50
        pieces = list(self._pieces(chain, data))
        if pieces and settings.takes("data_any_order"):
            pieces = self._shuffled(pieces)
        last = list(_scattered(chain.writable, *status))
        first = settings.takes("status_first")
        for address, piece in [*last, *pieces] if first else [*pieces, *last]:
            is_status = (address, piece) in last
            yield from self._put(address, piece, is_status=is_status)
            yield settings.wait()
        yield from chain_lies.after_answer(self.core, chain)
        if self.core.liar.lies("used_never"):
            return
        if not early:
            self.queue.finished_with(self, used_length)

    def _pieces(self, chain: Chain, data: list[Piece]) -> Iterator[Piece]:
        """The data writes of an answer, cleared first or told twice where that is chosen."""
        settings = self.core.settings
        for offset, content in data:
            for address, piece in _scattered(chain.writable, offset, content):
                if settings.takes("zeros_first"):
                    yield address, bytes(len(piece))
                yield address, piece
                if settings.takes("bytes_twice"):
                    yield address, piece

    def _shuffled(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces cut once more, in another order; later writes of the same bytes stay later."""
        settings = self.core.settings
        if settings.has("zeros_first"):
            return pieces
        cut = [each for address, data in pieces for each in _halves(address, data)]
        settings.rng.shuffle(cut)
        return cut

    def _put(self, address: int, data: bytes, *, is_status: bool) -> Steps[None]:
        liar = self.core.liar
        if is_status and liar.lies("status_dropped"):
            return
        if not is_status and liar.lies("data_dropped"):
            return
        if not is_status and liar.lies("data_byte"):
            data = bytes((data[0] ^ 1,)) + data[1:]
        if is_status and liar.lies("status_value"):
            data = bytes((data[0] ^ 1,))
        if not is_status and liar.lies("data_shifted"):
            address += 4
        yield from self.core.port.write(address, data, buffer=True)


def _halves(address: int, data: bytes) -> list[Piece]:
    middle = len(data) // 2
    return [(address, data[:middle]), (address + middle, data[middle:])] if middle else [(address, data)]


def _ranges(segments: tuple[Segment, ...], offset: int, length: int) -> Iterator[tuple[int, int]]:
    for segment in segments:
        if length <= 0:
            return
        if offset >= segment.length:
            offset -= segment.length
            continue
        count = min(length, segment.length - offset)
        yield segment.address + offset, count
        length -= count
        offset = 0


def _scattered(segments: tuple[Segment, ...], offset: int, data: bytes) -> Iterator[Piece]:
    for address, count in _ranges(segments, offset, len(data)):
        yield address, data[:count]
        data = data[count:]
