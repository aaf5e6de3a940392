"""One virtqueue, from the write of its address to the reset: what the function may read and write for it."""

from __future__ import annotations

from tb.models.judge.facts import Deliver, Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.queues.available import AvailableRing
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.decision import Decision
from tb.models.judge.queues.reads import QueueReads
from tb.models.judge.queues.state import QueueState
from tb.models.judge.queues.used import UsedRing
from tb.models.judge.queues.writes import QueueWrites
from tb.models.virtqueue import RingLayout

# A queue without a packet for this time, which waits for nobody, has come to rest.
QUIET_NS = 50_000


class JudgedQueue:
    """Judges the DMA of one queue; `state` is what is known of it."""

    __slots__ = ("_facts", "_reads", "_used", "_writes", "state")

    def __init__(
        self, facts: Facts, interrupts: Interrupts, number: int, layout: RingLayout, generation: int
    ) -> None:
        self._facts = facts
        self.state = state = QueueState(facts, number, layout, generation)
        chains = Chains(state)
        decision = Decision(state, interrupts)
        self._used = UsedRing(state, chains, decision)
        self._reads = QueueReads(state, AvailableRing(state, chains, decision), chains)
        self._writes = QueueWrites(state, self._used)

    @property
    def refusal(self) -> tuple[str, str, str] | None:
        """Why the last access refused was none for this queue: rule, sentence, what was expected."""
        return self.state.refusal

    @property
    def deciding(self) -> bool:
        """Whether used elements are written whose interrupt the function has no business to send yet."""
        return self.state.deciding

    def halt(self, rule: str, why: str) -> None:
        """Another queue has stopped the whole device."""
        self.state.stop(rule, f"{why} (in another queue, which stops the device)")

    def kick(self) -> None:
        """The guest has notified the queue."""
        state = self.state
        state.kicked = True
        if not state.owes_look:
            state.last_dma_ns = self._facts.record.time_ns  # stood still for good reason until now
        state.owes_look = True

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a DMA read: what takes its bytes, or None and a `refusal` when it touches what it may not."""
        return self._reads.read(address, count)

    def write(self, address: int, data: bytes) -> bool:
        """Judge a run of written bytes; False and a `refusal` when they go where they may not."""
        return self._writes.write(address, data)

    def at_rest(self) -> None:
        """When the queue has stood still for long and waits for nobody: report what it should have done."""
        state, now = self.state, self._facts.record.time_ns
        if now - state.last_dma_ns < QUIET_NS or self._facts.reads:
            return
        if any(chain.waits_for_media for chain in state.chains):
            return
        self.end_of_test()
        state.last_dma_ns = now

    def end_of_test(self) -> None:
        """Report what the function still owes."""
        state = self.state
        if state.stopped or state.excused or not state.kicked:
            return
        if state.owes_look:
            state.verdict("VPCI-Q-17", "a kick was never followed by a read of the available index")
        if self._facts.device.wants(state.number):
            self._accuse_unused()
        self._used.end_of_test()

    def _accuse_unused(self) -> None:
        state = self.state
        if state.due:
            state.verdict("BAD-DEV-11", f"{state.due} available chains were never taken")
        for chain in state.chains:
            state.verdict("BAD-DEV-11", f"{chain} was never used ({chain.stage})")
