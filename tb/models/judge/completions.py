"""Judges the completions the function sends: each request gets its answer, once, in the right form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tb.models.judge.facts import Facts
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, byte_count, first_address

_LOCKED = TlpType.MEMORY_READ_LOCKED
_MEMORY_READS = frozenset({TlpType.MEMORY_READ, TlpType.MEMORY_READ_LOCKED})
# Completions of a memory read may end at multiples of the Read Completion Boundary only.
_BOUNDARY = 64

Values = Callable[[int, int], "set[int] | None"]


@dataclass(slots=True, frozen=True)
class Part:
    """The bits of a DW that belong to one register: its name, and what a wrong value of it breaks."""

    mask: int
    where: str
    rule: str

    def shown(self, value: int) -> str:
        """Its bits of a DW, as a number of its own."""
        low = (self.mask & -self.mask).bit_length() - 1
        digits = -(-(self.mask >> low).bit_length() // 4)
        return f"{(value & self.mask) >> low:#0{2 + digits}x}"


@dataclass(slots=True)
class Word:
    """One DW of the answer: `value` where `mask` has ones.

    `where` names the access in a verdict, `rule` is what a wrong value breaks. `parts` takes the bits that
    are wrong and the value seen, and gives the registers concerned; without it the DW is one.

    `observe` takes the DW that came and gives the values it may have instead, None when it fits: for the bits
    that change behind the bus, `observed`, which `mask` leaves out.
    """

    value: int
    mask: int
    where: str
    rule: str
    parts: Callable[[int, int], list[Part]] | None = None
    observe: Callable[[int], set[int] | None] | None = None
    observed: int = 0


@dataclass(slots=True)
class Expected:
    """A non-posted request and its right answer; `words` is empty where none carries data.

    `largest` is Max_Payload_Size as it was when the request came.
    """

    order: int
    tlp: Tlp
    time_ns: int
    status: CompletionStatus
    words: list[Word]
    completer_ids: tuple[int, ...]
    sent: int = 0
    overdue: bool = False
    largest: int = 0


class Follower(Protocol):
    """Who learns from a completion how far the function has executed what it accepted."""

    def settle(self, order: int) -> None: ...


class Completions:
    """The requests waiting for their completions, and the verdicts on those.

    `followers` are told, in their order, that every access up to a number is executed. `moved_ns` is when a
    completion was sent last, or the first request accepted that waits for one (`own_ns`).
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._record = facts.record
        self.moved_ns = 0
        self.followers: Sequence[Follower] = ()
        self.waiting: dict[int, Expected] = {}

    def expect(self, expected: Expected) -> None:
        """A non-posted request was accepted."""
        tlp = expected.tlp
        key = tlp.requester_id << 10 | tlp.tag
        given_up = self.waiting.get(key)
        if given_up is not None:
            self._accuse_missing(given_up)
        if not self.waiting:
            self.moved_ns = self._record.own_ns
        expected.largest = self._largest()
        self.waiting[key] = expected

    def completion(self, tlp: Tlp) -> None:
        """Judge a completion the function sent."""
        record = self._record
        self.moved_ns = record.own_ns
        expected = self.waiting.get(tlp.requester_id << 10 | tlp.tag)
        if expected is None:
            record.verdict(
                "VPCI-DISC-09",
                f"A completion for requester {tlp.requester_id:#06x} tag {tlp.tag} answers no open request.",
            )
            return
        if tlp.status != expected.status:
            self._wrong_status(tlp, expected)
            return
        self._form(tlp, expected)
        if expected.words and tlp.type in _WITH_DATA:
            self._part(tlp, expected)
            return
        self._finish(expected)

    def _finish(self, expected: Expected) -> None:
        tlp = expected.tlp
        del self.waiting[tlp.requester_id << 10 | tlp.tag]
        self._record.accesses_scored += 1
        self._settle(expected.order)

    def _wrong_status(self, tlp: Tlp, expected: Expected) -> None:
        request = expected.tlp
        decoded = expected.status == CompletionStatus.SUCCESS
        rule = "PCI-CFG-01" if decoded else "VPCI-REG-23"
        self._record.verdict(
            rule,
            f"The completion of {request} has the wrong status.",
            expected.status.name,
            _status_name(tlp.status),
        )
        self._finish(expected)

    def _form(self, tlp: Tlp, expected: Expected) -> None:
        """Judge every field but the data."""
        request = expected.tlp
        is_memory = request.type in _MEMORY_READS
        remaining = byte_count(request) - expected.sent if is_memory else 4
        lower = (first_address(request) + expected.sent) & 0x7F if is_memory else 0
        if tlp.completer_id not in expected.completer_ids:
            self._field("completer id", f"{expected.completer_ids[-1]:#06x}", f"{tlp.completer_id:#06x}")
        if tlp.byte_count != remaining:
            self._field("byte count", remaining, tlp.byte_count)
        if tlp.lower_address != lower and (expected.status == 0 or tlp.lower_address):
            self._field("lower address", f"{lower:#04x}", f"{tlp.lower_address:#04x}")
        if tlp.traffic_class != request.traffic_class or tlp.attributes != request.attributes:
            self._field(
                "traffic class and attributes",
                f"{request.traffic_class} {request.attributes}",
                f"{tlp.traffic_class} {tlp.attributes}",
            )
        if tlp.poisoned or tlp.digest:
            self._field("poison or digest bit", "clear", "set")
        kind = _KINDS[request.type is _LOCKED, bool(expected.words)]
        if tlp.type is not kind:
            self._field("type", kind.name, tlp.type.name)
        if tlp.data and 4 * tlp.length > max(expected.largest, self._largest()):
            what = "A completion is larger than Max_Payload_Size."
            self._record.verdict("VFIO-16", what, f"at most {expected.largest} bytes", 4 * tlp.length)

    def _largest(self) -> int:
        """Max_Payload_Size, the largest of what it may be."""
        return max(state.max_payload for state in self._facts.snapshots.states)

    def _field(self, name: str, expected: object, seen: object) -> None:
        self._record.verdict("VPCI-DISC-09", f"A completion has a wrong {name}.", expected, seen)

    def _part(self, tlp: Tlp, expected: Expected) -> None:
        """Judge the data of a completion, or of one part of it."""
        request = expected.tlp
        words = expected.words
        if len(words) == 1:
            first, count = 0, 1
        else:
            lead = first_address(request) & 3
            first = (lead + expected.sent) >> 2
            count = len(words) - first
        self._settle(expected.order if tlp.length >= count else expected.order - 1)
        if tlp.length > count:
            self._field("length", f"at most {count} DW", tlp.length)
        for place in range(min(tlp.length, count)):
            seen = int.from_bytes(tlp.data[4 * place : 4 * place + 4], "little")
            self._word(words[first + place], seen)
        if tlp.length >= count:
            self._finish(expected)
            return
        expected.sent += 4 * tlp.length - (tlp.lower_address & 3)
        if (first_address(request) + expected.sent) % _BOUNDARY:
            self._field("end: it lies off a read completion boundary", "a multiple of 64 bytes", tlp.length)

    def _word(self, word: Word, seen: int) -> None:
        wrong = (seen ^ word.value) & word.mask
        if wrong:
            self._accuse(word, wrong, word.mask, {word.value}, seen)
        if word.observe is None:
            return
        possible = word.observe(seen)
        if possible is not None:
            nearest = min(possible, key=lambda value: ((value ^ seen) & word.observed).bit_count())
            wrong = (nearest ^ seen) & word.observed or word.observed
            self._accuse(word, wrong, word.observed, possible, seen)

    def _accuse(self, word: Word, wrong: int, mask: int, possible: set[int], seen: int) -> None:
        """Each register of which a byte is wrong gets a verdict of its own."""
        whole = [Part(mask, word.where, word.rule)]
        parts = whole if word.parts is None else word.parts(wrong, seen)
        for part in (replace(part, mask=part.mask & mask) for part in parts):
            values = sorted({part.shown(value) for value in possible})
            where = word.where if word.parts is None else f"{part.where}, in the read of {word.where},"
            self._record.verdict(part.rule, f"{where} reads wrong.", " or ".join(values), part.shown(seen))

    def _settle(self, order: int) -> None:
        for follower in self.followers:
            follower.settle(order)

    # --- what is owed

    def look(self, own_ns: int) -> int:
        """Tell which completions are overdue; when to look again."""
        latency = self._facts.profile.completion_latency_ns
        if not self.waiting:
            return own_ns + latency
        since = self.moved_ns
        if self._facts.resetting:
            if self._facts.answers_awaited:
                return own_ns + latency
            since = max(since, self._facts.moved_ns)
        if own_ns - since >= latency:
            self._accuse_late(f"within {latency} ns in which nothing held it up")
            return own_ns + latency
        return since + latency

    def _accuse_late(self, when: str) -> None:
        """Tell of the first one only: those behind it wait for it."""
        late = [expected for expected in self.waiting.values() if not expected.overdue]
        for expected in late:
            expected.overdue = True
        if late:
            what = f"{late[0].tlp} of {late[0].time_ns} ns was not completed {when}."
            self._record.verdict("PCI-CFG-01", what, "one completion", "none")

    @property
    def owing(self) -> bool:
        """Whether a completion is to come that was not given up."""
        return any(not expected.overdue for expected in self.waiting.values())

    def end_of_test(self) -> None:
        """Every request must have been answered."""
        for expected in self.waiting.values():
            self._accuse_missing(expected)

    def _accuse_missing(self, expected: Expected) -> None:
        """The host has given a request up: it uses its tag again, or the test is over."""
        if expected.overdue:
            return
        what = f"{expected.tlp} of {expected.time_ns} ns was never completed."
        self._record.verdict("PCI-CFG-01", what, "one completion", "none")


_WITH_DATA = frozenset({TlpType.COMPLETION_DATA, TlpType.COMPLETION_DATA_LOCKED})
_KINDS = {
    (False, False): TlpType.COMPLETION,
    (False, True): TlpType.COMPLETION_DATA,
    (True, False): TlpType.COMPLETION_LOCKED,
    (True, True): TlpType.COMPLETION_DATA_LOCKED,
}


def _status_name(status: int) -> str:
    return CompletionStatus(status).name if status in set(CompletionStatus) else str(status)
