"""Every state the interrupt side of the function may be in, given what was seen so far.

The ISR, the INTx level and the pending bits change at moments nobody outside sees: an interrupt cause takes
effect some time after the function has learnt of it, a register access some time between acceptance and
completion. So the judge keeps the *set* of states that explain everything seen. A cause or an access adds
possibilities, a read value or a message removes those that contradict it. When nothing is left, what was seen
has no explanation: a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tb.models.judge.snapshots import NO_VECTOR, Snapshot
from tb.models.profile import Profile

ISR_QUEUE = 1
# So many causes of one source may wait to take effect; any more that wait make no further message.
_MOST_WAITING = 16


class World(NamedTuple):
    """One possible state.

    `step`: how many of the known steps (effects of accesses) are executed; `isr`: the register; `level`: the
    INTx cause before Interrupt Disable; `pending`: a bit per vector; `again`: the vectors whose message
    is under way and will be followed by one more; `unfired`: per source the causes that
    the function has learnt of and not acted on yet; `read`: the values that executed but not completed reads
    will return.
    """

    step: int
    isr: int
    level: int
    line: int
    shown: int
    pending: int
    again: int
    unfired: tuple[int, ...]
    read: tuple[tuple[int, int], ...] = ()


Change = Callable[[World], tuple[World, ...]]


@dataclass(slots=True, frozen=True)
class Step:
    """What executing the access numbered `order` does to the interrupt state."""

    order: int
    change: Change


class Worlds:
    """The set of possible worlds and the transitions between them.

    Sources are numbered: the queues in order, then the configuration.
    """

    def __init__(self, profile: Profile, first: Snapshot, sources: int) -> None:
        self._profile = profile
        self._sources = sources
        self._base = 0  # number of the oldest step kept
        self._steps: list[Step] = []
        self._states: list[Snapshot] = [first]  # _states[k - base]: registers after k steps
        self._nothing = (0,) * sources
        self.set: set[World] = {World(0, 0, 0, 0, 0, 0, 0, self._nothing)}
        self._closed = True

    # --- what may happen unseen

    def state(self, world: World) -> Snapshot:
        """The registers in a world."""
        return self._states[world.step - self._base]

    def wanted(self, world: World) -> int:
        """The level that INTx should have in a world."""
        return 0 if self._states[world.step - self._base].intx_disable else world.level

    @property
    def latest(self) -> Snapshot:
        """The registers with every accepted access executed."""
        return self._states[-1]

    @property
    def unsettled(self) -> bool:
        """Whether an access with an effect on interrupts is not known to be executed."""
        return bool(self._steps)

    def ahead(self, world: World) -> bool:
        """Whether an access is executed in a world that is not known to be."""
        return world.step > self._base

    def close(self) -> set[World]:
        """Add every world that unseen transitions reach, and give the set."""
        if self._closed:
            return self.set
        self._closed = True
        reached = self.set
        frontier = list(reached)
        last = self._base + len(self._steps)
        while frontier:
            world = frontier.pop()
            state = self._states[world.step - self._base]
            if world.step < last:
                for changed in self._steps[world.step - self._base].change(world):
                    moved = changed._replace(step=world.step + 1)
                    if moved not in reached:
                        reached.add(moved)
                        frontier.append(moved)
            if not world.shown and world.line != self.wanted(world):
                told = world._replace(line=1 - world.line, shown=1)
                if told not in reached:
                    reached.add(told)
                    frontier.append(told)
            if world.unfired == self._nothing:
                continue
            for source, count in enumerate(world.unfired):
                if not count:
                    continue
                for fired in self._fire(world, state, source):
                    if fired not in reached:
                        reached.add(fired)
                        frontier.append(fired)
        return reached

    def _fire(self, world: World, state: Snapshot, source: int) -> tuple[World, ...]:
        """A cause of `source` takes effect; the worlds that may follow."""
        profile = self._profile
        counts = list(world.unfired)
        counts[source] -= 1
        fired = world._replace(unfired=tuple(counts))
        is_config = source == self._sources - 1
        if is_config and profile.config_interrupt == "driver_ok" and not state.driver_ok:
            return (fired,)
        bits = profile.isr_config_change if is_config else ISR_QUEUE
        if not state.msix_enable:
            return (fired._replace(isr=world.isr | bits, level=1),)
        if profile.isr_config_under_msix if is_config else profile.isr_queue_under_msix:
            fired = fired._replace(isr=world.isr | bits)
        return self._pend(fired, state, state.config_vector if is_config else state.vectors[source])

    def _pend(self, world: World, state: Snapshot, vector: int) -> tuple[World, ...]:
        """A message of `vector` becomes due.

        When one is due already the two are sent as one, or as two if the first stands at the pins by now.
        """
        if vector == NO_VECTOR or vector >= len(state.entries):
            return (world,)
        if not state.bus_master and self._profile.msix_pending_without_bus_master == "lost":
            return (world,)
        bit = 1 << vector
        if not world.pending & bit:
            return (world._replace(pending=world.pending | bit),)
        return (world, world._replace(again=world.again | bit)) if state.sends(vector) else (world,)

    # --- facts that add possibilities

    def step(self, order: int, after: Snapshot, change: Change) -> None:
        """The access numbered `order` was accepted: some time from now on it changes every world."""
        self._steps.append(Step(order, change))
        self._states.append(after)
        self._closed = False

    def cause(self, source: int, generation: int, *, certain: bool) -> None:
        """The function has learnt of a cause since the reset numbered `generation`."""
        added = set()
        for world in self.set:
            if self.state(world).generation != generation:
                added.add(world)
                continue
            counts = list(world.unfired)
            counts[source] = min(counts[source] + 1, _MOST_WAITING)
            added.add(world._replace(unfired=tuple(counts)))
            if not certain:
                added.add(world)
        self.set = added
        self._closed = False

    # --- facts that remove possibilities

    def settle(self, order: int) -> None:
        """Every access up to the one numbered `order` is executed."""
        done = 0
        while done < len(self._steps) and self._steps[done].order <= order:
            done += 1
        if not done:
            return
        least = self._base + done
        self.set = {world for world in self.close() if world.step >= least}
        del self._steps[:done]
        del self._states[:done]
        self._base = least

    def values_read(self, key: int) -> set[int]:
        """The values the read named `key` may return, now that it is executed."""
        return {value for world in self.close() for name, value in world.read if name == key}

    def observe_read(self, key: int, seen: int) -> None:
        """The read named `key` returned `seen`, one of `values_read`; anything else removes nothing."""
        matching = {world for world in self.set if (key, seen) in world.read}
        kept = matching or self.set
        self.set = {w._replace(read=tuple(r for r in w.read if r[0] != key)) for w in kept}
        self._closed = False

    def keep(self, holds: Callable[[World], bool]) -> bool:
        """Keep the worlds of which `holds` is true; False (and nothing removed) when there is none.

        What is removed has not happened so far; an access not executed yet may still lead there.
        """
        worlds = self.close()
        kept = {world for world in worlds if holds(world)}
        if kept and len(kept) < len(worlds):
            self.set = kept
            self._closed = False
        return bool(kept)

    def all_fired(self, source: int, at_most: int) -> None:
        """At most `at_most` causes of `source` can still be waiting."""
        self.keep(lambda world: world.unfired[source] <= at_most)

    def replace(self, kept: set[World]) -> None:
        """The worlds are now `kept`, unless that leaves none."""
        if kept:
            self.set = kept
            self._closed = False

    @property
    def states(self) -> list[Snapshot]:
        """The registers of every step not settled, oldest first."""
        return self._states
