"""Judges what the function writes to one used ring, and decides with it whether the guest is interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from tb.models.virtqueue import USED_ELEMENT_BYTES, needs_interrupt

if TYPE_CHECKING:
    from tb.models.judge.queue import JudgedQueue

_INDEX = 2
_RING = 4
_ELEMENT = Struct("<II")


@dataclass(slots=True, frozen=True)
class Sample:
    """A read of the guest's suppression value, made after the used index became `new`."""

    new: int
    publishes: int


class UsedRing:
    """The used ring as the function has written it.

    `published` is the used index; `elements` the chains of elements written behind it; `publishes` counts the
    index writes; `undecided` is set from such a write until the function reads whether the guest wants an
    interrupt.
    """

    __slots__ = (
        "_checked",
        "_index_known",
        "_late",
        "_partial",
        "_queue",
        "_waiting_certain",
        "_waiting_for_index",
        "elements",
        "event",
        "event_looked",
        "open_samples",
        "published",
        "publishes",
        "undecided",
    )

    def __init__(self, queue: JudgedQueue) -> None:
        self._queue = queue
        self.published = 0
        self.publishes = 0
        self.elements = 0
        self.undecided = False
        self.open_samples = 0
        self.event = 0
        self.event_looked = True
        self._partial = b""
        self._late = 0
        self._checked: set[int | None] = {None, 0}
        self._index_known: int | None = None
        self._waiting_for_index: int | None = None
        self._waiting_certain = True

    # --- writes

    def write(self, address: int, data: bytes) -> bool:
        """Judge a write that begins in the ring; False (and a refusal) when it may not be made."""
        layout = self._queue.layout
        first = address - layout.used
        last = first + len(data)
        ring_end = _RING + USED_ELEMENT_BYTES * layout.size
        if last > ring_end + 2:
            self._queue.refuse("BAD-DEV-08", "writes beyond the used ring")
            return False
        if first < _INDEX:
            self._write_flags(data[: _INDEX - first], first)
        if first < _RING and last > _INDEX:
            if not (first <= _INDEX and last >= _RING):
                self._verdict("BAD-DEV-17", "one byte of the used index is written alone")
            elif last > _RING:
                self._verdict("VRING-US-03", "a used element lies in one packet with the used index")
                self._write_ring(_RING, data[_RING - first :])
                self._write_index(_word(data, _INDEX - first))
                return True
            else:
                self._write_index(_word(data, _INDEX - first))
        elif last > ring_end:
            if first < ring_end:
                self._write_ring(first, data[: ring_end - first])
            self._write_event(data[max(0, ring_end - first) :])
        elif last > _RING:
            self._write_ring(first, data)
        return True

    def _write_flags(self, data: bytes, first: int) -> None:
        value = int.from_bytes(data, "little") << 8 * first
        if self._queue.court.profile.used_flags == "zero":
            self._verdict("VRING-US-09", "used.flags is written", "never", f"{value:#x}")
        elif value > (0 if self._queue.court.event_idx else 1):
            self._verdict("VRING-KICK-01", "used.flags has a value it must not have", "0", f"{value:#x}")

    def _write_ring(self, first: int, data: bytes) -> None:
        """Bytes of used elements, from ring byte `first` on."""
        size = self._queue.layout.size
        position = (self.published - self._late + self.elements) % size
        expected = _RING + USED_ELEMENT_BYTES * position + len(self._partial)
        if first != expected:
            self._verdict(
                "VRING-US-03",
                "a used element is not written to the slot of the next used index",
                f"slot {position} (byte {expected} of the used ring)",
                f"byte {first}",
            )
            self._partial = b""
        self._partial += data
        while len(self._partial) >= USED_ELEMENT_BYTES:
            head, length = _ELEMENT.unpack(self._partial[:USED_ELEMENT_BYTES])
            self._partial = self._partial[USED_ELEMENT_BYTES:]
            self._queue.use(head, length)
            if self._late:
                self._late -= 1
            else:
                self.elements += 1

    def _write_index(self, value: int) -> None:
        advance = (value - self.published) & 0xFFFF
        if not advance:
            self._verdict(
                "VRING-US-05", "the used index is written without an advance", f"{self._next()}", value
            )
            return
        if self._partial:
            self._verdict("VRING-US-03", "the used index is written while a used element is half written")
        if advance > self.elements:
            self._verdict(
                "VRING-US-03",
                "the used index is written before the used elements it covers",
                f"at most {self._next()}",
                value,
            )
            owing = len(self._queue.chains)
            self._late += min(advance - self.elements, owing)
            self.elements = advance
        self.elements -= advance
        self.published = value
        self.publishes += 1
        self.undecided = True
        self._index_known = None
        self._waiting_for_index = None

    def _next(self) -> int:
        """The used index with every element written."""
        return (self.published + self.elements) & 0xFFFF

    def _write_event(self, data: bytes) -> None:
        """avail_event (VRING-KICK-02)."""
        queue = self._queue
        if len(data) != 2:
            self._verdict("BAD-DEV-17", "one byte of avail_event is written alone")
            return
        value = _word(data, 0)
        if not queue.court.event_idx:
            self._verdict("VRING-KICK-03", "avail_event is written though EVENT_IDX is not negotiated")
            return
        available = queue.available
        ahead = (available.next_slot - value) & 0xFFFF
        behind = (available.next_slot - self.published) & 0xFFFF
        if queue.court.profile.avail_event == "after_drain":
            right = value == available.next_slot
        else:
            right = ahead <= behind
        if not right:
            self._verdict(
                "VRING-KICK-02",
                "avail_event is not the available index up to which the function has taken chains",
                available.next_slot,
                value,
            )
        self.event = value
        self.event_looked = False

    def _verdict(self, rule: str, what: str, expected: object = "", seen: object = "") -> None:
        self._queue.verdict(rule, what, expected, seen)

    # --- the decision to interrupt

    def sample_issued(self) -> Sample | None:
        """The function asks for the suppression value; None when it has published nothing new."""
        if not self.undecided:
            return None
        self.undecided = False
        self.open_samples += 1
        return Sample(self.published, self.publishes)

    def index_known(self, index: int, publishes: int) -> None:
        """The function has read the available index, asking after `publishes` writes of the used index."""
        if publishes != self.publishes:
            return
        self._index_known = index
        if self._waiting_for_index is None:
            return
        new, self._waiting_for_index = self._waiting_for_index, None
        if index == new:
            self._cause(certain=self._waiting_certain)

    def decide(self, sample: Sample, flags: int, event: int) -> None:
        """The function has the suppression value: the interrupt may come from now on, or must not."""
        self.open_samples -= 1
        queue = self._queue
        features = queue.court.features()
        news = {sample.new, self.published}
        answers = {
            needs_interrupt(features, flags=flags, used_event=event, new=new, old=old, drained=False)
            for new in news
            for old in self._checked
        }
        self._checked = set(news)
        if True in answers:
            self._cause(certain=False not in answers)
        if False in answers and queue.court.notify_on_empty:
            self._decide_on_empty(sample, certain=True not in answers)

    def _decide_on_empty(self, sample: Sample, *, certain: bool) -> None:
        """NOTIFY_ON_EMPTY: a ring used up interrupts, whatever the guest suppresses (VRING-INT-05)."""
        queue = self._queue
        if sample.publishes != self.publishes:
            self._cause(certain=False)
        elif self._index_known is not None:
            if self._index_known == sample.new:
                self._cause(certain=certain)
        elif queue.available.seen == sample.new:
            self._waiting_for_index = sample.new
            self._waiting_certain = certain  # else the interrupt may have come by the other rule already

    def _cause(self, *, certain: bool) -> None:
        queue = self._queue
        queue.court.interrupts.queue_cause(queue.number, queue.generation, certain=certain)

    # --- the end

    def end_of_test(self) -> None:
        """Nothing may be half done."""
        if self.elements or self._partial:
            self._verdict("VRING-US-03", "used elements were written and never published")
        if self.undecided or self.open_samples or self._waiting_for_index is not None:
            self._verdict(
                "VRING-INT-04",
                "the function published used elements and did not read whether the guest wants an interrupt",
            )
        self.check_event()

    def check_event(self) -> None:
        """At rest, avail_event must ask for the next kick (VRING-KICK-05, VRING-AV-09)."""
        if not self._queue.court.event_idx:
            return
        if self.publishes and self.event != self._queue.available.told:
            told = self._queue.available.told
            self._verdict(
                "VRING-KICK-05", "avail_event lags behind what was taken: no kick follows", told, self.event
            )
        elif not self.event_looked:
            self._verdict(
                "VRING-AV-09", "the available index was not read again after avail_event was written"
            )


def _word(data: bytes, place: int) -> int:
    return data[place] | data[place + 1] << 8
