"""Judges the media side of a block function: each request reaches the disk once, as the guest asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tb.models.devices.base import Gather, MediaFlush, MediaRead, MediaResult, MediaWrite, Operation
from tb.models.judge.chain import JudgedChain
from tb.models.judge.media import BlockRequest, BlockResponse, BlockWriteData, MediaOperation
from tb.models.judge.queue import JudgedQueue
from tb.models.judge.record import Record
from tb.models.virtqueue import ChainError

SECTOR = 512
_NAMES = {MediaOperation.READ: "read", MediaOperation.WRITE: "write", MediaOperation.FLUSH: "flush"}
Queues = Callable[[], Iterable[JudgedQueue]]


@dataclass(slots=True)
class _Open:
    """The request the disk works on: whose it is (None: not known yet), the data that passed."""

    request: BlockRequest
    queue: JudgedQueue | None = None
    chain: JudgedChain | None = None
    data: bytes | None = None


class Disk:
    """Matches media events with the operations the device model waits for."""

    def __init__(self, record: Record, queues: Queues) -> None:
        self._record = record
        self._queues = queues
        self._open: _Open | None = None

    def request(self, event: BlockRequest) -> None:
        """The function asked the disk for something."""
        if self._open is not None:
            self._verdict("VRING-US-05", "The function asked its disk for more before the answer came", event)
        self._open = _Open(event)
        if self._claim(self._open):
            return
        if event.op == MediaOperation.WRITE and self._may_be_claimed_later():
            return
        self._accuse(event)
        self._open = None

    def write_data(self, event: BlockWriteData) -> None:
        """All data of the open write have passed to the disk."""
        opened = self._open
        if opened is None:
            return
        opened.data = event.data
        if opened.chain is None and not self._claim(opened):
            self._accuse(opened.request)
            self._open = None
            return
        self._compare(opened)

    def response(self, event: BlockResponse) -> None:
        """The disk answered the open request."""
        opened, self._open = self._open, None
        if opened is None:
            return
        queue, chain = opened.queue, opened.chain
        if queue is None or chain is None:
            self._accuse(opened.request)
            return
        if isinstance(chain.operation, MediaWrite) and opened.data is None:
            self._verdict("VBLK-06", "The disk got no data for a write", opened.request)
        chain.claimed = False
        try:
            chain.answer(MediaResult(event.ok, event.data))
        except ChainError as error:
            queue.stop(error.rule, error.sentence)

    # --- whose it is

    def _claim(self, opened: _Open) -> bool:
        """Find the chain that waits for exactly this request."""
        for queue in self._queues():
            for chain in queue.chains:
                if not chain.claimed and _asks(chain.operation) == opened.request:
                    chain.claimed = True
                    opened.queue, opened.chain = queue, chain
                    return True
        return False

    def _may_be_claimed_later(self) -> bool:
        """Whether a chain whose data are still being read may turn out to ask for a write."""
        return any(
            isinstance(chain.operation, Gather) and chain.operation.offset > 0
            for queue in self._queues()
            for chain in queue.chains
        )

    def _compare(self, opened: _Open) -> None:
        chain, data = opened.chain, opened.data
        if chain is None or data is None or not isinstance(chain.operation, MediaWrite):
            return
        expected = chain.operation.data
        if data == expected:
            return
        at = next((i for i, (a, b) in enumerate(zip(data, expected, strict=False)) if a != b), len(data))
        self._verdict(
            "VBLK-06",
            f"The disk gets wrong data for {chain}, from byte {at} of sector {chain.operation.sector} on",
            opened.request,
            expected[at : at + 16].hex(" "),
            data[at : at + 16].hex(" "),
        )

    def _accuse(self, event: BlockRequest) -> None:
        waiting = [
            (chain, asked)
            for queue in self._queues()
            for chain in queue.chains
            if (asked := _asks(chain.operation)) is not None and not chain.claimed
        ]
        expected = " or ".join(_words(asked) for _, asked in waiting) or "no media request"
        for chain, _ in waiting[:1]:
            chain.suspect = True
        self._verdict("VBLK-06", "The function asked its disk for what no request asks for", event, expected)

    def _verdict(
        self, rule: str, what: str, event: BlockRequest, expected: str = "", seen: str | None = None
    ) -> None:
        self._record.tlp = None
        self._record.verdict(rule, f"{what}.", expected, _words(event) if seen is None else seen)

    def end_of_test(self) -> None:
        """No disk request may be open for a chain in flight; the chain itself tells that it is not used."""


def _asks(operation: Operation | None) -> BlockRequest | None:
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
