"""Judges INTx: the line follows the cause, each change is told once."""

from __future__ import annotations

from collections import deque

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.debts import Debts
from tb.models.judge.interrupts.reasons import Reasons
from tb.models.judge.interrupts.spare import Spare
from tb.models.judge.interrupts.worlds import World, Worlds
from tb.pcie.tlp import MessageCode, Tlp


class Line:
    """Judges the messages that assert and deassert INTA."""

    def __init__(
        self, facts: Facts, worlds: Worlds, debts: Debts, spare: Spare, reasons: Reasons
    ) -> None:
        self._facts = facts
        self._record = facts.record
        self._worlds = worlds
        self._debts = debts
        self._spare = spare
        self._reasons = reasons
        self._lowering: deque[tuple[int, str, str]] = deque()
        self._deadline: tuple[int, str, str] | None = None

    def message(self, tlp: Tlp) -> None:
        """Judge an INTx message."""
        record = self._record
        record.interrupts_scored += 1
        if tlp.message_code not in (MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA):
            record.verdict(
                "PCI-INT-01", "The function sent a message other than Assert_INTA and Deassert_INTA."
            )
            return
        asserted = tlp.message_code == MessageCode.ASSERT_INTA
        verb = "Assert_INTA" if asserted else "Deassert_INTA"
        if asserted == self._debts.asserted:
            record.verdict("PCI-INT-01", f"The function sent {verb} twice in a row.")
            return
        self.check_deadline()
        self._debts.age()

        def take() -> bool:
            return self._worlds.keep(lambda world: bool(world.shown) and world.line == asserted)

        if not take() and not (asserted and self._spare.explains(None, take)):
            self._accuse_line(asserted)
        self._debts.asserted = asserted
        self._worlds.replace({world._replace(line=int(asserted), shown=0) for world in self._worlds.set})
        self._debts.touch()

    def _accuse_line(self, asserted: bool) -> None:
        states = self._worlds.states
        if not asserted:
            self._record.verdict(
                "PCI-INT-01", "The function sent Deassert_INTA while the interrupt cause stands.", "asserted"
            )
        elif all(state.msix_enable for state in states):
            self._record.verdict("PCI-INT-02", "The function asserted INTx while MSI-X is enabled.")
        elif all(state.intx_disable for state in states):
            self._record.verdict("PCI-CFG-12", "The function asserted INTx while Interrupt Disable is set.")
        else:
            rule, why = self._reasons.uncalled([])
            self._record.verdict(rule, f"The function asserted INTx {why}.", "no interrupt", "Assert_INTA")

    # --- the line goes down with the access that takes its cause away

    def lowered_by(self, order: int, rule: str, what: str) -> None:
        """The access numbered `order`, which is `what`, takes the cause away: `rule` wants the line down."""
        self._lowering.append((order, rule, what))

    def completed(self, order: int) -> None:
        """Every access up to `order` is completed.

        The completion passes no message sent before it, so a host that has it and does not know of the line
        being down takes the same interrupt again.
        """
        while self._lowering and self._lowering[0][0] <= order:
            _, rule, what = self._lowering.popleft()
            self._deadline = (self._record.own_ns + self._facts.profile.intx_deassert_ns, rule, what)
        self.check_deadline()

    def deadline_ns(self, own_ns: int) -> int:
        """When to check: at the deadline, or where there is none, some time later."""
        if self._deadline is None:
            return own_ns + self._facts.profile.interrupt_latency_ns
        return self._deadline[0]

    def check_deadline(self) -> None:
        """Once the time is over, a line without a cause must have been told to be down."""
        if self._deadline is None or self._record.own_ns < self._deadline[0]:
            return
        _, rule, what = self._deadline
        self._deadline = None
        worlds = self._worlds
        # The line may stand without a cause for an access accepted since, if one takes it away.
        since = bool(self._lowering) or any(s.intx_disable or s.msix_enable for s in worlds.states)

        def right(world: World) -> bool:
            down = not (world.line or world.shown)
            return down or bool(worlds.wanted(world)) or (since and worlds.ahead(world))

        if worlds.keep(right):
            return
        self._record.verdict(
            rule,
            f"Deassert_INTA did not come with {what}: the host is interrupted again without a cause.",
            f"Deassert_INTA {self._when()}",
            "none yet",
        )

    def _when(self) -> str:
        late = self._facts.profile.intx_deassert_ns
        return f"at most {late} ns after its completion" if late else "ahead of its completion"
