"""The chains of one queue: taken from the available ring, given back in the used ring."""

from __future__ import annotations

from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import ChainError, walk_chain


class Chains:
    """Takes chains and judges the used elements that name them."""

    __slots__ = ("_finished_heads", "_queue")

    def __init__(self, queue: QueueState) -> None:
        self._queue = queue
        self._finished_heads: set[int] = set()

    def take(self, index: int, head: int) -> None:
        """The function has read available slot `index`, which holds `head`."""
        queue = self._queue
        self._finished_heads.discard(head)
        walk = walk_chain(queue.layout, head, queue.facts.profile, indirect_negotiated=queue.indirect)
        chain = JudgedChain(index, head, walk)
        chain.dead = bool(queue.stopped)
        queue.chains.append(chain)
        try:
            chain.begin()
        except ChainError as error:
            self.malformed(chain, error)

    def malformed(self, chain: JudgedChain, error: ChainError) -> None:
        """The function has learnt that `chain` breaks a rule: the queue must stop."""
        chain.error = error
        self._queue.stop(error.rule, error.sentence, chain)

    def use(self, head: int, length: int) -> None:
        """A used element was written."""
        queue = self._queue
        found = [chain for chain in queue.chains if chain.head == head]
        if not found:
            self._accuse_head(head)
            return
        chain = next((c for c in found if c.written), found[0])
        queue.chains.remove(chain)
        self._finished_heads.add(head)
        if chain.dead:
            what = f"{chain} is used although the queue must stop: {queue.stopped}"
            queue.verdict(queue.stop_rule, what)
        elif not chain.suspect:
            self._judge(chain, length)

    def _judge(self, chain: JudgedChain, length: int) -> None:
        """Hold the used element of a chain against its effects."""
        queue = self._queue
        if chain.effects is None:
            queue.verdict("VRING-US-03", f"{chain} is used before it is served ({chain.stage})")
        elif chain.owed:
            missing = sum(len(owed.data) for owed in chain.owed)
            at = chain.owed[0].address
            what = f"{chain} is used before its {missing} bytes from {at:#x} are written"
            queue.verdict("VRING-US-03", what)
        elif length != chain.effects.used_length:
            rule = "BAD-DEV-04" if length > chain.writable_length else "VRING-US-04"
            queue.verdict(rule, f"{chain} has a wrong used length", chain.effects.used_length, length)

    def _accuse_head(self, head: int) -> None:
        queue = self._queue
        if head >= queue.layout.size:
            queue.verdict("BAD-DEV-01", f"a used element names head {head:#x}, past the queue")
        elif head in self._finished_heads:
            queue.verdict("VRING-US-05", f"head {head} is used twice")
        else:
            heads = ", ".join(str(chain.head) for chain in queue.chains) or "none"
            what = f"a used element names head {head}, which is not in flight"
            queue.verdict("BAD-DEV-02", what, heads, head)
