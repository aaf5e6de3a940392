"""Judges INTx: the line follows the cause, each change is told once."""

from __future__ import annotations

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.debts import Debts
from tb.models.judge.interrupts.messages import uncalled
from tb.models.judge.interrupts.worlds import Worlds
from tb.pcie.tlp import MessageCode, Tlp


class Line:
    """Judges the messages that assert and deassert INTA."""

    def __init__(self, facts: Facts, worlds: Worlds, debts: Debts) -> None:
        self._facts = facts
        self._record = facts.record
        self._worlds = worlds
        self._debts = debts

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
        self._debts.age()
        self._debts.flush()
        if not self._worlds.keep(lambda world: bool(world.shown) and world.line == asserted):
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
            rule, why = uncalled(self._facts)
            self._record.verdict(rule, f"The function asserted INTx {why}.", "no interrupt", "Assert_INTA")
