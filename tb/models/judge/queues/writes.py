"""Judges what the function writes for one queue: the bytes its chains owe to guest memory, the used ring."""

from __future__ import annotations

from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.state import QueueState
from tb.models.judge.queues.used import UsedRing


class QueueWrites:
    """Takes the writes that belong to the queue, and refuses the others with a reason."""

    __slots__ = ("_attributes", "_in_order", "_queue", "_until_used", "_used")

    def __init__(self, queue: QueueState, used: UsedRing) -> None:
        profile = queue.facts.profile
        self._queue = queue
        self._used = used
        self._in_order = profile.answer_writes == "in_order"
        self._until_used = profile.answer_writes == "until_used"
        self._attributes = profile.dma_attributes == "data"

    def write(self, address: int, data: bytes) -> bool:
        """Judge a run of written bytes; False and a `refusal` when they go where they may not."""
        queue = self._queue
        queue.refusal = None
        if self._until_used:
            if self._write_image(address, data):
                queue.moved()
                return True
        else:
            for chain in queue.chains:
                if chain.owed and self._write_owed(chain, address, data):
                    return True
        layout = queue.layout
        if layout.used <= address < layout.end:
            record = queue.facts.record
            queue.moved()
            if self._attributes and record.tlp is not None and record.tlp.attributes:
                queue.verdict("VPCI-INT-16", "the used ring is written with relaxed ordering or no snoop")
            return self._used.write(address, data)
        self._refuse_write(address)
        return False

    def _write_image(self, address: int, data: bytes) -> bool:
        """Keep what is written to the writable buffers of a chain until it is used; False when it is none."""
        held = False
        for chain in self._queue.chains:
            if chain.image is not None and chain.holds(address, len(data)):
                chain.image.write(address, data)
                held = True
        return held

    def _write_owed(self, chain: JudgedChain, address: int, data: bytes) -> bool:
        """Take bytes that `chain` owes to guest memory, comparing them; False when none of them are."""
        place = chain.owed_at(address)
        if place is None:
            return False
        self._queue.moved()
        if chain.dead and not chain.suspect:
            chain.suspect = True
            what = f"{chain} gets bytes at {address:#x} although the queue must stop: {self._queue.stopped}"
            self._queue.verdict(self._queue.stop_rule, what)
        while data:
            if place is None:
                chain.suspect = True
                self._queue.verdict("BAD-DEV-08", f"a write goes past what {chain} owes, at {address:#x}")
                return True
            count = self._compare(chain, place, address, data)
            data = data[count:]
            address += count
            place = chain.owed_at(address)
        return True

    def _compare(self, chain: JudgedChain, place: int, address: int, data: bytes) -> int:
        """Hold written bytes against the owed ones at `place`; the count of bytes taken."""
        queue = self._queue
        owed = chain.owed[place]
        into = address - owed.address
        expected = owed.data[into : into + len(data)] if into or len(data) < len(owed.data) else owed.data
        count = len(expected)
        seen = data if len(data) == count else data[:count]
        if self._in_order and owed.turn > chain.owed[0].turn:
            queue.verdict("VRING-US-03", f"{chain} gets a later part of its answer before the earlier one")
        if seen != expected and not chain.suspect:
            chain.suspect = True
            at = next(i for i in range(count) if seen[i] != expected[i])
            queue.verdict(
                chain.rule or queue.data_rule,
                f"{chain} gets wrong bytes from {address + at:#x} on",
                expected[at : at + 16].hex(" "),
                seen[at : at + 16].hex(" "),
            )
        chain.pay(place, into, count)
        return count

    def _refuse_write(self, address: int) -> None:
        queue = self._queue
        layout = queue.layout
        if layout.descriptors <= address < layout.available:
            queue.refuse("BAD-DEV-08", "writes to the descriptor table")
        elif layout.available <= address < layout.used_event + 2:
            queue.refuse("BAD-DEV-08", "writes to the available ring")
        for chain in queue.chains:
            if chain.stream.locate(address, 1) is not None:
                queue.refuse("VRING-DESC-02", f"writes to the readable buffer at {address:#x} of {chain}")
            elif chain.covers(address):
                self._refuse_covered(chain, address)

    def _refuse_covered(self, chain: JudgedChain, address: int) -> None:
        queue = self._queue
        if chain.effects is None:
            what = f"writes to {address:#x} of {chain} before it can know the answer ({chain.stage})"
            queue.refuse(chain.rule or queue.data_rule, what)
        else:
            queue.refuse(
                "VRING-US-04", f"writes bytes to {address:#x} that {chain} does not call for, or again"
            )
