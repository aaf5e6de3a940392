"""Judges what the function reads for one queue: its ring, descriptors, the buffers it may read."""

from __future__ import annotations

from tb.models.judge.facts import Deliver
from tb.models.judge.queues.available import AvailableRing
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import DESCRIPTOR_BYTES, ChainError

# Reads that a pipelined engine may have under way when it learns that the queue must stop.
_READS_UNDER_WAY = 8


class QueueReads:
    """Takes the reads that belong to the queue, and refuses the others with a reason."""

    __slots__ = ("_available", "_chains", "_loop_reads", "_queue", "_reads_left")

    def __init__(self, queue: QueueState, available: AvailableRing, chains: Chains) -> None:
        self._queue = queue
        self._available = available
        self._chains = chains
        self._reads_left = _READS_UNDER_WAY
        self._loop_reads = 0

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a DMA read: what takes its bytes, or None and a `refusal` when it touches what it may not."""
        queue = self._queue
        queue.refusal = None
        deliver = self._read_ring(address, count) or self._read_chain(address, count)
        if deliver is None:
            self._refuse_region(address)
            return None
        if not queue.kicked:
            queue.refuse("VPCI-Q-16", "reads a queue that was never notified")
            return None
        if queue.stopped and not self._still_under_way():
            queue.refuse(queue.stop_rule, f"reads on although the queue must stop: {queue.stopped}")
            return None
        queue.last_dma_ns = queue.facts.record.time_ns
        return deliver

    def _still_under_way(self) -> bool:
        self._reads_left -= 1
        return self._reads_left >= 0

    def _read_ring(self, address: int, count: int) -> Deliver | None:
        queue = self._queue
        layout = queue.layout
        if layout.available <= address < layout.used_event + 2:
            if queue.stopped and not self._reads_left:
                return None
            return self._available.read(address, count)
        return None

    def _read_chain(self, address: int, count: int) -> Deliver | None:
        for chain in self._queue.chains:
            if chain.fetch is not None and chain.wants_descriptor(address, count):
                chain.ask_descriptor(address, count)
                return self._descriptor_taker(chain, address)
            offset = chain.stream.locate(address, count)
            if offset is not None:
                chain.stream.asked(offset)
                return _BufferTaker(self._queue, self._chains, chain, offset)
            if chain.loop is not None and self._runs_round(chain.loop, address, count):
                return _nothing
        return None

    def _runs_round(self, table: tuple[int, int], address: int, count: int) -> bool:
        """Whether a read belongs to a loop that the function finds by counting, and has not counted out yet.

        It counts as far as its profile says: to the entries of the table, or to the segments of any chain.
        """
        queue = self._queue
        layout, profile = queue.layout, queue.facts.profile
        base, end = table if table[1] else (layout.descriptors, layout.descriptor(layout.size))
        by_table = profile.chain_limit_counts == "table"
        most = (end - base) // DESCRIPTOR_BYTES if by_table else profile.max_segments
        self._loop_reads += 1
        self._reads_left += 1
        return base <= address and address + count <= end and self._loop_reads <= most

    def _descriptor_taker(self, chain: JudgedChain, address: int) -> Deliver:
        queue = self._queue

        def deliver(data: bytes | None) -> None:
            if queue.failed(data, chain):
                return
            assert data is not None
            try:
                chain.descriptors(address, data)
                if chain.chain is not None:
                    chain.serve(queue.facts.device, queue.number)
            except ChainError as error:
                self._chains.malformed(chain, error)

        return deliver

    def _refuse_region(self, address: int) -> None:
        """Choose the words for a read that nothing explains."""
        queue = self._queue
        if queue.refusal is not None:
            return
        layout = queue.layout
        if layout.descriptors <= address < layout.available:
            index = (address - layout.descriptors) // 16
            self._refuse_descriptor(index, address)
        elif layout.used <= address < layout.end:
            queue.refuse("BAD-DEV-09", "reads the used ring")
        elif any(chain.covers(address) for chain in queue.chains):
            queue.refuse("VRING-DESC-02", f"reads the writable buffer at {address:#x}")

    def _refuse_descriptor(self, index: int, address: int) -> None:
        queue = self._queue
        if any(chain.fetch is not None and chain.was_asked(address) for chain in queue.chains):
            queue.refuse("VRING-DESC-12", f"fetches descriptor {index} a second time")
            return
        wanted = [str(chain.fetch.index) for chain in queue.chains if chain.fetch is not None]
        expected = f"descriptor {' or '.join(wanted)}" if wanted else "no descriptor"
        queue.refuse("VRING-AV-06", f"fetches descriptor {index}, which no chain has led to", expected)


class _BufferTaker:
    """Takes readable bytes of `chain` from stream `offset` on."""

    __slots__ = ("_chain", "_chains", "_offset", "_queue")

    def __init__(self, queue: QueueState, chains: Chains, chain: JudgedChain, offset: int) -> None:
        self._queue = queue
        self._chains = chains
        self._chain = chain
        self._offset = offset

    def __call__(self, data: bytes | None) -> None:
        if self._queue.failed(data, self._chain):
            return
        assert data is not None
        try:
            self._chain.bytes_read(self._offset, data)
        except ChainError as error:
            self._chains.malformed(self._chain, error)

    def part(self, data: bytes) -> None:
        """The first bytes may go to the disk although the rest does not come."""
        self._chain.stream.store(self._offset, data)


def _nothing(data: bytes | None) -> None:
    """Takes bytes that tell the function nothing new."""
