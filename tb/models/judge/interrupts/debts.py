"""What the interrupt side owes: when a cause must have taken effect, when an interrupt must have left."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tb.models.judge.interrupts.reasons import Reasons
from tb.models.judge.interrupts.worlds import World, Worlds
from tb.models.judge.record import Record


class Debts:
    """Watches the worlds for interrupts that must leave; `asserted` is the INTx level told last.

    All times are the function's own (`Record.own_ns`). A cause takes effect within `latency_ns` of being
    known, and an interrupt that is free to leave does so within as much again. `held_ns`: per source the time
    for which the function may hold its interrupts back.
    """

    def __init__(
        self, record: Record, worlds: Worlds, reasons: Reasons, latency_ns: int, held_ns: Sequence[int]
    ) -> None:
        self._record = record
        self._worlds = worlds
        self._reasons = reasons
        self._latency = latency_ns
        self._latencies = [latency_ns + held for held in held_ns]
        self._times: list[deque[int]] = [deque() for _ in held_ns]
        self.asserted = False
        self._changed = 0
        self._owed: int | None = None
        self._open = False

    def cause(self, source: int) -> None:
        """The function has learnt of a cause of `source`: the time until it takes effect begins."""
        self._times[source].append(self._record.own_ns + self._latencies[source])
        self._changed = self._record.own_ns
        self._open = True

    def touch(self) -> None:
        """What interrupts depend on has changed, or one has left: what is owed is owed from now on."""
        self._changed = self._record.own_ns
        self._owed = None
        self._open = True

    @property
    def idle(self) -> bool:
        """Whether no interrupt is on its way, as far as anybody knows."""
        return not self._open

    def look(self, own_ns: int) -> int:
        """Tell what is overdue; when to look again."""
        again = own_ns + self._latency
        if not self._open:
            return again
        self.age()
        worlds = self._worlds.close()
        owing = sum(map(self._owes, worlds))
        if owing < len(worlds):
            self._owed = None
            if own_ns - self._changed < self._latency:
                return min(again, self._changed + self._latency, *self._next())
            self._settle_debts()  # what was free to leave has left
            self._open = any(self._times)
            return min(again, *self._next())
        if self._owed is None:
            self._owed = self._changed
        if own_ns - self._owed >= self._latency:
            self._settle_debts()
            return again
        return min(self._owed + self._latency, *self._next())

    def _next(self) -> list[int]:
        """When the next cause must have taken effect."""
        return [times[0] for times in self._times if times] or [self._record.own_ns + self._latency]

    def age(self) -> None:
        """Causes that have waited long enough have taken effect."""
        now = self._record.own_ns
        for source, times in enumerate(self._times):
            if times and times[0] <= now:
                while times and times[0] <= now:
                    self._changed = max(self._changed, times.popleft())
                self._worlds.all_fired(source, len(times))

    def _settle_debts(self) -> None:
        worlds = self._worlds
        self._owed = None
        if worlds.keep(lambda world: not self._owes(world)):
            return
        self._accuse_debt(next(iter(worlds.set)))
        worlds.replace({self._paid(world) for world in worlds.set})

    def _accuse_debt(self, world: World) -> None:
        owed = self._owed_vectors(world)
        if owed:
            what = f"The message of vector {names_of(owed)} never came, though it is owed and not masked."
            rule = self._reasons.missing(self._worlds.state(world), owed)
            self._record.verdict(rule, what, "one message", "none")
            return
        asserts = world.line if world.shown else self._worlds.wanted(world)
        expected = "Assert_INTA" if asserts else "Deassert_INTA"
        rule = "VPCI-INT-17" if asserts else "PCI-INT-01"
        self._record.verdict(rule, "The INTx message that follows the cause never came.", expected, "none")

    def _owed_vectors(self, world: World) -> list[int]:
        state = self._worlds.state(world)
        return [v for v in range(len(state.entries)) if world.pending >> v & 1 and state.sends(v)]

    def _owes(self, world: World) -> bool:
        if world.shown or world.line != self._worlds.wanted(world):
            return True
        return bool(world.pending and self._owed_vectors(world))

    def _paid(self, world: World) -> World:
        for vector in self._owed_vectors(world):
            world = world._replace(pending=world.pending & ~(1 << vector), again=0)
        self.asserted = bool(self._worlds.wanted(world))
        return world._replace(line=int(self.asserted), shown=0)

    def end_of_test(self) -> None:
        """Nothing may be owed any more."""
        for source, times in enumerate(self._times):
            times.clear()
            self._worlds.all_fired(source, 0)
        self._settle_debts()


def names_of(vectors: list[int]) -> str:
    """Vectors in words."""
    return " or ".join(map(str, vectors))
