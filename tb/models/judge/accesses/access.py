"""The access being judged: its place in the order, the answer it must get, what it changes."""

from __future__ import annotations

from tb.models.events import Events
from tb.models.judge.completions import Completions, Expected, Word
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.queues.dma import Dma
from tb.models.judge.snapshots import Snapshot
from tb.pcie.tlp import CompletionStatus, Tlp

LANES = tuple(sum(0xFF << 8 * lane for lane in range(4) if be >> lane & 1) for be in range(16))


class Access:
    """Numbers the host's requests and tells the other judges what each of them does."""

    def __init__(self, facts: Facts, completions: Completions, interrupts: Interrupts, dma: Dma) -> None:
        self._facts = facts
        self._completions = completions
        self._interrupts = interrupts
        self._dma = dma
        self.order = 0

    def expect(self, tlp: Tlp, status: CompletionStatus, words: list[Word]) -> None:
        """The function owes `tlp` a completion with `status` and `words`."""
        facts = self._facts
        now, ids = facts.record.time_ns, facts.function_ids
        self._completions.expect(Expected(self.order, tlp, now, status, words, ids))

    def done(self, tlp: Tlp, words: list[Word] | None = None) -> None:
        """The function owes `tlp` a successful completion."""
        self.expect(tlp, CompletionStatus.SUCCESS, words or [])

    def change(self, before: Snapshot, events: Events, after: Snapshot) -> None:
        """The access leads from the registers `before` to those `after`, and causes `events`."""
        if after != before:
            self._facts.snapshots.push(self.order, after)
            self._interrupts.write(self.order, before, after)
            if after.bus_master != before.bus_master:
                self._dma.bus_master_switched(self.order)
        self.tell(events, before)

    def tell(self, events: Events, before: Snapshot) -> None:
        """What a register write causes beyond the registers."""
        for event in events:
            self._dma.event(self.order, event, before.features)
