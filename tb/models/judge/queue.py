"""One virtqueue, from the write of its address to the reset: what the function may read and write for it."""

from __future__ import annotations

from tb.models.judge.available import AvailableRing
from tb.models.judge.chain import JudgedChain
from tb.models.judge.court import Court
from tb.models.judge.requests import Deliver
from tb.models.judge.used import UsedRing
from tb.models.virtqueue import DESCRIPTOR_BYTES, ChainError, RingLayout, walk_chain

# Reads that a pipelined engine may have under way when it learns that the queue must stop.
_READS_UNDER_WAY = 8
# A queue without a packet for this time, which waits for nobody, has come to rest.
QUIET_NS = 50_000


class JudgedQueue:
    """Judges the DMA of one queue.

    `kicked`: the guest has notified it at least once; `stopped` says why the queue must stand still until
    reset; `excused`: the host has spoilt something on purpose, so nothing is owed any more.
    """

    __slots__ = (
        "_loop_reads",
        "_reads_left",
        "_stop_rule",
        "available",
        "chains",
        "court",
        "excused",
        "finished_heads",
        "generation",
        "kicked",
        "last_dma_ns",
        "layout",
        "number",
        "refusal",
        "retired",
        "stopped",
        "used",
    )

    def __init__(self, court: Court, number: int, layout: RingLayout, generation: int) -> None:
        self.court = court
        self.number = number
        self.layout = layout
        self.generation = generation
        self.kicked = False
        self.last_dma_ns = 0
        self.stopped = ""
        self.excused = False
        self.retired = False
        self.chains: list[JudgedChain] = []
        self.finished_heads: set[int] = set()
        self.refusal: tuple[str, str, str] | None = None
        self.available = AvailableRing(self)
        self.used = UsedRing(self)
        self._stop_rule = ""
        self._reads_left = _READS_UNDER_WAY
        self._loop_reads = 0

    # --- verdicts

    def refuse(self, rule: str, what: str, expected: str = "") -> None:
        """Why the access is not one for this queue; becomes a verdict if no other queue takes it."""
        self.refusal = (rule, f"The function {what} (queue {self.number}).", expected)

    def verdict(self, rule: str, what: str, expected: object = "", seen: object = "") -> None:
        """Report a fault in this queue; `what` is a clause."""
        self.court.record.verdict(rule, f"Queue {self.number}: {what}.", expected, seen)

    def kick(self) -> None:
        """The guest has notified the queue."""
        self.kicked = True
        if not self.available.owes_look:
            self.last_dma_ns = self.court.record.time_ns  # stood still for good reason until now
        self.available.owes_look = True

    def at_rest(self) -> None:
        """When the queue has stood still for long and waits for nobody: report what it should have done."""
        court = self.court
        if court.record.time_ns - self.last_dma_ns < QUIET_NS or court.reads_outstanding():
            return
        if any(chain.waits_for_media for chain in self.chains):
            return
        self.end_of_test()
        self.last_dma_ns = court.record.time_ns

    # --- DMA reads

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a DMA read: what takes its bytes, or None and a `refusal` when it touches what it may not."""
        self.refusal = None
        deliver = self._read_ring(address, count) or self._read_chain(address, count)
        if deliver is None:
            self._refuse_region(address)
            return None
        if not self.kicked:
            self.refuse("VPCI-Q-16", "reads a queue that was never notified")
            return None
        if self.stopped and not self._still_under_way():
            self.refuse(self._stop_rule, f"reads on although the queue must stop: {self.stopped}")
            return None
        self.last_dma_ns = self.court.record.time_ns
        return deliver

    def _still_under_way(self) -> bool:
        self._reads_left -= 1
        return self._reads_left >= 0

    def _read_ring(self, address: int, count: int) -> Deliver | None:
        layout = self.layout
        if layout.available <= address < layout.used_event + 2:
            if self.stopped and not self._reads_left:
                return None
            return self.available.read(address, count)
        return None

    def _read_chain(self, address: int, count: int) -> Deliver | None:
        for chain in self.chains:
            if chain.fetch is not None and chain.wants_descriptor(address, count):
                chain.ask_descriptor(address, count)
                return self._descriptor_taker(chain, address)
            offset = chain.stream.locate(address, count)
            if offset is not None:
                chain.stream.asked(offset)
                return self._buffer_taker(chain, offset)
            if chain.loop is not None and self._runs_round(chain.loop, address, count):
                return _nothing
        return None

    def _runs_round(self, table: tuple[int, int], address: int, count: int) -> bool:
        """Whether a read belongs to a loop that the function finds by counting, and has not counted out yet.

        It counts as far as its profile says: to the entries of the table, or to the segments of any chain.
        """
        layout, profile = self.layout, self.court.profile
        base, end = table if table[1] else (layout.descriptors, layout.descriptor(layout.size))
        by_table = profile.chain_limit_counts == "table"
        most = (end - base) // DESCRIPTOR_BYTES if by_table else profile.max_segments
        self._loop_reads += 1
        self._reads_left += 1
        return base <= address and address + count <= end and self._loop_reads <= most

    def _descriptor_taker(self, chain: JudgedChain, address: int) -> Deliver:
        def deliver(data: bytes | None) -> None:
            if self.failed(data):
                return
            assert data is not None
            try:
                chain.descriptors(address, data)
                if chain.chain is not None:
                    chain.serve(self.court.device, self.number)
            except ChainError as error:
                self._malformed(chain, error)

        return deliver

    def _buffer_taker(self, chain: JudgedChain, offset: int) -> Deliver:
        def deliver(data: bytes | None) -> None:
            if self.failed(data):
                return
            assert data is not None
            try:
                chain.bytes_read(offset, data)
            except ChainError as error:
                self._malformed(chain, error)

        return deliver

    def _refuse_region(self, address: int) -> None:
        """Choose the words for a read that nothing explains."""
        if self.refusal is not None:
            return
        layout = self.layout
        if layout.descriptors <= address < layout.available:
            index = (address - layout.descriptors) // 16
            self._refuse_descriptor(index, address)
        elif layout.used <= address < layout.end:
            self.refuse("BAD-DEV-09", "reads the used ring")
        elif any(chain.covers(address) for chain in self.chains):
            self.refuse("VRING-DESC-02", f"reads the writable buffer at {address:#x}")

    def _refuse_descriptor(self, index: int, address: int) -> None:
        if any(chain.fetch is not None and chain.was_asked(address) for chain in self.chains):
            self.refuse("VRING-DESC-12", f"fetches descriptor {index} a second time")
            return
        wanted = [str(chain.fetch.index) for chain in self.chains if chain.fetch is not None]
        expected = f"descriptor {' or '.join(wanted)}" if wanted else "no descriptor"
        self.refuse("VRING-AV-06", f"fetches descriptor {index}, which no chain has led to", expected)

    # --- what it learns

    def take(self, index: int, head: int) -> None:
        """The function has read available slot `index`, which holds `head`."""
        self.finished_heads.discard(head)
        court = self.court
        walk = walk_chain(self.layout, head, court.profile, indirect_negotiated=court.indirect)
        chain = JudgedChain(index, head, walk)
        chain.dead = bool(self.stopped)
        self.chains.append(chain)
        try:
            chain.begin()
        except ChainError as error:
            self._malformed(chain, error)

    def failed(self, data: bytes | None) -> bool:
        """Whether a read failed; then the queue must stop (BAD-RING-37, VFIO-15)."""
        if data is None:
            self.stop("BAD-RING-37", "a DMA read of it failed")
        return data is None

    def _malformed(self, chain: JudgedChain, error: ChainError) -> None:
        chain.error = error
        self.stop(error.rule, error.sentence)

    def stop(self, rule: str, why: str) -> None:
        """The function has learnt something after which the queue stands still until reset."""
        if self.stopped:
            return
        self.stopped = why
        self._stop_rule = rule
        for chain in self.chains:
            chain.dead = chain.chain is None or chain.error is not None

    # --- DMA writes

    def write(self, address: int, data: bytes) -> bool:
        """Judge a run of written bytes; False and a `refusal` when they go where they may not."""
        self.refusal = None
        for chain in self.chains:
            if chain.owed and self._write_owed(chain, address, data):
                return True
        layout = self.layout
        if layout.used <= address < layout.end:
            self.last_dma_ns = self.court.record.time_ns
            return self.used.write(address, data)
        self._refuse_write(address)
        return False

    def _write_owed(self, chain: JudgedChain, address: int, data: bytes) -> bool:
        """Take bytes that `chain` owes to guest memory, comparing them; False when none of them are."""
        place = chain.owed_at(address)
        if place is None:
            return False
        while data:
            if place is None:
                chain.suspect = True
                self.verdict("BAD-DEV-08", f"a write goes past what {chain} owes, at {address:#x}")
                return True
            count = self._compare(chain, place, address, data)
            data = data[count:]
            address += count
            place = chain.owed_at(address)
        return True

    def _compare(self, chain: JudgedChain, place: int, address: int, data: bytes) -> int:
        """Hold written bytes against the owed ones at `place`; the count of bytes taken."""
        owed = chain.owed[place]
        into = address - owed.address
        expected = owed.data[into : into + len(data)] if into or len(data) < len(owed.data) else owed.data
        count = len(expected)
        seen = data if len(data) == count else data[:count]
        if owed.turn > chain.owed[0].turn:
            self.verdict("VRING-US-03", f"{chain} gets a later part of its answer before the earlier one")
        if seen != expected and not chain.suspect:
            chain.suspect = True
            at = next(i for i in range(count) if seen[i] != expected[i])
            self.verdict(
                self.court.data_rule,
                f"{chain} gets wrong bytes from {address + at:#x} on",
                expected[at : at + 16].hex(" "),
                seen[at : at + 16].hex(" "),
            )
        chain.pay(place, into, count)
        return count

    def _refuse_write(self, address: int) -> None:
        layout = self.layout
        if layout.descriptors <= address < layout.available:
            self.refuse("BAD-DEV-08", "writes to the descriptor table")
        elif layout.available <= address < layout.used_event + 2:
            self.refuse("BAD-DEV-08", "writes to the available ring")
        for chain in self.chains:
            if chain.stream.locate(address, 1) is not None:
                self.refuse("VRING-DESC-02", f"writes to the readable buffer at {address:#x} of {chain}")
            elif chain.covers(address):
                self._refuse_covered(chain, address)

    def _refuse_covered(self, chain: JudgedChain, address: int) -> None:
        if chain.effects is None:
            what = f"writes to {address:#x} of {chain} before it can know the answer ({chain.stage})"
            self.refuse(self.court.data_rule, what)
        else:
            self.refuse(
                "VRING-US-04", f"writes bytes to {address:#x} that {chain} does not call for, or again"
            )

    def use(self, head: int, length: int) -> None:
        """A used element was written."""
        found = [chain for chain in self.chains if chain.head == head]
        if not found:
            self._accuse_head(head)
            return
        chain = next((c for c in found if c.written), found[0])
        self.chains.remove(chain)
        self.finished_heads.add(head)
        if chain.dead:
            self.verdict(self._stop_rule, f"{chain} is used although the queue must stop: {self.stopped}")
        elif chain.suspect:
            return
        elif chain.effects is None:
            self.verdict("VRING-US-03", f"{chain} is used before it is served ({chain.stage})")
        elif chain.owed:
            missing = sum(len(owed.data) for owed in chain.owed)
            at = chain.owed[0].address
            self.verdict(
                "VRING-US-03", f"{chain} is used before its {missing} bytes from {at:#x} are written"
            )
        elif length != chain.effects.used_length:
            rule = "BAD-DEV-04" if length > chain.writable_length else "VRING-US-04"
            self.verdict(rule, f"{chain} has a wrong used length", chain.effects.used_length, length)

    def _accuse_head(self, head: int) -> None:
        if head >= self.layout.size:
            self.verdict("BAD-DEV-01", f"a used element names head {head:#x}, past the queue")
        elif head in self.finished_heads:
            self.verdict("VRING-US-05", f"head {head} is used twice")
        else:
            heads = ", ".join(str(chain.head) for chain in self.chains) or "none"
            self.verdict(
                "BAD-DEV-02", f"a used element names head {head}, which is not in flight", heads, head
            )

    # --- the end

    @property
    def spoilt(self) -> bool:
        """Whether data may be missing: the host failed a read, or a reset came between."""
        return bool(self.stopped) or self.excused or self.retired

    @property
    def idle(self) -> bool:
        """Whether the function has nothing to do for this queue that anybody knows of."""
        ring = self.available
        return not (ring.owes_look or ring.exposed or self.chains)

    def end_of_test(self) -> None:
        """Report what the function still owes."""
        if self.stopped or self.excused or not self.kicked:
            return
        if self.available.owes_look:
            self.verdict("VPCI-Q-17", "a kick was never followed by a read of the available index")
        if self.available.exposed and self.court.device.wants(self.number):
            self.verdict("BAD-DEV-11", f"{self.available.exposed} available chains were never taken")
        for chain in self.chains:
            if self.court.device.wants(self.number):
                self.verdict("BAD-DEV-11", f"{chain} was never used ({chain.stage})")
        self.used.end_of_test()


def _nothing(data: bytes | None) -> None:
    """Takes bytes that tell the function nothing new."""
