"""The memory reads of the function that wait for their answer: tags, completions, and reads given up."""

from __future__ import annotations

from tb.models.judge.accesses.error_bits import Coming
from tb.models.judge.accesses.errors import Errors
from tb.models.judge.facts import Deliver, Facts, Outstanding, Reader
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, requested_bytes


class Reads:
    """Keeps `facts.reads`, and judges the tags.

    A read that is not answered in the profile's completion timeout is given up: it has failed, its answer is
    unexpected, and its tag rests. From the earliest moment of that to the latest nobody knows.
    """

    def __init__(self, facts: Facts, errors: Errors) -> None:
        profile = facts.profile
        self._facts = facts
        self._record = facts.record
        self._errors = errors
        self._reads = facts.reads
        self._earliest_ns = profile.completion_timeout_ns - profile.completion_timeout_margin_ns
        self._latest_ns = profile.completion_timeout_ns + profile.completion_timeout_margin_ns
        self._resting: dict[int, int] = {}
        self._late: dict[int, Outstanding] = {}
        self._doubts: dict[int, Coming] = {}
        self._unsure: set[int] = set()

    # --- reads

    def read(self, tlp: Tlp, deliver: Deliver, reader: Reader | None = None) -> None:
        """Keep a memory read of `reader` that was judged; `deliver` gets its bytes."""
        tag, now = tlp.tag, self._record.time_ns
        before = self._reads.get(tag)
        if before is not None:
            if self._perhaps_given_up(before):
                self._doubt(tag, before)
                self._give_up(tag, before)
            else:
                self._record.verdict("BAD-DEV-18", f"Tag {tag} is used again while its read is outstanding.")
                self._end(tag)
        self._unsure.discard(tag)
        free_ns = self._resting.pop(tag, 0)
        if now < free_ns:
            self._record.verdict(
                "BAD-DEV-18",
                f"Tag {tag} is used again although its read was given up and may still be answered.",
                f"not before {free_ns} ns",
                f"{now} ns",
            )
        address, count = requested_bytes(tlp)
        self._reads[tag] = Outstanding(tlp, address, count, deliver, now, reader)

    def unanswered(self, tag: int, *, late: bool) -> None:
        """The host will not answer `tag`, or only when the function may have given up (`late`).

        What hangs on it is excused, and nothing else.
        """
        read = self._reads.get(tag)
        if read is None:
            return
        read.unanswered, read.late = True, late
        self._excuse(read)

    @staticmethod
    def _excuse(read: Outstanding) -> None:
        if read.reader is not None:
            read.reader.excuse()

    # --- giving up

    def _perhaps_given_up(self, read: Outstanding) -> bool:
        return self._record.time_ns >= read.time_ns + self._earliest_ns

    def expire(self) -> None:
        """Reads that nobody waits for any longer have failed. Cheap while there is none."""
        now = self._record.time_ns
        while self._reads:
            tag, read = next(iter(self._reads.items()))  # they stand in the order of their times
            if now <= read.time_ns + self._latest_ns:
                break
            self._doubt(tag, read)
            self._give_up(tag, read)
        for tag, read in self._reads.items():
            if not self._perhaps_given_up(read):
                return
            self._doubt(tag, read)

    def _doubt(self, tag: int, read: Outstanding) -> None:
        """From now on the function may have given the read up, which is an error."""
        if tag not in self._doubts:
            earliest, latest = read.time_ns + self._earliest_ns, read.time_ns + self._latest_ns
            self._doubts[tag] = self._errors.timed_out(earliest, latest)

    def _give_up(self, tag: int, read: Outstanding) -> None:
        del self._reads[tag]
        del self._doubts[tag]
        self._facts.reads_ended_ns = min(read.time_ns + self._latest_ns, self._record.time_ns)
        self._resting[tag] = read.time_ns + self._earliest_ns + self._facts.profile.tag_rest_ns
        if read.late:
            self._late[tag] = read
        read.fail()

    # --- completions

    def completion(self, tlp: Tlp) -> None:
        """A completion from the host."""
        read = self._reads.get(tlp.tag)
        late = self._late.get(tlp.tag)
        if late is not None and _fits(late, tlp):
            self._late_answer(tlp, late, read)
            if read is None or not _fits(read, tlp):
                return
        if read is None or tlp.requester_id != read.tlp.requester_id:
            self._to_nobody(tlp)
            return
        if tlp.tag in self._doubts:
            self._doubts[tlp.tag].certain = False
            self._errors.perhaps_unexpected()
            self._excuse(read)
        if tlp.status == CompletionStatus.SUCCESS and _fits(read, tlp):
            self._take(read, tlp)
        else:
            self._fail(read, tlp)

    def _to_nobody(self, tlp: Tlp) -> None:
        """A completion that answers no read, unless it is the rest of an answer that went wrong before."""
        if tlp.tag in self._unsure:
            self._errors.anything()
        else:
            self._errors.unexpected(tlp)

    def _fail(self, read: Outstanding, tlp: Tlp) -> None:
        """A completion ends the read: an error status, or one that does not go on where the read stands."""
        refused = tlp.status not in (CompletionStatus.SUCCESS, CompletionStatus.RETRY)
        if refused:
            self._errors.refused(tlp)
        else:
            self._errors.malformed(tlp)
            self._unsure.add(tlp.tag)
        self._end(tlp.tag)
        read.fail()

    def _late_answer(self, tlp: Tlp, late: Outstanding, read: Outstanding | None) -> None:
        """The answer to a read that was given up, at last; its tag may be that of `read` by now."""
        late.data += _content(tlp)
        if len(late.data) >= late.count:
            del self._late[tlp.tag]
        if read is None:
            self._errors.unexpected(tlp)
        elif _fits(read, tlp):
            self._record.verdict(
                "BAD-DEV-18",
                f"The late answer to the read of {late.time_ns} ns passes for that of the read of "
                f"{read.time_ns} ns, which has its tag {tlp.tag}.",
                "a tag that no answer is on its way to",
                f"{late.tlp}",
            )
        else:
            self._errors.anything()  # it belongs to no read, or spoils the new one: who can tell
            self._excuse(read)

    def _take(self, read: Outstanding, tlp: Tlp) -> None:
        """A right part of the answer; a poisoned one spoils the read, whose other parts come all the same."""
        if tlp.poisoned:
            self._errors.poisoned_completion()
            read.fail()
        read.data += _content(tlp)[: read.count - len(read.data)]
        if len(read.data) >= read.count:
            self._end(tlp.tag)
            if not read.failed:
                read.deliver(bytes(read.data))
        elif read.unanswered:
            read.salvage()

    def _end(self, tag: int) -> None:
        del self._reads[tag]
        self._doubts.pop(tag, None)
        self._facts.reads_ended_ns = self._record.time_ns

    # --- views

    def certainly_open(self, since_ns: int) -> bool:
        """Whether a read was outstanding from `since_ns` to now, without a doubt."""
        return any(
            read.time_ns <= since_ns and not self._perhaps_given_up(read) for read in self._reads.values()
        )

    def end_of_test(self) -> None:
        """Every read must have been answered, unless the host said that it would not."""
        for read in self._reads.values():
            if not read.unanswered:
                self._record.verdict("BAD-RING-37", f"The host never completed the DMA read {read.tlp}.")


def _content(tlp: Tlp) -> bytes:
    """The bytes of a completion from its lower address on."""
    lead = tlp.lower_address & 3
    return tlp.data[lead:] if lead else tlp.data


def _fits(read: Outstanding, tlp: Tlp) -> bool:
    """Whether a completion goes on exactly where the read stands, and not beyond its end."""
    done = len(read.data)
    left = max(read.count, 1) - done
    lower = (read.address + done) & 0x7F
    return (
        tlp.type is TlpType.COMPLETION_DATA
        and tlp.byte_count == left
        and tlp.lower_address == lower
        and 0 < tlp.length <= (lower & 3) + left + 3 >> 2
    )
