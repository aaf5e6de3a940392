"""Judges what the function reads of one available ring, and learns from it what the function knows."""

from __future__ import annotations

from tb.models.judge.facts import Deliver
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.decision import Decision
from tb.models.judge.queues.state import QueueState

_INDEX = 2
_SLOTS = 4


class AvailableRing:
    """The available ring as the function has seen it; `chains` takes what its slots name."""

    __slots__ = ("_ahead", "_any", "_chains", "_decision", "_queue")

    def __init__(self, queue: QueueState, chains: Chains, decision: Decision) -> None:
        self._queue = queue
        self._chains = chains
        self._decision = decision
        self._any = queue.facts.profile.available_reads == "any"
        self._ahead: set[int] = set()

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a read that touches the ring; None (and a refusal) when the function may not make it."""
        queue = self._queue
        layout = queue.layout
        first = address - layout.available
        last = first + count
        slots_end = _SLOTS + 2 * layout.size
        if first < 0 or last > slots_end + 2:
            queue.refuse("BAD-DEV-09", "reads beyond the available ring")
            return None
        if first < _SLOTS and last > _INDEX and not (first <= _INDEX and last >= _SLOTS):
            queue.refuse("VPCI-Q-15", "reads one byte of the available index alone")
            return None
        if last == slots_end + 1 or first == slots_end + 1:
            queue.refuse("VPCI-Q-15", "reads one byte of used_event alone")
            return None
        slots = range(0)
        if last > _SLOTS and first < slots_end and not self._any:
            wanted = self._slots(max(first, _SLOTS) - _SLOTS, min(last, slots_end) - _SLOTS)
            if wanted is None:
                return None
            slots = wanted
        return self._accept(first, last, slots)

    def _slots(self, first: int, last: int) -> range | None:
        """Free-running indices of the slots in bytes `first` to `last` of the ring, in reading order."""
        queue = self._queue
        if first & 1 or last & 1:
            queue.refuse("BAD-DEV-09", "reads half an available slot")
            return None
        size = queue.layout.size
        start, count = first >> 1, (last - first) >> 1
        ahead = (start - queue.next_slot) % size
        if ahead + count > queue.exposed:
            queue.refuse(
                "VRING-AV-06",
                f"reads available slot {start}, which is not exposed or was read before",
                f"slot {queue.next_slot % size} next, {queue.exposed} exposed",
            )
            return None
        if ahead:
            queue.refuse(
                "VRING-AV-03", f"reads available slot {start} out of order", f"slot {queue.next_slot % size}"
            )
            return None
        return range(queue.next_slot, queue.next_slot + count)

    def _accept(self, first: int, last: int, slots: range) -> Deliver:
        """The read is right: note what it asks for and what its bytes will tell."""
        queue = self._queue
        layout = queue.layout
        queue.next_slot = (queue.next_slot + len(slots)) & 0xFFFF
        has_index = first <= _INDEX and last >= _SLOTS
        has_flags = first == 0
        has_event = last == _SLOTS + 2 * layout.size + 2
        if queue.passed:
            queue.passed.clear()
        if has_index:
            queue.owes_look = False
            queue.event_looked = True
        event_idx = queue.event_idx
        sample = None
        if has_event if event_idx else has_flags:
            sample = self._decision.sample_issued(glance=self._any and last - first > _SLOTS)
        publishes = queue.publishes
        exposed_to = queue.seen

        def deliver(data: bytes | None) -> None:
            if queue.failed(data):
                return
            assert data is not None
            index = _word(data, _INDEX - first) if has_index else None
            if index is not None:
                self._decision.index_known(index, publishes)
                self._learn(index)
            if sample is not None:
                flags = data[0] if has_flags else 0
                event = _word(data, len(data) - 2) if has_event else 0
                self._decision.decide(sample, flags, event)
            for turn, number in enumerate(slots):
                head = _word(data, 2 * turn + max(0, _SLOTS - first))
                self._chains.take(number & 0xFFFF, head)
            if self._any:
                self._take_exposed(first, data, exposed_to if index is None else queue.seen)

        return deliver

    def _take_exposed(self, first: int, data: bytes, exposed_to: int) -> None:
        """Take the chains whose slots lie in `data`, from ring byte `first` on, as far as they were exposed.

        A slot read before the index that exposes it tells nothing (VRING-AV-06), one read again no more.
        """
        queue = self._queue
        size, start = queue.layout.size, queue.next_slot
        for number in range((exposed_to - start) & 0xFFFF):
            index = (start + number) & 0xFFFF
            place = _SLOTS + 2 * (index % size) - first
            if 0 <= place <= len(data) - 2 and index not in self._ahead:
                self._ahead.add(index)
                self._chains.take(index, _word(data, place))
        while queue.next_slot in self._ahead:
            self._ahead.discard(queue.next_slot)
            queue.next_slot = (queue.next_slot + 1) & 0xFFFF

    def _learn(self, index: int) -> None:
        """The function has read the available index."""
        queue = self._queue
        new = (index - queue.next_slot) & 0xFFFF
        if new > queue.layout.size:
            queue.stop(
                "VRING-AV-04",
                f"the available index {index} is {new} ahead of the next slot, more than the ring has",
            )
            return
        queue.told = index
        if new > queue.exposed:
            queue.seen = index


def _word(data: bytes, place: int) -> int:
    return data[place] | data[place + 1] << 8
