"""What PCI Express asks of every packet the function sends on `tx_req`, and the reads it waits for."""

from __future__ import annotations

from enum import Enum

from tb.models.judge.facts import Deliver, Facts, Outstanding, Reader
from tb.pcie.tlp import (
    CompletionStatus,
    Tlp,
    TlpType,
    broken_rule,
    requested_bytes,
)

# A packet cut to the old limit may still stand in a buffer when the new, smaller one takes effect.
_LIMIT_GRACE = 4
_SENT_TYPES = frozenset({TlpType.MEMORY_READ, TlpType.MEMORY_WRITE, TlpType.MESSAGE})
_WRITE = TlpType.MEMORY_WRITE


class Outcome(Enum):
    """What a completion from the host was to the function."""

    TAKEN = "taken"
    FAILED = "failed"
    UNEXPECTED = "unexpected"


class Requests:
    """Judges the form of sent packets and keeps the outstanding reads by tag."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._record = facts.record
        self._reads = facts.reads
        self._limits = (128, 512)
        self._grace = 0
        self._old_limits = (128, 512)

    def form(self, tlp: Tlp) -> bool:
        """Judge what is right or wrong whatever the packet is for; False when it cannot be judged further."""
        record = self._record
        kind = tlp.type
        if kind not in _SENT_TYPES:
            record.verdict("BAD-DEV-18", "The function sent a packet of a type it never sends.")
            return False
        sentence = broken_rule(tlp)
        if sentence:
            record.verdict("BAD-DEV-18", sentence)
        if tlp.wide_address and tlp.address < 1 << 32:
            record.verdict("BAD-DEV-18", "A 4-DW header carries an address below 4 GiB.")
        if tlp.traffic_class or tlp.attributes:
            self._attributes(tlp)
        if tlp.poisoned or tlp.digest:
            record.verdict("BAD-DEV-18", "The function sent a packet that is poisoned or announces a digest.")
        ids = self._facts.function_ids
        if tlp.requester_id not in ids:
            record.verdict(
                "BAD-DEV-18",
                "The requester id is not the id that the last configuration request named.",
                f"{ids[-1]:#06x}",
                f"{tlp.requester_id:#06x}",
            )
        return True

    def _attributes(self, tlp: Tlp) -> None:
        """Judge what a packet says of its order and of caches; whether it may is asked where it leads."""
        allowed = 0
        if self._facts.profile.dma_attributes == "data":
            for state in self._facts.snapshots.states:
                allowed |= state.attributes
        if tlp.traffic_class or tlp.attributes & ~allowed:
            self._record.verdict(
                "VPCI-INT-16",
                "The function sent a packet with a traffic class or with relaxed ordering or no snoop.",
                f"traffic class 0, attributes {allowed} at most (`dma_attributes` of the profile)",
                f"{tlp.traffic_class}, {tlp.attributes}",
            )

    def memory(self, tlp: Tlp) -> None:
        """Judge a memory request against bus master and the size limits."""
        snapshots = self._facts.snapshots
        states = snapshots.states
        if not states[0].bus_master and not any(state.bus_master for state in states):
            rule = "PCI-CFG-14"
            self._record.verdict(rule, "The function sent a memory request while bus master is off.")
        payload, request = self._allowed_limits()
        if tlp.type is _WRITE:
            self._limit(4 * tlp.length, payload, "Max_Payload_Size")
        else:
            self._limit(4 * tlp.length, request, "Max_Read_Request_Size")

    def _allowed_limits(self) -> tuple[int, int]:
        """Largest sizes allowed: those of every state possible, the old ones for a few packets more."""
        states = self._facts.snapshots.states
        now = states[0]
        limits = (now.max_payload, now.max_read_request)
        if len(states) > 1:
            limits = (max(s.max_payload for s in states), max(s.max_read_request for s in states))
        if limits != self._limits:
            self._old_limits, self._limits, self._grace = self._limits, limits, _LIMIT_GRACE
        if not self._grace:
            return limits
        self._grace -= 1
        return max(limits[0], self._old_limits[0]), max(limits[1], self._old_limits[1])

    def _limit(self, size: int, allowed: int, name: str) -> None:
        if size > allowed:
            self._record.verdict(
                "VFIO-16", f"A packet is larger than {name}.", f"at most {allowed} bytes", size
            )

    def read(self, tlp: Tlp, deliver: Deliver, reader: Reader | None = None) -> None:
        """Keep a memory read of `reader` that was judged; `deliver` gets its bytes."""
        tag = tlp.tag
        before = self._reads.get(tag)
        if before is not None and not before.unanswered:
            self._record.verdict("BAD-DEV-18", f"Tag {tag} is used again while its read is outstanding.")
        address, count = requested_bytes(tlp)
        self._reads[tag] = Outstanding(tlp, address, count, deliver, self._record.time_ns, reader)

    def given_up(self, tag: int) -> bool:
        """Whether the function may have given up the read with `tag`: its completion is unexpected."""
        read = self._reads.get(tag)
        return read is not None and read.unanswered

    def unanswered(self, tag: int) -> bool:
        """The host will not answer `tag`, or only when the function may have given up; False if none waits.

        What hangs on it is excused, and nothing else.
        """
        read = self._reads.get(tag)
        if read is None:
            return False
        read.unanswered = True
        if read.reader is not None:
            read.reader.excused = True
        return True

    def completion(self, tlp: Tlp) -> Outcome:
        """Take a completion from the host."""
        read = self._reads.get(tlp.tag)
        if read is None or tlp.requester_id != read.tlp.requester_id:
            return Outcome.UNEXPECTED
        if tlp.status != CompletionStatus.SUCCESS or tlp.poisoned or not self._fits(read, tlp):
            del self._reads[tlp.tag]
            read.salvage()
            read.deliver(None)
            return Outcome.FAILED
        data, lead = tlp.data, tlp.lower_address & 3
        if lead:
            data = data[lead:]
        missing = read.count - len(read.data)
        read.data += data[:missing]
        if len(read.data) >= read.count:
            del self._reads[tlp.tag]
            read.deliver(bytes(read.data))
        elif read.unanswered:
            read.salvage()
        return Outcome.TAKEN

    @staticmethod
    def _fits(read: Outstanding, tlp: Tlp) -> bool:
        """Whether a completion goes on exactly where the read stands."""
        done = len(read.data)
        return (
            tlp.type is TlpType.COMPLETION_DATA
            and tlp.byte_count == max(read.count, 1) - done
            and tlp.lower_address == (read.address + done) & 0x7F
            and tlp.length > 0
        )

    def end_of_test(self) -> None:
        """Every read must have been answered, unless the host said that it would not."""
        for read in self._reads.values():
            if not read.unanswered:
                self._record.verdict("BAD-RING-37", f"The host never completed the DMA read {read.tlp}.")
