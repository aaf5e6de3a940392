"""Judges what the function writes to one used ring, and decides with it whether the guest is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.debt import Debt
from tb.models.judge.queues.decision import Decision
from tb.models.judge.queues.held import HeldElements
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import USED_ELEMENT_BYTES

_INDEX = 2
_RING = 4
_ELEMENT = Struct("<II")


class UsedRing:
    """The used ring as the function has written it; `chains` judges the elements, `decision` what follows."""

    __slots__ = ("_chains", "_decision", "_flags", "_held", "_late", "_partial", "_queue")

    def __init__(self, queue: QueueState, chains: Chains, decision: Decision) -> None:
        self._queue = queue
        self._chains = chains
        self._decision = decision
        self._partial = b""
        self._late = 0
        self._flags = 0
        self._held: HeldElements | None = None
        if queue.facts.profile.used_elements == "until_index":
            self._held = HeldElements(queue, chains)

    # --- writes

    def write(self, address: int, data: bytes) -> bool:
        """Judge a write that begins in the ring; False (and a refusal) when it may not be made."""
        queue = self._queue
        layout = queue.layout
        first = address - layout.used
        last = first + len(data)
        ring_end = _RING + USED_ELEMENT_BYTES * layout.size
        if last > ring_end + 2:
            queue.refuse("BAD-DEV-08", "writes beyond the used ring")
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
        queue = self._queue
        value = int.from_bytes(data, "little") << 8 * first
        if queue.facts.profile.used_flags == "zero":
            self._verdict("VRING-US-09", "used.flags is written", "never", f"{value:#x}")
        elif value > (0 if queue.event_idx else 1):
            self._verdict("VRING-KICK-01", "used.flags has a value it must not have", "0", f"{value:#x}")
        if self._flags and not value:
            queue.event_looked = False
        self._flags = value

    def _write_ring(self, first: int, data: bytes) -> None:
        """Bytes of used elements, from ring byte `first` on."""
        if self._held is not None:
            self._held.write(first, data)
            return
        queue = self._queue
        size = queue.layout.size
        position = (queue.published - self._late + queue.elements) % size
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
            self._chains.use(head, length)
            if self._late:
                self._late -= 1
            else:
                queue.elements += 1

    def _write_index(self, value: int) -> None:
        queue = self._queue
        advance = (value - queue.published) & 0xFFFF
        if self._held is not None:
            if advance:
                self._held.publish(value)
                self._decision.published()
            return
        if not advance:
            self._verdict(
                "VRING-US-05", "the used index is written without an advance", f"{self._next()}", value
            )
            return
        if self._partial:
            self._verdict("VRING-US-03", "the used index is written while a used element is half written")
        if advance > queue.elements:
            self._verdict(
                "VRING-US-03",
                "the used index is written before the used elements it covers",
                f"at most {self._next()}",
                value,
            )
            owing = len(queue.chains)
            self._late += min(advance - queue.elements, owing)
            queue.elements = advance
        queue.elements -= advance
        queue.published = value
        queue.publishes += 1
        self._decision.published()

    def _next(self) -> int:
        """The used index with every element written."""
        queue = self._queue
        return (queue.published + queue.elements) & 0xFFFF

    def _write_event(self, data: bytes) -> None:
        """avail_event (VRING-KICK-02)."""
        queue = self._queue
        if len(data) != 2:
            self._verdict("BAD-DEV-17", "one byte of avail_event is written alone")
            return
        value = _word(data, 0)
        if not queue.event_idx:
            self._verdict("VRING-KICK-03", "avail_event is written though EVENT_IDX is not negotiated")
            return
        profile = queue.facts.profile
        known = queue.seen if profile.available_reads == "any" else queue.next_slot
        ahead = (known - value) & 0xFFFF
        behind = (known - queue.published) & 0xFFFF
        if profile.avail_event == "any":
            right = True
        elif profile.avail_event == "after_drain" and known == queue.next_slot:
            right = value == known
        else:
            right = ahead <= behind
        if not right:
            self._verdict(
                "VRING-KICK-02",
                "avail_event is not the available index up to which the function has taken chains",
                known,
                value,
            )
        queue.event = value
        queue.event_looked = False

    def _verdict(self, rule: str, what: str, expected: object = "", seen: object = "") -> None:
        self._queue.verdict(rule, what, expected, seen)

    # --- what is owed at rest

    def debts(self) -> Iterator[Debt]:
        """Nothing may stay half done."""
        if self._queue.elements or self._partial:
            yield Debt("VRING-US-03", "used elements were written and not published")
        if self._decision.open:
            yield Debt(
                "VRING-INT-04",
                "the function published used elements and did not read whether the guest wants an interrupt",
            )
        yield from self._event_debts()

    def _event_debts(self) -> Iterator[Debt]:
        """At rest the guest must have been asked for the next kick (VRING-KICK-05, VRING-AV-08, VRING-AV-09).

        A function that looks by itself need not be kicked.
        """
        queue = self._queue
        if queue.facts.profile.polls:
            return
        if not queue.event_idx:
            yield from self._flag_debts()
        elif queue.publishes and queue.event != queue.told:
            what = "avail_event lags behind what was taken, so that no kick follows: it was not written"
            yield Debt("VRING-KICK-05", what, queue.told, queue.event)
        elif not queue.event_looked:
            what = "the available index was not read again after avail_event was written,"
            yield Debt("VRING-AV-09", what)

    def _flag_debts(self) -> Iterator[Debt]:
        """Without EVENT_IDX used.flags is what stops the guest from kicking."""
        if self._flags:
            yield Debt("VRING-AV-08", "used.flags asks for no kick, and was not cleared")
        elif not self._queue.event_looked:
            what = "the available index was not read again after used.flags asked for kicks,"
            yield Debt("VRING-AV-09", what)


def _word(data: bytes, place: int) -> int:
    return data[place] | data[place + 1] << 8
