"""Broken pin rules: the codes of the harness, each with the sentence that tells a person what happened."""

from __future__ import annotations

from dataclasses import dataclass

from tb.harness.shared_memory import Stream

_SENTENCES = {
    1: ("PIN-RESET", "{stream}: valid was up while the function was in reset."),
    2: ("PIN-VALID", "{stream}: valid went down before ready had come."),
    3: ("PIN-STABLE", "{stream}: header, data or last changed while valid waited for ready."),
    4: ("PIN-STALL", "{stream}: valid waited for ready for more than {seen} clocks."),
    5: ("PIN-X", "{stream}: valid or ready is neither 0 nor 1."),
    6: ("PIN-X", "{stream}: header, last or another control signal has unknown bits while valid is up."),
    8: ("PIN-LAST", "{stream}: last came on beat {seen} of a packet that has {expected} beats."),
    9: ("PIN-LAST", "{stream}: a packet goes on behind beat {seen}, its last one: it never ends."),
    10: (
        "PIN-LAST",
        "{stream}: a packet of {expected} beats stands still after beat {seen}: it never ends. "
        "It is given up, so that what came behind it on other streams is judged.",
    ),
    11: ("PIN-DATA", "{stream}: data came that no write request announced, or more than it did."),
    12: ("PIN-DATA", "{stream}: more data than anybody writes at once: {seen} MB. The rest is not kept."),
    13: (
        "PIN-ACCEPT",
        "{stream}: the function does not take the completion of a read of its own within {seen} clocks, as "
        "it must whatever its sending side does.",
    ),
}


@dataclass(slots=True, frozen=True)
class PinFault:
    """One broken pin rule; `rule` is `PIN-…`, `sentence` names the stream."""

    time_ns: int
    stream: Stream
    rule: str
    sentence: str


def pin_fault(time_ns: int, stream: int, code: int, expected: int, seen: int) -> PinFault:
    """The fault of a record; an unknown code is worded as such."""
    which = Stream(stream)
    rule, text = _SENTENCES.get(code, ("PIN-UNKNOWN", "{stream}: the harness reported an unknown fault."))
    sentence = text.format(stream=which.name.lower(), expected=expected, seen=seen)
    return PinFault(time_ns, which, rule, sentence)
