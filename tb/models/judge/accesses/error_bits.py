"""Write-one-to-clear bits that errors set: what they must be, and may be, whenever the guest reads them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tb.models.judge.record import Record

# An error beside the stream of requests shows in its bit within this time.
LATENCY_NS = 1_000


@dataclass(slots=True, frozen=True)
class _Step:
    """What the access numbered `order`, accepted at `accepted_ns`, does to the bits."""

    order: int
    accepted_ns: int
    sets: int
    clears: int


@dataclass(slots=True)
class Coming:
    """Bits that an error sets some time from `since_ns` to `due_ns`, or that it may set, if not `certain`."""

    since_ns: int
    due_ns: int
    bits: int
    certain: bool


class ErrorBits:
    """The bits of `mask` in one DW: those set for certain, those possibly set, those on their way.

    Accesses act in their order, when they are settled; errors beside them at a time that is known roughly.
    """

    __slots__ = ("_certain", "_coming", "_mask", "_maybe", "_record", "_settled", "_steps")

    def __init__(self, record: Record, mask: int) -> None:
        self._record = record
        self._mask = mask
        self._certain = 0
        self._maybe = 0
        self._coming: list[Coming] = []
        self._steps: deque[_Step] = deque()
        self._settled = -1

    # --- what happens

    def raised(self, order: int, bits: int) -> None:
        """The access numbered `order` is an error that sets `bits`."""
        self._steps.append(_Step(order, self._record.time_ns, bits & self._mask, 0))

    def cleared(self, order: int, bits: int) -> None:
        """The access numbered `order` writes ones to `bits`."""
        if bits & self._mask:
            self._steps.append(_Step(order, self._record.time_ns, 0, bits & self._mask))

    def happened(self, bits: int) -> None:
        """An error that sets `bits` has happened now."""
        self.expect(self._record.time_ns, self._record.time_ns, bits)

    def suspect(self, bits: int) -> None:
        """Something has happened now that may set `bits`."""
        self.expect(self._record.time_ns, self._record.time_ns, bits).certain = False

    def expect(self, since_ns: int, due_ns: int, bits: int) -> Coming:
        """An error that sets `bits` happens between the two times, until it is told that it may not."""
        coming = Coming(since_ns, due_ns + LATENCY_NS, bits & self._mask, certain=True)
        self._coming.append(coming)
        return coming

    # --- what is known

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        self._settled = max(self._settled, order)
        steps = self._steps
        while steps and steps[0].order <= order:
            step = steps.popleft()
            if step.clears:
                self._clear(step)
            self._certain |= step.sets

    def _clear(self, step: _Step) -> None:
        """The bits are 0, but those that an error may have set since the write was accepted."""
        self._arrive(step.accepted_ns)
        self._certain &= ~step.clears
        self._maybe &= ~step.clears
        for coming in self._coming:
            if coming.since_ns <= self._record.time_ns:
                self._maybe |= coming.bits & step.clears
                coming.bits &= ~step.clears

    def _arrive(self, at_ns: int) -> None:
        """Errors whose time is over by `at_ns` have set their bits."""
        for coming in self._coming:
            if coming.due_ns > at_ns:
                continue
            if coming.certain:
                self._certain |= coming.bits
            else:
                self._maybe |= coming.bits
        self._coming = [coming for coming in self._coming if coming.bits and coming.due_ns > at_ns]

    def check(self, order: int, accepted_ns: int, seen: int, lanes: int) -> set[int] | None:
        """Hold the DW `seen` by a read against the bits: what they must and may be when it does not fit.

        The read was accepted as number `order` at `accepted_ns`, and is settled; it shows those of `lanes`.
        """
        if self._settled > order:
            return None  # answered behind a later access: the state it was taken from is past
        mask = self._mask & lanes
        self._arrive(accepted_ns)
        now = self._record.time_ns
        must = self._certain & mask
        may = (self._certain | self._maybe) & mask
        for coming in self._coming:
            if coming.since_ns <= now:
                may |= coming.bits & mask
        seen &= mask
        self._certain = self._certain & ~mask | seen
        self._maybe &= ~mask
        return None if must & ~seen == 0 and seen & ~may == 0 else {must, may}
