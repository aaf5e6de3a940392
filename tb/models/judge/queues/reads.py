"""Judges what the function reads for one queue: its ring, descriptors, the buffers it may read."""

from __future__ import annotations

from tb.models.judge.facts import Deliver
from tb.models.judge.queues.available import AvailableRing
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.state import QueueState
from tb.models.judge.queues.table import TableCopies
from tb.models.judge.queues.wide_reads import WideReads
from tb.models.judge.snapshots import NO_SNOOP
from tb.models.profile import Profile
from tb.models.virtqueue import DESCRIPTOR_BYTES, ChainError


class QueueReads:
    """Takes the reads that belong to the queue, and refuses the others with a reason."""

    __slots__ = (
        "_attributes",
        "_available",
        "_chains",
        "_copies",
        "_looks",
        "_loop_reads",
        "_queue",
        "_reads_left",
        "_wide",
    )

    def __init__(self, queue: QueueState, available: AvailableRing, chains: Chains) -> None:
        self._queue = queue
        self._available = available
        self._chains = chains
        profile = queue.facts.profile
        self._reads_left = profile.reads_under_way
        self._loop_reads = 0
        self._attributes = profile.dma_attributes == "data"
        self._looks = profile.polls or queue.facts.device.named_in(profile.driver_ok_kicks)
        self._copies = TableCopies(queue, chains) if profile.descriptor_reads == "any" else None
        self._wide: WideReads | None = None
        if _takes_more(profile):
            self._wide = WideReads(
                queue, available, self._copies, descriptor=self._descriptor_taker, buffer=self._ask_buffer
            )

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a DMA read: what takes its bytes, or None and a `refusal` when it touches what it may not."""
        queue = self._queue
        queue.refusal = None
        if not count:
            return self._flush(address)
        deliver = self._read_ring(address, count) or self._read_chain(address, count)
        if deliver is None and self._wide is not None:
            deliver = self._wide.read(address, count)
        if deliver is None:
            self._refuse_region(address)
            return None
        if self._attributes:
            self._check_snoop(address)
        if not queue.kicked and not self._looks_unasked():
            queue.refuse("VPCI-Q-16", "reads a queue that was never notified")
            return None
        if queue.stopped and not self._still_under_way():
            queue.refuse(queue.stop_rule, f"reads on although the queue must stop: {queue.stopped}")
            return None
        queue.moved()
        return deliver

    def _check_snoop(self, address: int) -> None:
        """The guest's caches must be asked when the rings are read."""
        queue = self._queue
        tlp = queue.facts.record.tlp
        in_ring = queue.layout.descriptors <= address < queue.layout.end
        if in_ring and tlp is not None and tlp.attributes & NO_SNOOP:
            queue.verdict("VPCI-INT-16", "the rings are read with no snoop")

    def _flush(self, address: int) -> Deliver | None:
        """Judge a read of no byte: it pushes writes ahead of it, and tells nothing."""
        queue = self._queue
        allowed = "flush" in queue.facts.profile.other_reads
        if allowed and self._wide is not None and self._wide.flush(address):
            return _nothing
        expected = "" if allowed else "no such read (`other_reads` of the profile)"
        queue.refuse("BAD-DEV-09", f"makes a read of no byte at {address:#x}", expected)
        return None

    def _looks_unasked(self) -> bool:
        """Whether it may look into the queue unnotified; from then on it owes as if it had been."""
        queue = self._queue
        if self._looks and queue.facts.snapshots.any(lambda state: state.driver_ok):
            queue.kicked = True
        return queue.kicked

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
        if self._copies is not None and layout.descriptors <= address and address + count <= layout.available:
            return self._copies.read(address, count)
        return None

    def _read_chain(self, address: int, count: int) -> Deliver | None:
        again: tuple[JudgedChain, int] | None = None
        for chain in self._queue.chains:
            if chain.fetch is not None and chain.wants_descriptor(address, count):
                chain.ask_descriptor(address, count)
                return self._descriptor_taker(chain, address)
            offset = chain.stream.locate(address, count)
            if offset is not None and not chain.stream.was_asked(offset):
                return self._ask_buffer(chain, offset)
            if offset is not None and again is None:
                again = chain, offset
            if chain.loop is not None and self._runs_round(chain.loop, address, count):
                return _nothing
        return self._ask_buffer(*again) if again else self._read_across(address, count)

    def _read_across(self, address: int, count: int) -> Deliver | None:
        """A read of buffers that follow each other in their chain and in memory (VRING-DESC-06)."""
        for chain in self._queue.chains:
            offset = chain.stream.locate_across(address, count)
            if offset is not None:
                return self._ask_buffer(chain, offset)
        return None

    def _ask_buffer(self, chain: JudgedChain, offset: int) -> Deliver:
        chain.stream.asked(offset)
        return _BufferTaker(self._queue, self._chains, chain, offset)

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
        def deliver(data: bytes | None) -> None:
            if self._queue.failed(data, chain):
                return
            assert data is not None
            chain.keep(address, data)
            self._chains.walk_on(chain)

        return deliver

    def _refuse_region(self, address: int) -> None:
        """Choose the words for a read that nothing explains."""
        queue = self._queue
        if queue.refusal is not None:
            return
        layout = queue.layout
        if queue.stopped and not self._reads_left and layout.descriptors <= address < layout.end:
            queue.refuse(queue.stop_rule, f"reads on although the queue must stop: {queue.stopped}")
            return
        if layout.descriptors <= address < layout.available:
            index = (address - layout.descriptors) // 16
            self._refuse_descriptor(index, address)
        elif layout.used <= address < layout.end:
            queue.refuse("BAD-DEV-09", "reads the used ring")
        elif any(chain.covers(address) for chain in queue.chains):
            queue.refuse("VRING-DESC-02", f"reads the writable buffer at {address:#x}")

    def _refuse_descriptor(self, index: int, address: int) -> None:
        queue = self._queue
        if any(chain.was_asked(address) for chain in queue.chains):
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


def _takes_more(profile: Profile) -> bool:
    """Whether any choice of the profile lets a read take more than what is needed just then."""
    any_part = "any" in (profile.available_reads, profile.descriptor_reads)
    return any_part or profile.read_granule > 1 or bool(profile.other_reads)


def _nothing(data: bytes | None) -> None:
    """Takes bytes that tell the function nothing new."""
