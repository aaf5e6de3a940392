"""The decision to interrupt: what the guest wants is read after the used index was written, then obeyed."""

from __future__ import annotations

from dataclasses import dataclass

from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import needs_interrupt

_BY_FLAGS, _BY_EVENT, _BY_EMPTINESS = "VRING-INT-01", "VRING-INT-02", "VRING-INT-05"


@dataclass(slots=True, frozen=True)
class Sample:
    """A read of the guest's suppression value, made after the used index became `new`.

    `glance`: it lay in a read made for something else; the function may go by it, or read the value anew.
    """

    new: int
    publishes: int
    glance: bool = False


class Decision:
    """Follows one queue from a write of its used index to the interrupt that it leads to, or not."""

    __slots__ = (
        "_checked",
        "_glanced",
        "_index_known",
        "_interrupts",
        "_queue",
        "_waiting_certain",
        "_waiting_for_index",
    )

    def __init__(self, queue: QueueState, interrupts: Interrupts) -> None:
        self._queue = queue
        self._interrupts = interrupts
        forced = queue.facts.profile.first_decision == "interrupts"
        self._checked: set[int | None] = {None if forced else 0}
        self._glanced = False
        self._index_known: int | None = None
        self._waiting_for_index: int | None = None
        self._waiting_certain = True

    def published(self) -> None:
        """The function has written the used index: it must ask what the guest wants."""
        self._queue.undecided = True
        self._glanced = False
        self._index_known = None
        self._waiting_for_index = None

    @property
    def open(self) -> bool:
        """Whether the function has not found out yet what the guest wants."""
        queue = self._queue
        undecided = queue.undecided and not self._glanced
        return bool(undecided or queue.open_samples or self._waiting_for_index is not None)

    def sample_issued(self, *, glance: bool) -> Sample | None:
        """The function asks for the suppression value; None when it has published nothing new."""
        queue = self._queue
        if not queue.undecided:
            return None
        if glance:
            self._glanced = True
            return Sample(queue.published, queue.publishes, glance)
        queue.undecided = False
        queue.open_samples += 1
        return Sample(queue.published, queue.publishes)

    def index_known(self, index: int, publishes: int) -> None:
        """The function has read the available index, asking after `publishes` writes of the used index."""
        if publishes != self._queue.publishes:
            return
        self._index_known = index
        if self._waiting_for_index is None:
            return
        new, self._waiting_for_index = self._waiting_for_index, None
        if index == new:
            self._cause(certain=self._waiting_certain, by_emptiness=True)

    def decide(self, sample: Sample, flags: int, event: int) -> None:
        """The function has the suppression value: the interrupt may come from now on, or must not."""
        queue = self._queue
        features = queue.features
        news = {sample.new, queue.published}
        answers = {
            needs_interrupt(features, flags=flags, used_event=event, new=new, old=old, drained=False)
            for new in news
            for old in self._checked
        }
        if sample.glance:
            if True in answers or queue.notify_on_empty:
                self._cause(certain=False)
            return
        queue.open_samples -= 1
        self._checked = set(news)
        if True in answers:
            self._cause(certain=False not in answers)
        if False in answers and queue.notify_on_empty:
            self._decide_on_empty(sample, certain=True not in answers)

    def _decide_on_empty(self, sample: Sample, *, certain: bool) -> None:
        """NOTIFY_ON_EMPTY: a ring used up interrupts, whatever the guest suppresses (VRING-INT-05)."""
        queue = self._queue
        if sample.publishes != queue.publishes:
            self._cause(certain=False, by_emptiness=True)
        elif self._index_known is not None:
            if self._index_known == sample.new:
                self._cause(certain=certain, by_emptiness=True)
        else:
            # Not certain where the interrupt may have come by the other rule already, or where the guest has
            # shown more and takes it back.
            self._waiting_for_index = sample.new
            self._waiting_certain = certain and queue.seen == sample.new

    def _cause(self, *, certain: bool, by_emptiness: bool = False) -> None:
        queue = self._queue
        rule = _BY_EMPTINESS if by_emptiness else _BY_EVENT if queue.event_idx else _BY_FLAGS
        self._interrupts.queue_cause(queue.number, queue.generation, rule, certain=certain)
