"""The function's side of its disk: one request at a time, as on the boundary."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tb.models.devices.base import MediaResult
from tb.models.judge.media import BlockRequest, BlockWriteData, MediaOperation
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock, Signal, Steps, Task
from tb.selfplay.lies import Liar
from tb.selfplay.wire import Wire

SECTOR = 512
_BEAT = 4


@dataclass(slots=True)
class Job:
    """A request to the disk. `data` happens with what a write carries; `result` with the disk's answer.

    `gathered` are the bytes of a write so far; `abandoned`: nobody waits for it any more.
    """

    request: BlockRequest
    data: Signal = field(default_factory=Signal)
    result: Signal = field(default_factory=Signal)
    gathered: bytes = b""
    abandoned: bool = False


class DiskPort:
    """`begin` puts a request before the host's disk: the request, and the data of a write."""

    def __init__(self, wire: Wire, clock: Clock, settings: Settings, liar: Liar) -> None:
        self._wire = wire
        self._clock = clock
        self._settings = settings
        self._liar = liar
        self.begin: Callable[[BlockRequest, bytes], None] = lambda _request, _data: None
        self._jobs: deque[Job] = deque()
        self._arrived = Signal()
        self._answer = Signal()
        self._worker = Task(self._work())

    def start(self) -> None:
        """Work on what comes, from now on."""
        self._worker = self._clock.spawn(self._work())

    def ask(self, job: Job) -> None:
        """Queue a request."""
        self._jobs.append(job)
        self._clock.fire(self._arrived)

    def abandon(self, job: Job) -> None:
        """The chain is gone: nobody waits for the result."""
        job.abandoned = True
        self._clock.fire(job.data)

    def answered(self, result: MediaResult) -> None:
        """The host's disk has answered."""
        self._clock.fire(self._answer, result)

    def _work(self) -> Steps[None]:
        while True:
            while not self._jobs:
                self._arrived = Signal()
                yield self._arrived
            job = self._jobs.popleft()
            if not job.abandoned:
                yield from self._perform(job)

    def _perform(self, job: Job) -> Steps[None]:
        yield from self._put(job)
        if self._liar.lies("disk_twice"):
            yield from self._put(job)
        if self._liar.lies("disk_unasked"):
            yield from self._put(Job(BlockRequest(MediaOperation.READ, 0, 7)))

    def _put(self, job: Job) -> Steps[None]:
        self._answer = Signal()
        request = self._told(job.request)
        self._wire.media(request)
        data = b""
        if request.op == MediaOperation.WRITE:
            whole = job.data.value if job.data.done else (yield job.data)
            yield self._settings.wait()
            data = self._altered(_cut_short(job) if whole is None else whole, complete=whole is not None)
            self._wire.media(BlockWriteData(data))
        self.begin(request, data)
        result = yield self._answer
        self._clock.fire(job.result, result)

    def _told(self, request: BlockRequest) -> BlockRequest:
        if self._liar.lies("disk_sector"):
            return BlockRequest(request.op, request.sector + 1, request.count)
        if self._liar.lies("disk_count"):
            return BlockRequest(request.op, request.sector, request.count + 1)
        if request.op != MediaOperation.WRITE and self._liar.lies("disk_operation"):
            return BlockRequest(2 - request.op, request.sector, request.count)
        return request

    def _altered(self, data: bytes, *, complete: bool) -> bytes:
        if complete and data and self._liar.lies("disk_data"):
            return bytes((data[0] ^ 1,)) + data[1:]
        if complete and self._liar.lies("disk_short"):
            return data[: len(data) - SECTOR]
        return data

    def power_cycle(self) -> None:
        """Nothing is asked for any more."""
        self._jobs.clear()
        self._worker.alive = False
        self.start()


def _cut_short(job: Job) -> bytes:
    """What an abandoned write passes: whole sectors that were gathered, and one beat of a further one."""
    whole = len(job.gathered) // SECTOR * SECTOR
    if whole == job.request.count * SECTOR:
        return job.gathered[:whole]
    return job.gathered[:whole] + bytes(_BEAT)
