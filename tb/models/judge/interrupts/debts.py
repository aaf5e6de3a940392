"""What the interrupt side owes: when a cause must have taken effect, when an interrupt must have left."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tb.models.judge.interrupts.worlds import World, Worlds
from tb.models.judge.record import Record

# A cause takes effect inside the function within this time; nothing outside can hold it up.
CAUSE_LATENCY_NS = 5_000
# An interrupt that must leave does so before this many other packets have, or, when none are sent, this time
# has passed and a completion has left: completions do not pass posted packets, but a standing channel is no
# fault.
OVERDUE_PACKETS = 8
OVERDUE_NS = 50_000
_NEVER = 1 << 62


class Debts:
    """Watches the worlds for interrupts that must leave; `asserted` is the INTx level told last.

    `held_ns`: per source the time for which the function may hold its interrupts back.
    """

    def __init__(self, record: Record, worlds: Worlds, held_ns: Sequence[int]) -> None:
        self._record = record
        self._worlds = worlds
        self._latencies = [CAUSE_LATENCY_NS + held for held in held_ns]
        self._times: list[deque[int]] = [deque() for _ in held_ns]
        self.asserted = False
        self._sent = 0
        self._changed_ns = self._changed_sent = 0
        self._owed_ns: int | None = None
        self._owed_sent = 0
        self._look_ns = _NEVER

    def cause(self, source: int) -> None:
        """The function has learnt of a cause of `source`: the time until it takes effect begins."""
        self._times[source].append(self._record.time_ns + self._latencies[source])
        self.touch()

    def touch(self) -> None:
        """What interrupts depend on has changed: look at the debts when the causes have taken effect."""
        self._changed_ns, self._changed_sent = self._record.time_ns, self._sent
        self._look_ns = min((times[0] for times in self._times if times), default=self._record.time_ns)

    def packet_sent(self) -> None:
        """The function has sent a packet other than an interrupt: the clock by which one is overdue."""
        self._sent += 1
        if self._record.time_ns >= self._look_ns:
            self._look()

    def completion_sent(self) -> None:
        """The function has sent a completion, which no interrupt due long since may follow."""
        if self._record.time_ns >= self._look_ns:
            self._look()
            if self._owed_ns is not None and self._record.time_ns - self._owed_ns > OVERDUE_NS:
                self._settle_debts()

    def _look(self) -> None:
        """Whether an interrupt is owed for certain, and since when."""
        self.age()
        worlds = self._worlds.close()
        owing = sum(map(self._owes, worlds))
        if owing < len(worlds):
            self._owed_ns = None
            self._look_ns = _NEVER if not owing and not any(self._times) else self._next_look()
        elif self._owed_ns is None:
            self._owed_ns, self._owed_sent = self._changed_ns, self._sent
        elif self._sent - self._owed_sent > OVERDUE_PACKETS:
            self._settle_debts()

    def _next_look(self) -> int:
        waiting = [times[0] for times in self._times if times]
        return min(waiting) if waiting else self._record.time_ns + CAUSE_LATENCY_NS

    def age(self) -> None:
        """Causes that have waited long enough have taken effect."""
        now = self._record.time_ns
        for source, times in enumerate(self._times):
            if times and times[0] <= now:
                while times and times[0] <= now:
                    self._changed_ns = max(self._changed_ns, times.popleft())
                self._changed_sent = self._sent
                self._worlds.all_fired(source, len(times))

    def flush(self) -> None:
        """When nothing has changed for long, an interrupt that was free to leave has left."""
        long_ago = self._record.time_ns - self._changed_ns > CAUSE_LATENCY_NS
        if long_ago and self._sent - self._changed_sent > OVERDUE_PACKETS:
            self._settle_debts()

    def _settle_debts(self) -> None:
        worlds = self._worlds
        self._owed_ns = None
        if worlds.keep(lambda world: not self._owes(world)):
            if any(self._times):
                worlds.replace(worlds.set)  # what waits still may take effect from now on
            return
        self._accuse_debt(next(iter(worlds.set)))
        worlds.replace({self._paid(world) for world in worlds.set})

    def _accuse_debt(self, world: World) -> None:
        owed = self._owed_vectors(world)
        if owed:
            what = f"The message of vector {names_of(owed)} never came, though it is owed and not masked."
            self._record.verdict("VRING-INT-01", what, "one message", "none")
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
