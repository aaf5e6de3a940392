"""What is known of one virtqueue: written and read by the judges of its parts."""

from __future__ import annotations

from tb.models.devices.base import DeviceType
from tb.models.judge.facts import Facts
from tb.models.judge.queues.chain import JudgedChain
from tb.models.virtqueue import F_EVENT_IDX, F_INDIRECT_DESC, F_NOTIFY_ON_EMPTY, RingLayout

_DATA_RULES = {
    DeviceType.BLOCK: "VBLK-06",
    DeviceType.NET: "VNET-13",
    DeviceType.CONSOLE: "VCON-11",
    DeviceType.ENTROPY: "VRNG-06",
    DeviceType.BALLOON: "VBAL-08",
}


class QueueState:
    """One queue, from the write of its address to the reset.

    `kicked`: the guest has notified it at least once; `stopped` says why the queue must stand still until
    reset, and `stop_rule` which rule says so; `excused`: the host has spoilt something on purpose, so nothing
    is owed any more; `retired`: a reset came between; `accused`: what is owed has been told. `chains`
    are those taken and not used yet.

    `last_dma_ns`: when its last packet was seen; `owed_ns`: since when it owes something (`own_ns`);
    `passed`: how many chains of each other queue were taken since it had its turn.

    Of the available ring, free-running 16-bit indices: `seen` the furthest index read, `told` the one read
    last, `next_slot` the next slot to be read; `owes_look` is set from a kick until the index is read again.

    Of the used ring: `published` is the used index; `elements` the chains of elements written behind it;
    `publishes` counts the index writes; `undecided` is set from such a write until the function reads whether
    the guest wants an interrupt, `open_samples` counts the reads of that under way; `event` is avail_event,
    `event_looked` whether the available index was read again since it was written.
    """

    __slots__ = (
        "_features",
        "accused",
        "chains",
        "elements",
        "event",
        "event_looked",
        "excused",
        "facts",
        "generation",
        "kicked",
        "last_dma_ns",
        "layout",
        "next_slot",
        "number",
        "open_samples",
        "owed_ns",
        "owes_look",
        "passed",
        "published",
        "publishes",
        "refusal",
        "retired",
        "seen",
        "stop_rule",
        "stopped",
        "told",
        "undecided",
    )

    def __init__(self, facts: Facts, number: int, layout: RingLayout, generation: int) -> None:
        self.facts = facts
        self.number = number
        self.layout = layout
        self.generation = generation
        self.chains: list[JudgedChain] = []
        self.refusal: tuple[str, str, str] | None = None
        self.last_dma_ns = 0
        self.owed_ns = 0
        self.passed: dict[int, int] = {}
        self.accused = False
        self.kicked = False
        self.stopped = ""
        self.stop_rule = ""
        self.excused = False
        self.retired = False
        self._features: int | None = None
        self.seen = 0
        self.told = 0
        self.next_slot = 0
        self.owes_look = False
        self.published = 0
        self.publishes = 0
        self.elements = 0
        self.undecided = False
        self.open_samples = 0
        self.event = 0
        self.event_looked = True

    def moved(self) -> None:
        """A packet of the queue was seen."""
        self.last_dma_ns = self.facts.record.time_ns
        self.accused = False

    def take_turn(self) -> None:
        """A chain is taken: the other queues wait."""
        queues = self.facts.queues
        if len(queues) > 1:
            for other in queues:
                other.passed_over(self.number, 1)

    # --- verdicts

    def refuse(self, rule: str, what: str, expected: str = "") -> None:
        """Why the access is not one for this queue; becomes a verdict if no other queue takes it."""
        self.refusal = (rule, f"The function {what} (queue {self.number}).", expected)

    def verdict(self, rule: str, what: str, expected: object = "", seen: object = "") -> None:
        """Report a fault in this queue; `what` is a clause."""
        self.facts.record.verdict(rule, f"Queue {self.number}: {what}.", expected, seen)

    # --- what was negotiated

    def freeze(self, features: int) -> None:
        """A reset has cleared the features; the queue it ended goes on with what it had."""
        self._features = features

    @property
    def features(self) -> int:
        """The features the queue works with."""
        return self.facts.features if self._features is None else self._features

    @property
    def event_idx(self) -> bool:
        return bool(self.features >> F_EVENT_IDX & 1)

    @property
    def notify_on_empty(self) -> bool:
        return bool(self.features >> F_NOTIFY_ON_EMPTY & 1)

    @property
    def indirect(self) -> bool:
        return bool(self.features >> F_INDIRECT_DESC & 1)

    @property
    def data_rule(self) -> str:
        """The requirement that wrong bytes in a buffer break."""
        return _DATA_RULES[self.facts.device.type]

    # --- where it stands

    @property
    def exposed(self) -> int:
        """Slots the function may read now."""
        return (self.seen - self.next_slot) & 0xFFFF

    def age(self, chain: JudgedChain) -> int:
        """The place of `chain` in the order of the available ring: less for an older one.

        0 is the next slot to be read; one read ahead of it counts from there.
        """
        return ((chain.index - self.next_slot + 0x8000) & 0xFFFF) - 0x8000

    @property
    def due(self) -> int:
        """Slots the function must read: those the guest has not taken back by moving its index back."""
        ahead = (self.told - self.next_slot) & 0xFFFF
        return ahead if ahead <= self.exposed else 0

    @property
    def deciding(self) -> bool:
        """Whether chains are served whose interrupt the function has no business to send yet."""
        if self.undecided or self.open_samples or self.elements:
            return True
        return any(chain.effects is not None for chain in self.chains)

    @property
    def spoilt(self) -> bool:
        """Whether data may be missing: the host failed a read, or a reset came between."""
        return bool(self.stopped) or self.excused or self.retired

    @property
    def idle(self) -> bool:
        """Whether the function has nothing to do for this queue that anybody knows of."""
        return not (self.owes_look or self.due or self.chains)

    # --- why it stops

    def excuse(self) -> None:
        """A read of it may never be answered: it may stop, and the device with it."""
        self.excused = True
        if self.facts.profile.broken == "device" and not self.retired:
            for queue in self.facts.queues:
                queue.let_off()

    def stop(self, rule: str, why: str, cause: JudgedChain | None = None) -> None:
        """The function has learnt something after which the queue stands still until reset.

        Nothing is done any more for the chain that is the `cause`, for those behind it, and for those not
        walked yet. Where requests overlap, what was begun before may come to its end.
        """
        self._give_up_from(cause)
        if self.stopped:
            return
        self.stopped = why
        self.stop_rule = rule
        if self.facts.profile.broken == "device" and not self.retired:
            for queue in self.facts.queues:
                queue.halt(rule, why)

    def _give_up_from(self, cause: JudgedChain | None) -> None:
        """Say of each chain whether it is dead, now that `cause` has stopped the queue."""
        may_go_on = self.facts.profile.requests_overlap
        behind = False
        for chain in self.chains:
            if chain is cause or chain.chain is None or (behind and not (may_go_on and chain.begun)):
                chain.dead = True
            behind = behind or chain is cause

    def failed(self, data: bytes | None, chain: JudgedChain | None = None) -> bool:
        """Whether a read (of `chain`, if of one) failed: the queue must stop (BAD-RING-37, VFIO-15)."""
        if data is not None:
            return False
        if chain is not None:
            chain.lost = True
            if chain.chain is not None and "unread" in self.facts.profile.gives_back:
                chain.give_back(self.facts.device.failure(chain.chain))
                return True
        self.stop("BAD-RING-37", "a DMA read of it failed", chain)
        return True
