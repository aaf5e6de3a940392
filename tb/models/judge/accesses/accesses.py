"""Leads every request of the host to the registers that answer it."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.judge.accesses.access import Access
from tb.models.judge.accesses.configuration import ConfigurationAccesses
from tb.models.judge.accesses.errors import Errors
from tb.models.judge.accesses.registers import RegisterAccesses
from tb.models.judge.accesses.table import TableAccesses
from tb.models.judge.completions import Completions
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.outstanding import Reads
from tb.models.judge.queues.dma import Dma
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType

_IGNORED = frozenset({
    TlpType.MESSAGE, TlpType.MESSAGE_DATA, TlpType.COMPLETION, TlpType.COMPLETION_DATA,
    TlpType.COMPLETION_LOCKED, TlpType.COMPLETION_DATA_LOCKED,
})  # fmt: skip


class Accesses:
    """The register side of the function; `errors` are its error bits, `registers` those of BAR0."""

    def __init__(
        self,
        facts: Facts,
        completions: Completions,
        interrupts: Interrupts,
        dma: Dma,
        errors: Errors,
        reads: Reads,
    ) -> None:
        self._facts = facts
        self._access = access = Access(facts, completions, interrupts, dma)
        self.errors = errors
        self._captured = 0
        self._completions = completions
        self._posted_ns = 0
        self._configuration = ConfigurationAccesses(facts, access, interrupts, errors, reads)
        self.registers = RegisterAccesses(facts, access, interrupts)
        table = TableAccesses(facts, access, interrupts)
        self._answers: dict[TlpType, Callable[[Tlp], bool]] = {
            TlpType.CONFIG_READ: self._config,
            TlpType.CONFIG_WRITE: self._config,
            TlpType.IO_READ: self.registers.request,
            TlpType.IO_WRITE: self.registers.request,
            TlpType.MEMORY_READ: table.request,
            TlpType.MEMORY_WRITE: table.request,
        }

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        self.errors.settle(order)
        ids = self._facts.function_ids
        if len(ids) > 1 and order >= self._captured:
            self._facts.function_ids = ids[-1:]

    def waited(self, tlp: Tlp, waited_ns: int) -> None:
        """A request waited for so long to be accepted: a posted one must not wait for others (PIN-POSTED)."""
        if not tlp.posted:
            return
        profile, own_ns = self._facts.profile, self._facts.record.own_ns
        since = max(own_ns - waited_ns, self._posted_ns)
        if profile.posted_behind_non_posted:
            since = max(since, self._completions.moved_ns)
        if own_ns - since > profile.posted_latency_ns:
            what = "A posted write was left waiting, which stops everything behind it."
            late = f"taken within {profile.posted_latency_ns} ns"
            self._facts.record.verdict("PIN-POSTED", what, late, f"{own_ns - since} ns")

    def request(self, tlp: Tlp) -> None:
        """The function has accepted a request of the host."""
        if tlp.posted:
            self._posted_ns = self._facts.record.own_ns
        self._access.order += 1
        answer = self._answers.get(tlp.type)
        poisoned = bool(tlp.poisoned and tlp.data)
        if poisoned:
            self.errors.poisoned(self._access.order, tlp)
        elif answer is not None and answer(tlp):
            return
        if tlp.type not in _IGNORED:
            self._unsupported(tlp)

    def _unsupported(self, tlp: Tlp) -> None:
        """A request that no register answers: UR, or dropped when it is posted."""
        if not (tlp.poisoned and tlp.data):
            self.errors.unsupported(self._access.order, tlp)
        if tlp.posted:
            self._facts.record.accesses_scored += 1
        else:
            self._access.expect(tlp, CompletionStatus.UNSUPPORTED_REQUEST, [])

    def _config(self, tlp: Tlp) -> bool:
        """A configuration request names the function's bus and device; only function 0 is there."""
        facts = self._facts
        captured = tlp.target_id & 0xFFF8
        if captured != facts.function_ids[-1]:
            facts.function_ids = (facts.function_ids[-1], captured)
            self._captured = self._access.order
        if tlp.target_id & 7:
            return False
        self._configuration.request(tlp)
        return True
