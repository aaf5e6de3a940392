"""The interrupt side as seen from the bus: causes and accesses go in, interrupts are judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.debts import Debts
from tb.models.judge.interrupts.effects import write_change
from tb.models.judge.interrupts.line import Line
from tb.models.judge.interrupts.messages import Messages
from tb.models.judge.interrupts.reasons import Reasons
from tb.models.judge.interrupts.spare import Spare
from tb.models.judge.interrupts.worlds import World, Worlds
from tb.models.judge.snapshots import Snapshot
from tb.pcie.tlp import Tlp


class Interrupts:
    """Keeps the worlds the function may be in; judges what it sends, and what it owes."""

    def __init__(self, facts: Facts) -> None:
        queues = len(facts.device.queue_sizes)
        self._facts = facts
        self._config_source = queues
        self._worlds = worlds = Worlds(facts.profile, facts.snapshots.latest, queues + 1)
        held = [facts.profile.interrupt_delay_ns] * queues + [0]
        self._reasons = reasons = Reasons(facts, worlds, queues)
        latency = facts.profile.interrupt_latency_ns
        self._debts = debts = Debts(facts.record, worlds, reasons, latency, held)
        self._spare = spare = Spare(facts, worlds, queues)
        self._messages = Messages(facts, worlds, debts, spare, reasons)
        self._line = Line(facts, worlds, debts, spare, reasons)
        self._settled = -1
        self._touching: deque[int] = deque()

    # --- causes and accesses

    def queue_cause(self, queue: int, generation: int, rule: str, *, certain: bool) -> None:
        """The function has read that the guest wants (or may want) an interrupt for `queue`, by `rule`."""
        self._reasons.asked(queue, rule)
        self._cause(queue, generation, certain=certain)

    def config_cause(self, generation: int) -> None:
        """The device configuration has changed (VPCI-STAT-24)."""
        self._cause(self._config_source, generation, certain=True)

    def _cause(self, source: int, generation: int, *, certain: bool) -> None:
        self._debts.age()
        self._spare.renew()
        self._worlds.cause(source, generation, certain=certain)
        self._debts.cause(source)

    def write(self, order: int, before: Snapshot, after: Snapshot) -> None:
        """A register write that leads from `before` to `after` was accepted."""
        if after.generation != before.generation:
            self._line.lowered_by(order, "VPCI-STAT-08", "the reset")
        self._reasons.written(before, after)
        self._step(order, after, write_change(self._facts.profile, before, after))
        if before.entries is not after.entries:
            self._messages.collect_addresses()

    def read_isr(self, order: int, key: int) -> None:
        """A read of the ISR was accepted: it returns and clears it, and drops the level (VPCI-INT-02).

        `key` is what `check_read` will name the value by.
        """

        def change(world: World) -> tuple[World, ...]:
            return (world._replace(isr=0, level=0, read=(*world.read, (key, world.isr))),)

        self._line.lowered_by(order, "VPCI-INT-02", "the read of the ISR")
        self._step(order, self._worlds.latest, change, touches=self._has_line)

    @property
    def _has_line(self) -> bool:
        """Whether the level may count: else a guest that reads the ISR for ever changes nothing."""
        return not all(state.msix_enable for state in self._worlds.states)

    def read_level(self, order: int, key: int) -> None:
        """A read of the Interrupt Status bit was accepted (PCI-CFG-13)."""
        self._observe(order, key, lambda world: world.level)

    def read_pending(self, order: int, key: int, shift: int, mask: int) -> None:
        """A read of the pending bits from vector `shift` on, as far as `mask` has ones, was accepted."""
        self._observe(order, key, lambda world: world.pending >> shift & mask)

    def _observe(self, order: int, key: int, value: Callable[[World], int]) -> None:
        def change(world: World) -> tuple[World, ...]:
            return (world._replace(read=(*world.read, (key, value(world)))),)

        self._debts.age()
        self._worlds.step(order, self._worlds.latest, change)

    def _step(
        self,
        order: int,
        after: Snapshot,
        change: Callable[[World], tuple[World, ...]],
        *,
        touches: bool = True,
    ) -> None:
        self._debts.age()
        self._worlds.step(order, after, change)
        if touches:
            self._debts.touch()
            self._touching.append(order)

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        self._settled = order
        if not self._worlds.unsettled:
            return
        self._debts.age()
        self._worlds.settle(order)
        while self._touching and self._touching[0] <= order:
            self._touching.popleft()
            self._debts.touch()
        self._messages.collect_addresses()

    def check_read(self, key: int, seen: int) -> set[int] | None:
        """Hold `seen` against what the read may return: None when it fits, else the values that would."""
        possible = self._worlds.values_read(key)
        self._worlds.observe_read(key, seen)
        return None if seen in possible else possible

    # --- what the function sends

    def is_message(self, tlp: Tlp) -> bool:
        """Whether a memory write looks like an MSI-X message: it goes to the address of a table entry."""
        return self._messages.is_message(tlp)

    def message(self, tlp: Tlp) -> None:
        """Judge an MSI-X message."""
        self._messages.message(tlp)

    def intx(self, tlp: Tlp) -> None:
        """Judge an INTx message."""
        self._line.message(tlp)

    def look(self, own_ns: int) -> int:
        """Tell what is overdue; when to look again."""
        self._line.check_deadline()
        return min(self._debts.look(own_ns), self._line.deadline_ns(own_ns))

    @property
    def idle(self) -> bool:
        """Whether no interrupt is on its way, as far as anybody knows."""
        return self._debts.idle

    def completion_judged(self) -> None:
        """What the completion sent last tells is known: an INTx line that its access took down is down."""
        self._line.completed(self._settled)

    def end_of_test(self) -> None:
        """Nothing may be owed any more."""
        self._line.check_deadline()
        self._debts.end_of_test()
