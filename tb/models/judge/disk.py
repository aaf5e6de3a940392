"""Judges the media side of a block function: each request reaches the disk once, as the guest asked."""

from __future__ import annotations

from dataclasses import dataclass

from tb.models.devices.base import Gather, MediaFlush, MediaRead, MediaResult, MediaWrite, Operation
from tb.models.judge.facts import Facts
from tb.models.judge.media import BlockRequest, BlockResponse, BlockWriteData, MediaOperation
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.dma import Dma
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import ChainError

SECTOR = 512
_NAMES = {MediaOperation.READ: "read", MediaOperation.WRITE: "write", MediaOperation.FLUSH: "flush"}


@dataclass(slots=True)
class _Open:
    """The request the disk works on, whose it is, and whether its data have passed."""

    request: BlockRequest
    queue: QueueState | None = None
    chain: JudgedChain | None = None
    has_data: bool = False


class Disk:
    """Matches media events with the operations the device model waits for."""

    def __init__(self, facts: Facts, dma: Dma) -> None:
        self._facts = facts
        self._record = facts.record
        self._dma = dma
        self._open: _Open | None = None

    def request(self, event: BlockRequest) -> None:
        """The function asked the disk for something."""
        if self._open is not None:
            self._verdict("VRING-US-05", "The function asked its disk for more before the answer came", event)
        self._open = _Open(event)
        self._facts.media_owes = event.op != MediaOperation.WRITE
        if not self._claim(self._open):
            self._accuse(event)
            self._open = None

    def write_data(self, event: BlockWriteData) -> None:
        """All data of the open write have passed to the disk."""
        self._facts.media_owes = True
        opened = self._open
        if opened is None or opened.chain is None or opened.queue is None:
            return
        opened.has_data = True
        queue, chain = opened.queue, opened.chain
        operation = chain.operation
        read = operation.data if isinstance(operation, MediaWrite) else chain.data_read()
        if queue.spoilt and len(event.data) < opened.request.count * SECTOR:
            # A write that a reset or a failed read cuts short ends with one beat behind whole sectors.
            self._cut_short(chain, event.data[: len(event.data) // SECTOR * SECTOR], read, opened.request)
        elif isinstance(operation, MediaWrite):
            self._compare(chain, event.data, read, opened.request.sector)
        elif isinstance(operation, Gather):
            self._invented(chain, len(event.data), len(read), opened.request)

    def _cut_short(self, chain: JudgedChain, data: bytes, read: bytes, request: BlockRequest) -> None:
        """Whole sectors went to the disk, and no more: they must be what the function has read."""
        if len(data) > len(read):
            self._invented(chain, len(data), len(read), request)
        else:
            self._compare(chain, data, read[: len(data)], request.sector)

    def _invented(self, chain: JudgedChain, given: int, read: int, request: BlockRequest) -> None:
        """The disk got bytes that the guest never gave."""
        what = f"The disk gets {given} bytes for {chain}, of which the function has read {read}"
        rule = "BAD-RING-37" if chain.lost else "VBLK-06"
        self._verdict(rule, what, request, f"at most {read // SECTOR} whole sectors")

    def response(self, event: BlockResponse) -> None:
        """The disk answered the open request."""
        opened, self._open = self._open, None
        self._facts.media_owes = False
        if opened is None or opened.chain is None or opened.queue is None:
            return
        queue, chain = opened.queue, opened.chain
        chain.claimed = False
        if isinstance(chain.operation, Gather) or chain.effects is not None:
            return  # its data will never be complete: nothing follows
        if isinstance(chain.operation, MediaWrite) and not opened.has_data:
            self._verdict("VBLK-06", "The disk answered a write before it had the data", opened.request)
        try:
            chain.answer(MediaResult(event.ok, event.data))
        except ChainError as error:
            queue.stop(error.rule, error.sentence, chain)

    # --- whose it is

    def _claim(self, opened: _Open) -> bool:
        """Find the chain that waits for exactly this request."""
        for queue in self._dma.states():
            for chain in queue.chains:
                if not chain.claimed and self._asks(queue, chain) == opened.request:
                    chain.claimed = True
                    opened.queue, opened.chain = queue, chain
                    self._check_alive(opened.request, queue, chain)
                    return True
        return False

    def _check_alive(self, request: BlockRequest, queue: QueueState, chain: JudgedChain) -> None:
        """Nothing is asked for a chain given up; only what was read of a write may still reach the disk."""
        if chain.dead and not chain.lost:
            what = f"The function asks its disk for {chain} although the queue must stop: {queue.stopped}"
            self._verdict(queue.stop_rule, what, request, "no media request")

    @staticmethod
    def _asks(queue: QueueState, chain: JudgedChain) -> BlockRequest | None:
        """The media request `chain` leads to: the function may open a write before it has the data."""
        operation = chain.operation
        if isinstance(operation, Gather) and operation.offset > 0:
            operation = chain.foresee(queue.facts.device, queue.number)
        return _as_request(operation)

    def _compare(self, chain: JudgedChain, data: bytes, expected: bytes, sector: int) -> None:
        if data == expected:
            return
        at = next((i for i, (a, b) in enumerate(zip(data, expected, strict=False)) if a != b), len(data))
        self._verdict(
            "VBLK-06",
            f"The disk gets wrong data for {chain}, from byte {at} of sector {sector} on",
            BlockRequest(MediaOperation.WRITE, sector, len(data) // SECTOR),
            expected[at : at + 16].hex(" "),
            data[at : at + 16].hex(" "),
        )

    def _accuse(self, event: BlockRequest) -> None:
        waiting = [
            (chain, asked)
            for queue in self._dma.states()
            for chain in queue.chains
            if (asked := self._asks(queue, chain)) is not None and not chain.claimed
        ]
        expected = " or ".join(_words(asked) for _, asked in waiting) or "no media request"
        for chain, _ in waiting[:1]:
            chain.suspect = True
        decided = (chain.rule for queue in self._dma.states() for chain in queue.chains if chain.effects)
        rule = "VBLK-06" if waiting else next(filter(None, decided), "VBLK-06")
        self._verdict(rule, "The function asked its disk for what no request asks for", event, expected)

    def _verdict(
        self, rule: str, what: str, event: BlockRequest, expected: str = "", seen: str | None = None
    ) -> None:
        self._record.tlp = None
        self._record.verdict(rule, f"{what}.", expected, _words(event) if seen is None else seen)


def _as_request(operation: Operation | None) -> BlockRequest | None:
    """The media request an operation must show as."""
    if isinstance(operation, MediaRead):
        return BlockRequest(MediaOperation.READ, operation.sector, operation.count)
    if isinstance(operation, MediaWrite):
        return BlockRequest(MediaOperation.WRITE, operation.sector, len(operation.data) // SECTOR)
    if isinstance(operation, MediaFlush):
        return BlockRequest(MediaOperation.FLUSH, 0, 0)
    return None


def _words(event: BlockRequest) -> str:
    name = _NAMES.get(MediaOperation(event.op), "?") if event.op in set(MediaOperation) else f"op {event.op}"
    return name if event.op == MediaOperation.FLUSH else f"{name} {event.count} sectors from {event.sector}"
