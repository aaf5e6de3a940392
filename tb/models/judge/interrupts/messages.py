"""Judges MSI-X messages: each has a cause, leaves once, with the address and data of its vector."""

from __future__ import annotations

from collections.abc import Callable

from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.debts import Debts, names_of
from tb.models.judge.interrupts.reasons import Reasons
from tb.models.judge.interrupts.spare import Spare
from tb.models.judge.interrupts.worlds import World, Worlds
from tb.models.judge.snapshots import Entry, Snapshot
from tb.pcie.tlp import Tlp


class Messages:
    """Tells messages from other writes by the addresses of the table, and judges them."""

    def __init__(
        self, facts: Facts, worlds: Worlds, debts: Debts, spare: Spare, reasons: Reasons
    ) -> None:
        self._facts = facts
        self._record = facts.record
        self._worlds = worlds
        self._debts = debts
        self._spare = spare
        self._reasons = reasons
        self._addresses: set[int] = set()
        self.collect_addresses()

    def is_message(self, tlp: Tlp) -> bool:
        """Whether a memory write looks like an MSI-X message: it goes to the address of a table entry."""
        return tlp.address in self._addresses and tlp.length == 1

    def message(self, tlp: Tlp) -> None:
        """Judge an MSI-X message."""
        record = self._record
        record.interrupts_scored += 1
        if tlp.first_be != 0xF:
            record.verdict(
                "PCI-MSIX-18", "An MSI-X message is not one whole DW.", "1111", f"{tlp.first_be:04b}"
            )
        if tlp.attributes and self._facts.profile.dma_attributes == "data":
            record.verdict("VPCI-INT-16", "An MSI-X message has relaxed ordering or no snoop.")
        self._debts.age()
        data = int.from_bytes(tlp.data, "little")

        def known(state: Snapshot, vector: int) -> bool:
            entry = state.entries[vector]
            return entry.address == tlp.address and entry.data == data

        vectors = self._vectors(lambda entry: entry.address == tlp.address and entry.data == data)
        if not vectors:
            self._wrong_data(tlp.address, data)
            return

        def take() -> bool:
            return self._take(vectors, lambda state, vector: state.sends(vector) and known(state, vector))

        if not take() and not self._spare.explains(vectors, take):
            self._accuse(vectors)
        self._reasons.sent(vectors)
        self._debts.touch()

    def _vectors(self, fits: Callable[[Entry], bool]) -> list[int]:
        """Vectors whose entry fits in a state that the function may be in."""
        found: list[int] = []
        for state in self._worlds.states:
            for vector, entry in enumerate(state.entries):
                if fits(entry) and vector not in found:
                    found.append(vector)
        return found

    def _wrong_data(self, address: int, data: int) -> None:
        """The message goes to an entry's address with data it never had; it counts as that entry's."""
        vectors = self._vectors(lambda entry: entry.address == address)
        entries = self._worlds.latest.entries
        self._record.verdict(
            "PCI-MSIX-16",
            f"The message to {address:#x} does not carry the data of vector {names_of(vectors)}.",
            ", ".join(f"{entries[v].data:#010x}" for v in vectors),
            f"{data:#010x}",
        )
        self._take(vectors, lambda _state, _vector: True)
        self._debts.touch()

    def _take(self, vectors: list[int], allowed: Callable[[Snapshot, int], bool]) -> bool:
        """Remove the worlds that do not explain a message of one of `vectors`; False when none does."""
        worlds = self._worlds
        kept: set[World] = set()
        for world in worlds.close():
            for vector in vectors:
                if world.pending >> vector & 1 and allowed(worlds.state(world), vector):
                    kept.add(_sent(world, vector))
        worlds.replace(kept)
        return bool(kept)

    def _accuse(self, vectors: list[int]) -> None:
        """Say why no world explains a message of `vectors`."""
        names = " or ".join(str(v) for v in vectors)
        had_cause = self._take(vectors, lambda _state, _vector: True)
        rule, why = self._forbidden(vectors) if had_cause else ("", "")
        if not rule:
            rule, why = self._reasons.uncalled(vectors)
        self._record.verdict(
            rule, f"The function sent the message of vector {names} {why}.", "no message", "one"
        )

    def _forbidden(self, vectors: list[int]) -> tuple[str, str]:
        """What keeps each of `vectors` from being sent in every state possible."""
        states = self._worlds.states
        for rule, why, allows in _GATES:
            if not any(allows(state, vector) for state in states for vector in vectors):
                return rule, why
        return "PCI-MSIX-16", "with an address and data that it had at no one time while it might send"

    def collect_addresses(self) -> None:
        """The message addresses of every state possible; 0 counts only for an entry that is not masked."""
        self._addresses = {
            entry.address
            for state in self._worlds.states
            for entry in state.entries
            if entry.address or not entry.masked
        }


_GATES: tuple[tuple[str, str, Callable[[Snapshot, int], bool]], ...] = (
    ("PCI-MSIX-10", "while MSI-X is disabled", lambda state, _vector: state.msix_enable),
    ("PCI-CFG-14", "while bus master is off", lambda state, _vector: state.bus_master),
    ("PCI-MSIX-07", "while the Function Mask is set", lambda state, _vector: not state.function_mask),
    (
        "PCI-MSIX-07",
        "while the vector is masked",
        lambda state, vector: vector < len(state.entries) and not state.entries[vector].masked,
    ),
)


def _sent(world: World, vector: int) -> World:
    """The world after a message of `vector`."""
    bit = 1 << vector
    if world.again & bit:
        return world._replace(again=world.again & ~bit)
    return world._replace(pending=world.pending & ~bit)
