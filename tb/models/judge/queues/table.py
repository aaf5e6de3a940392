"""What a function has read of a queue's descriptor table, where it may read more than a chain has led to."""

from __future__ import annotations

from tb.models.judge.facts import Deliver
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import DESCRIPTOR_BYTES

_DW = 4


class TableCopies:
    """The copies of the table's DWs, each with the available index known when it was asked for.

    A copy is good for a chain that this index exposes: the guest has written its descriptors before
    (VRING-AV-06). Of several good ones the first counts (VRING-DESC-12).
    """

    __slots__ = ("_chains", "_copies", "_queue")

    def __init__(self, queue: QueueState, chains: Chains) -> None:
        self._queue = queue
        self._chains = chains
        self._copies: dict[int, list[tuple[int, bytes]]] = {}
        chains.on_taken = self._taken

    def read(self, address: int, count: int) -> Deliver:
        """The function reads `count` bytes of the table."""
        seen = self._queue.seen

        def deliver(data: bytes | None) -> None:
            if self._queue.failed(data):
                return
            assert data is not None
            self._keep(address, data, seen)
            for chain in tuple(self._queue.chains):
                if chain.known is not None:
                    self._chains.walk_on(chain)

        return deliver

    def _taken(self, chain: JudgedChain) -> None:
        """A chain was taken: what was read ahead of it may lead to its end already."""
        index = chain.index
        chain.known = lambda address: self._find(address, index)
        self._chains.walk_on(chain)

    def _keep(self, address: int, data: bytes, seen: int) -> None:
        oldest = self._oldest()
        start = -address % _DW
        for place in range(start, len(data) - _DW + 1, _DW):
            copies = self._copies.setdefault(address + place, [])
            copies[:] = [copy for copy in copies if _exposes(copy[0], oldest)]
            copies.append((seen, data[place : place + _DW]))

    def _oldest(self) -> int:
        """Index of the oldest chain that may still need a descriptor."""
        queue = self._queue
        needing = [chain for chain in queue.chains if chain.fetch is not None]
        oldest = min(needing, key=queue.age, default=None)
        return queue.next_slot if oldest is None or queue.age(oldest) > 0 else oldest.index

    def _find(self, address: int, index: int) -> bytes | None:
        """The descriptor at `address` for the chain `index`, None while a good copy of it is missing."""
        raw = b""
        for place in range(address, address + DESCRIPTOR_BYTES, _DW):
            good = (dw for seen, dw in self._copies.get(place, ()) if _exposes(seen, index))
            raw += next(good, b"")
        return raw if len(raw) == DESCRIPTOR_BYTES else None


def _exposes(seen: int, index: int) -> bool:
    """Whether an available index of `seen` exposes the chain `index`."""
    return 0 < (seen - index) & 0xFFFF <= 0x8000
