"""Which rule an interrupt follows that is missing, or that nothing asks for."""

from __future__ import annotations

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.worlds import World, Worlds
from tb.models.judge.snapshots import NO_VECTOR, Snapshot
from tb.models.virtqueue import F_EVENT_IDX

_BY_FLAGS, _BY_EVENT = "VRING-INT-01", "VRING-INT-02"
_BY_CONFIGURATION = "VPCI-STAT-24"
_RELEASED = "PCI-MSIX-08"
_OTHER_VECTOR = "VPCI-INT-08"


class Reasons:
    """What asked last for an interrupt of each source, and which vectors an unmasking has set free.

    Sources are the queues in order, then the configuration.
    """

    def __init__(self, facts: Facts, worlds: Worlds, queues: int) -> None:
        self._facts = facts
        self._worlds = worlds
        self._rules = [_BY_FLAGS] * queues + [_BY_CONFIGURATION]
        self._released: set[int] = set()

    def asked(self, source: int, rule: str) -> None:
        """The function has learnt of a cause of `source`, which `rule` makes one."""
        self._rules[source] = rule

    def written(self, before: Snapshot, after: Snapshot) -> None:
        """A register write was accepted: vectors that pend and may be sent from now on are set free."""
        for vector in range(len(after.entries)):
            if after.sends(vector) and not before.sends(vector):
                if any(world.pending >> vector & 1 for world in self._worlds.set):
                    self._released.add(vector)
            elif not after.sends(vector):
                self._released.discard(vector)

    def sent(self, vectors: list[int]) -> None:
        """A message of one of `vectors` has left."""
        self._released.difference_update(vectors)

    def missing(self, state: Snapshot, vectors: list[int]) -> str:
        """The rule that wants the messages of `vectors`, none of which came."""
        if self._released.intersection(vectors):
            return _RELEASED
        named = enumerate((*state.vectors, state.config_vector))
        rules = {self._rules[source] for source, vector in named if vector in vectors}
        return rules.pop() if len(rules) == 1 else _BY_FLAGS

    def uncalled(self, vectors: list[int]) -> tuple[str, str]:
        """Rule and words for an interrupt (of one of `vectors`, none: INTx) that nothing known asks for."""
        if self._facts.undecided:
            return "VPCI-INT-16", (
                "before it had published the used index and read whether the guest wants an interrupt"
            )
        if vectors and self._owed_elsewhere(vectors):
            return _OTHER_VECTOR, "though the event that asks for one is mapped to another vector"
        state = self._worlds.latest
        if vectors == [state.config_vector] and state.config_vector not in state.vectors:
            return _BY_CONFIGURATION, "that no change of the configuration calls for"
        by_event = self._facts.features >> F_EVENT_IDX & 1
        return _BY_EVENT if by_event else _BY_FLAGS, "without a cause that asks for one"

    def _owed_elsewhere(self, vectors: list[int]) -> bool:
        """Whether a world owes a message of another vector, which an event is mapped to."""
        return any(self._owes(world, vectors) for world in self._worlds.close())

    def _owes(self, world: World, but: list[int]) -> bool:
        state = self._worlds.state(world)
        mapped = {*state.vectors, state.config_vector} - {NO_VECTOR, *but}
        return any(world.pending >> vector & 1 and state.sends(vector) for vector in mapped)
