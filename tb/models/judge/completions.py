"""Judges the completions the function sends: each request gets its answer, once, in the right form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tb.models.judge.record import Record
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, byte_count, first_address

_LOCKED = TlpType.MEMORY_READ_LOCKED
_MEMORY_READS = frozenset({TlpType.MEMORY_READ, TlpType.MEMORY_READ_LOCKED})
# Completions of a memory read may end at multiples of the Read Completion Boundary only.
_BOUNDARY = 64

Values = Callable[[int, int], "set[int] | None"]


@dataclass(slots=True)
class Word:
    """One DW of the answer: `value` where `mask` has ones.

    `where` names it in a verdict, `rule` is what a wrong value breaks.

    `observe` takes the DW that came and gives the values it may have instead, None when it fits: for the bits
    that change behind the bus, which `mask` leaves out. `others` are further right values (a change under
    way).
    """

    value: int
    mask: int
    where: str
    rule: str
    observe: Callable[[int], set[int] | None] | None = None
    others: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Expected:
    """A non-posted request and its right answer; `words` is empty where none carries data."""

    order: int
    tlp: Tlp
    time_ns: int
    status: CompletionStatus
    words: list[Word]
    completer_ids: tuple[int, ...]
    sent: int = 0


class Follower(Protocol):
    """Who learns from a completion how far the function has executed what it accepted."""

    def settle(self, order: int) -> None: ...


class Completions:
    """The requests waiting for their completions, and the verdicts on those.

    `followers` are told, in their order, that every access up to a number is executed.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self.followers: Sequence[Follower] = ()
        self.waiting: dict[int, Expected] = {}

    def expect(self, expected: Expected) -> None:
        """A non-posted request was accepted."""
        tlp = expected.tlp
        key = tlp.requester_id << 10 | tlp.tag
        given_up = self.waiting.get(key)
        if given_up is not None:
            self._accuse_missing(given_up)
        self.waiting[key] = expected

    def completion(self, tlp: Tlp) -> None:
        """Judge a completion the function sent."""
        record = self._record
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
        if (seen ^ word.value) & word.mask and not self._is_other(word, seen):
            mask = word.mask
            self._record.verdict(
                word.rule, f"{word.where} reads wrong.", f"{word.value & mask:#010x}", f"{seen & mask:#010x}"
            )
        if word.observe is None:
            return
        possible = word.observe(seen)
        if possible is not None:
            values = " or ".join(f"{value:#x}" for value in sorted(possible))
            self._record.verdict(word.rule, f"{word.where} reads wrong.", values, f"{seen:#010x}")

    @staticmethod
    def _is_other(word: Word, seen: int) -> bool:
        return any(not (seen ^ other) & word.mask for other in word.others)

    def _settle(self, order: int) -> None:
        for follower in self.followers:
            follower.settle(order)

    def end_of_test(self) -> None:
        """Every request must have been answered."""
        for expected in self.waiting.values():
            self._accuse_missing(expected)

    def _accuse_missing(self, expected: Expected) -> None:
        """The host has given a request up: it uses its tag again, or the test is over."""
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
