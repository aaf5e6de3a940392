"""One virtqueue, from the write of its address to the reset: what the function may read and write for it."""

from __future__ import annotations

from collections.abc import Iterator

from tb.models.judge.facts import Deliver, Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.queues.available import AvailableRing
from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.debt import Debt
from tb.models.judge.queues.decision import Decision
from tb.models.judge.queues.reads import QueueReads
from tb.models.judge.queues.state import QueueState
from tb.models.judge.queues.used import UsedRing
from tb.models.judge.queues.writes import QueueWrites
from tb.models.virtqueue import RingLayout

# A queue without anything to do, without a packet for this time, has no read under way inside.
RESTING_NS = 2_000


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

    @property
    def resting(self) -> bool:
        """Whether the queue has had no packet for a while, and nothing asks for one."""
        state = self.state
        quiet = self._facts.record.time_ns - state.last_dma_ns >= RESTING_NS
        return quiet and (state.idle or bool(state.stopped))

    def halt(self, rule: str, why: str) -> None:
        """Another queue has stopped the whole device."""
        self.state.stop(rule, f"{why} (in another queue, which stops the device)")

    def passed_over(self, taker: int, chains: int) -> None:
        """Queue `taker` took so many chains: it may not do so for ever while this one waits (BAD-REG-06)."""
        state = self.state
        if taker == state.number or not (state.owes_look or state.due) or not self.owes:
            return
        most = self._facts.profile.queue_turns
        state.passed[taker] = passed = state.passed.get(taker, 0) + chains
        if most and passed - chains <= most < passed:
            what = f"{passed} chains of queue {taker} were taken while this one waits to be looked at"
            state.verdict("BAD-REG-06", what, f"at most {most}", passed)

    def let_off(self) -> None:
        """Another queue may have stopped the whole device: nothing is owed any more."""
        self.state.excused = True

    def kick(self) -> None:
        """The guest has notified the queue."""
        state = self.state
        if not self.owes:
            state.owed_ns = self._facts.record.own_ns
        state.kicked = True
        state.owes_look = True

    def read(self, address: int, count: int) -> Deliver | None:
        """Judge a DMA read: what takes its bytes, or None and a `refusal` when it touches what it may not."""
        return self._reads.read(address, count)

    def write(self, address: int, data: bytes) -> bool:
        """Judge a run of written bytes; False and a `refusal` when they go where they may not."""
        return self._writes.write(address, data)

    # --- what is owed

    def debts(self) -> Iterator[Debt]:
        """What the function still has to do for the queue: rule and clause, expected and seen."""
        state = self.state
        if state.stopped or state.excused or not state.kicked:
            return
        if state.owes_look:
            yield Debt("VPCI-Q-17", "a kick was not followed by a read of the available index")
        if self._facts.device.wants(state.number):
            if state.due:
                yield Debt("BAD-DEV-11", f"{state.due} available chains were not taken")
            for chain in state.chains:
                yield Debt("BAD-DEV-11", f"{chain} was not used ({chain.stage})")
        yield from self._used.debts()

    @property
    def owes(self) -> bool:
        """Whether anything is owed that was not told yet."""
        return not self.state.accused and any(True for _ in self.debts())

    def look(self, own_ns: int) -> int:
        """The function stands still and nobody holds it up: tell what it owes; when to look again."""
        latency = self._facts.profile.dma_latency_ns
        due = self.state.owed_ns + latency
        if own_ns < due:
            return due
        self._accuse(f"within {latency} ns in which nothing held the function up")
        return own_ns + latency

    def end_of_test(self) -> None:
        """Report what the function still owes."""
        self._accuse("before the end")

    def _accuse(self, when: str) -> None:
        state = self.state
        if state.accused:
            return
        for debt in self.debts():
            state.accused = True
            state.verdict(debt.rule, f"{debt.what} {when}", debt.expected, debt.seen)
