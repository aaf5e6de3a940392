"""The chains of one queue: taken from the available ring, given back in the used ring."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.devices.base import Effects
from tb.models.judge.queues.chain import JudgedChain
from tb.models.judge.queues.image import Image
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import ChainError, walk_chain


class Chains:
    """Takes chains and judges the used elements that name them."""

    __slots__ = ("_finished_heads", "_in_order", "_most", "_queue", "_until_used", "on_taken")

    def __init__(self, queue: QueueState) -> None:
        profile = queue.facts.profile
        self._queue = queue
        self._finished_heads: set[int] = set()
        self._in_order = profile.completion_order == "in_order"
        self._most = profile.chains_in_flight or queue.layout.size
        self._until_used = profile.answer_writes == "until_used"
        self.on_taken: Callable[[JudgedChain], None] | None = None

    def take(self, index: int, head: int) -> None:
        """The function has read available slot `index`, which holds `head`."""
        queue = self._queue
        queue.take_turn()
        self._finished_heads.discard(head)
        walk = walk_chain(queue.layout, head, queue.facts.profile, indirect_negotiated=queue.indirect)
        chain = JudgedChain(index, head, walk)
        chain.dead = bool(queue.stopped)
        if self._until_used:
            chain.image = Image()
        queue.chains.append(chain)
        if len(queue.chains) > self._most and not queue.spoilt:
            self._accuse_crowd(chain)
        try:
            chain.begin()
        except ChainError as error:
            self.malformed(chain, error)
            return
        if self.on_taken is not None:
            self.on_taken(chain)

    def walk_on(self, chain: JudgedChain) -> None:
        """Descriptors of `chain` may have come: walk it, and let the device model start on it at its end."""
        queue = self._queue
        if chain.fetch is None or chain.error is not None:
            return
        try:
            chain.walk_on()
            if chain.chain is not None:
                chain.serve(queue.facts.device, queue.number)
        except ChainError as error:
            self.malformed(chain, error)

    def _accuse_crowd(self, chain: JudgedChain) -> None:
        queue = self._queue
        queue.verdict(
            "BAD-RING-26",
            f"{chain} is taken while {len(queue.chains) - 1} others are not used yet",
            f"at most {self._most} in flight (`chains_in_flight` of the profile)",
            len(queue.chains),
        )

    def malformed(self, chain: JudgedChain, error: ChainError) -> None:
        """The function has learnt that `chain` breaks a rule: the queue must stop, or the chain goes back."""
        chain.error = error
        queue = self._queue
        if "malformed" in queue.facts.profile.gives_back and chain.head < queue.layout.size:
            chain.give_back(Effects((), 0))
        else:
            queue.stop(error.rule, error.sentence, chain)

    def use(self, head: int, length: int) -> None:
        """A used element was written."""
        queue = self._queue
        found = [chain for chain in queue.chains if chain.head == head]
        if not found:
            self._accuse_head(head)
            return
        chain = next((c for c in found if c.written), found[0])
        if self._in_order and chain is not queue.chains[0] and not queue.spoilt:
            self._accuse_order(chain)
        queue.chains.remove(chain)
        self._finished_heads.add(head)
        if chain.dead:
            what = f"{chain} is used although the queue must stop: {queue.stopped}"
            queue.verdict(queue.stop_rule, what)
        elif not chain.suspect:
            self._judge(chain, length)

    def _accuse_order(self, chain: JudgedChain) -> None:
        queue = self._queue
        older = min(queue.chains, key=queue.age)
        if older is not chain:
            what = f"{chain} is used before {older}"
            queue.verdict("VRING-US-06", what, "in order (`completion_order` of the profile)")

    def _judge(self, chain: JudgedChain, length: int) -> None:
        """Hold the used element of a chain against its effects."""
        queue = self._queue
        if chain.image is not None and chain.effects is not None:
            self._settle(chain, chain.image)
            if chain.suspect:
                return
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

    def _settle(self, chain: JudgedChain, image: Image) -> None:
        """Hold what its buffers have now against what it owes them (`answer_writes` is `until_used`)."""
        wanted = Image()
        for owed in chain.owed:
            wanted.write(owed.address, owed.data)
        missing = image.missing(wanted)
        if missing is not None:
            chain.suspect = True
            self._queue.verdict("VRING-US-03", f"{chain} is used before {missing:#x} is written")
            return
        wrong = image.difference(wanted)
        if wrong is not None:
            chain.suspect = True
            at, expected, seen = wrong
            what = f"{chain} is used with wrong bytes from {at:#x} on"
            self._queue.verdict(self._queue.data_rule, what, expected.hex(" "), seen.hex(" "))
        chain.owed = []

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
