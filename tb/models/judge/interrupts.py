"""Judges messages and INTx: each has a cause, each cause leads to one, none masked, none too early."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tb.models.judge.record import Record
from tb.models.judge.snapshots import Entry, Snapshot
from tb.models.judge.worlds import World, Worlds
from tb.models.profile import Profile
from tb.pcie.tlp import MessageCode, Tlp

# A cause takes effect inside the function within this time; nothing outside can hold it up.
CAUSE_LATENCY_NS = 5_000
# An interrupt that must leave does so before this many other packets have, or, when none are sent, this time
# has passed and a completion has left: completions do not pass posted packets, but a standing channel is no
# fault.
OVERDUE_PACKETS = 8
OVERDUE_NS = 50_000
_NEVER = 1 << 62


class Interrupts:
    """The interrupt side of the function as seen from the bus.

    `undecided` tells whether a queue has published used elements whose interrupt the function has no business
    to decide yet; it only chooses the words of a verdict.
    """

    def __init__(
        self, record: Record, profile: Profile, first: Snapshot, queues: int, undecided: Callable[[], bool]
    ) -> None:
        self._record = record
        self._profile = profile
        self._undecided = undecided
        self.worlds = Worlds(profile, first, queues + 1)
        self._config_source = queues
        self._times: list[deque[int]] = [deque() for _ in range(queues + 1)]
        self._line = False
        self._sent = 0
        self._changed_ns = self._changed_sent = 0
        self._owed_ns: int | None = None
        self._owed_sent = 0
        self._look_ns = _NEVER
        self._addresses: set[int] = set()
        self._collect_addresses()

    # --- causes and accesses

    def queue_cause(self, queue: int, generation: int, *, certain: bool) -> None:
        """The function has read that the guest wants (or may want) an interrupt for `queue`."""
        self._cause(queue, generation, certain=certain)

    def config_cause(self, generation: int) -> None:
        """The device configuration has changed (VPCI-STAT-24)."""
        self._cause(self._config_source, generation, certain=True)

    def _cause(self, source: int, generation: int, *, certain: bool) -> None:
        self._age()
        self._flush()
        self.worlds.cause(source, generation, certain=certain)
        self._times[source].append(self._record.time_ns + CAUSE_LATENCY_NS)
        self._touch()

    def write(self, order: int, before: Snapshot, after: Snapshot) -> None:
        """A register write that leads from `before` to `after` was accepted."""
        if after.generation != before.generation:
            self.completion_sent()  # a reset forgives only what is not overdue
        self._step(order, after, _write_change(self._profile, before, after))
        if before.entries is not after.entries:
            self._collect_addresses()

    def read_isr(self, order: int, key: int) -> None:
        """A read of the ISR was accepted: it returns and clears it, and drops the level (VPCI-INT-02).

        `key` is what `check_read` will name the value by.
        """

        def change(world: World) -> tuple[World, ...]:
            return (world._replace(isr=0, level=0, read=(*world.read, (key, world.isr))),)

        self._step(order, self.worlds.latest, change)

    def read_level(self, order: int, key: int) -> None:
        """A read of the Interrupt Status bit was accepted (PCI-CFG-13)."""
        self._observe(order, key, lambda world: world.level)

    def read_pending(self, order: int, key: int, shift: int, mask: int) -> None:
        """A read of the pending bits from vector `shift` on, as far as `mask` has ones, was accepted."""
        self._observe(order, key, lambda world: world.pending >> shift & mask)

    def _observe(self, order: int, key: int, value: Callable[[World], int]) -> None:
        def change(world: World) -> tuple[World, ...]:
            return (world._replace(read=(*world.read, (key, value(world)))),)

        self._age()
        self.worlds.step(order, self.worlds.latest, change)

    def _step(self, order: int, after: Snapshot, change: Callable[[World], tuple[World, ...]]) -> None:
        self._age()
        self.worlds.step(order, after, change)
        self._touch()

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        if not self.worlds.unsettled:
            return
        self._age()
        self.worlds.settle(order)
        self._touch()
        self._collect_addresses()

    def check_read(self, key: int, seen: int) -> set[int] | None:
        """Hold `seen` against what the read may return: None when it fits, else the values that would."""
        possible = self.worlds.values_read(key)
        self.worlds.observe_read(key, seen)
        return None if seen in possible else possible

    # --- messages

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
        self._age()
        self._flush()
        data = int.from_bytes(tlp.data, "little")

        def known(state: Snapshot, vector: int) -> bool:
            entry = state.entries[vector]
            return entry.address == tlp.address and entry.data == data

        vectors = self._vectors(lambda entry: entry.address == tlp.address and entry.data == data)
        if not vectors:
            self._wrong_data(tlp.address, data)
            return
        exact = self._take(vectors, lambda state, vector: state.sends(vector) and known(state, vector))
        if not exact:
            self._accuse(vectors)
        self._touch()

    def _vectors(self, fits: Callable[[Entry], bool]) -> list[int]:
        """Vectors whose entry fits in a state that the function may be in."""
        found: list[int] = []
        for state in self.worlds.states:
            for vector, entry in enumerate(state.entries):
                if fits(entry) and vector not in found:
                    found.append(vector)
        return found

    def _wrong_data(self, address: int, data: int) -> None:
        """The message goes to an entry's address with data it never had; it counts as that entry's."""
        vectors = self._vectors(lambda entry: entry.address == address)
        entries = self.worlds.latest.entries
        self._record.verdict(
            "PCI-MSIX-16",
            f"The message to {address:#x} does not carry the data of vector {_names(vectors)}.",
            ", ".join(f"{entries[v].data:#010x}" for v in vectors),
            f"{data:#010x}",
        )
        self._take(vectors, lambda _state, _vector: True)
        self._touch()

    def _take(self, vectors: list[int], allowed: Callable[[Snapshot, int], bool]) -> bool:
        """Remove the worlds that do not explain a message of one of `vectors`; False when none does."""
        worlds = self.worlds
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
            rule, why = self._uncalled()
        self._record.verdict(
            rule, f"The function sent the message of vector {names} {why}.", "no message", "one"
        )

    def _forbidden(self, vectors: list[int]) -> tuple[str, str]:
        """What keeps each of `vectors` from being sent in every state possible."""
        states = self.worlds.states
        for rule, why, allows in _GATES:
            if not any(allows(state, vector) for state in states for vector in vectors):
                return rule, why
        return "PCI-MSIX-16", "with an address and data that it had at no one time while it might send"

    def _uncalled(self) -> tuple[str, str]:
        if self._undecided():
            return "VPCI-INT-16", (
                "before it had published the used index and read whether the guest wants an interrupt"
            )
        return "VRING-INT-01", "without a cause that asks for one"

    # --- INTx

    def intx(self, tlp: Tlp) -> None:
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
        if asserted == self._line:
            record.verdict("PCI-INT-01", f"The function sent {verb} twice in a row.")
            return
        self._age()
        self._flush()
        if not self.worlds.keep(lambda world: bool(world.shown) and world.line == asserted):
            self._accuse_line(asserted)
        self._line = asserted
        self.worlds.replace({world._replace(line=int(asserted), shown=0) for world in self.worlds.set})
        self._touch()

    def _accuse_line(self, asserted: bool) -> None:
        states = self.worlds.states
        if not asserted:
            self._record.verdict(
                "PCI-INT-01", "The function sent Deassert_INTA while the interrupt cause stands.", "asserted"
            )
        elif all(state.msix_enable for state in states):
            self._record.verdict("PCI-INT-02", "The function asserted INTx while MSI-X is enabled.")
        elif all(state.intx_disable for state in states):
            self._record.verdict("PCI-CFG-12", "The function asserted INTx while Interrupt Disable is set.")
        else:
            rule, why = self._uncalled()
            self._record.verdict(rule, f"The function asserted INTx {why}.", "no interrupt", "Assert_INTA")

    # --- what is owed

    def _touch(self) -> None:
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
        self._age()
        worlds = self.worlds.close()
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

    def _age(self) -> None:
        """Causes that have waited long enough have taken effect."""
        now = self._record.time_ns
        for source, times in enumerate(self._times):
            if times and times[0] <= now:
                while times and times[0] <= now:
                    self._changed_ns = max(self._changed_ns, times.popleft())
                self._changed_sent = self._sent
                self.worlds.all_fired(source, len(times))

    def _flush(self) -> None:
        """When nothing has changed for long, an interrupt that was free to leave has left."""
        long_ago = self._record.time_ns - self._changed_ns > CAUSE_LATENCY_NS
        if long_ago and self._sent - self._changed_sent > OVERDUE_PACKETS:
            self._settle_debts()

    def _settle_debts(self) -> None:
        worlds = self.worlds
        self._owed_ns = None
        if worlds.keep(lambda world: not self._owes(world)):
            return
        self._accuse_debt(next(iter(worlds.set)))
        worlds.replace({self._paid(world) for world in worlds.set})

    def _accuse_debt(self, world: World) -> None:
        owed = self._owed_vectors(world)
        if owed:
            what = f"The message of vector {_names(owed)} never came, though it is owed and not masked."
            self._record.verdict("VRING-INT-01", what, "one message", "none")
            return
        asserts = world.line if world.shown else self.worlds.wanted(world)
        expected = "Assert_INTA" if asserts else "Deassert_INTA"
        rule = "VPCI-INT-17" if asserts else "PCI-INT-01"
        self._record.verdict(rule, "The INTx message that follows the cause never came.", expected, "none")

    def _owed_vectors(self, world: World) -> list[int]:
        state = self.worlds.state(world)
        return [v for v in range(len(state.entries)) if world.pending >> v & 1 and state.sends(v)]

    def _owes(self, world: World) -> bool:
        if world.shown or world.line != self.worlds.wanted(world):
            return True
        return bool(world.pending and self._owed_vectors(world))

    def _paid(self, world: World) -> World:
        for vector in self._owed_vectors(world):
            world = world._replace(pending=world.pending & ~(1 << vector), again=0)
        self._line = bool(self.worlds.wanted(world))
        return world._replace(line=int(self._line), shown=0)

    def end_of_test(self) -> None:
        """Nothing may be owed any more."""
        for source, times in enumerate(self._times):
            times.clear()
            self.worlds.all_fired(source, 0)
        self._settle_debts()

    def _collect_addresses(self) -> None:
        """The message addresses of every state possible; 0 counts only for an entry that is not masked."""
        self._addresses = {
            entry.address
            for state in self.worlds.states
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


def _names(vectors: list[int]) -> str:
    return " or ".join(map(str, vectors))


def _sent(world: World, vector: int) -> World:
    """The world after a message of `vector`."""
    bit = 1 << vector
    if world.again & bit:
        return world._replace(again=world.again & ~bit)
    return world._replace(pending=world.pending & ~bit)


def _write_change(
    profile: Profile, before: Snapshot, after: Snapshot
) -> Callable[[World], tuple[World, ...]]:
    """What a register write does to the interrupt state."""
    if after.generation != before.generation:
        return _reset
    if after.msix_enable and not before.msix_enable:
        return _drop_level
    if before.msix_enable and not after.msix_enable and profile.msix_disable_raises_intx:
        return _raise_level
    moved = _vectors_left(before, after)
    if moved and profile.vector_release_clears_pending:
        return lambda world: _forget_or_keep(world, moved)
    return _unchanged


def _reset(world: World) -> tuple[World, ...]:
    """VPCI-STAT-06, VPCI-STAT-08: ISR, line and pending bits are cleared, causes forgotten."""
    return (world._replace(isr=0, level=0, pending=0, again=0, unfired=(0,) * len(world.unfired)),)


def _drop_level(world: World) -> tuple[World, ...]:
    """PCI-INT-03: enabling MSI-X drops the INTx level."""
    return (world._replace(level=0),)


def _raise_level(world: World) -> tuple[World, ...]:
    """PCI-INT-04, where the profile says so."""
    return (world._replace(level=1 if world.isr else 0),)


def _unchanged(world: World) -> tuple[World, ...]:
    return (world,)


def _vectors_left(before: Snapshot, after: Snapshot) -> int:
    """Bits of the vectors that a vector register no longer names."""
    old = (*before.vectors, before.config_vector)
    new = (*after.vectors, after.config_vector)
    left = {vector for vector, other in zip(old, new, strict=True) if vector != other}
    return sum(1 << vector for vector in left if vector < len(before.entries))


def _forget_or_keep(world: World, vectors: int) -> tuple[World, ...]:
    """VPCI-INT-18: what is pending stays with the old vector or is dropped."""
    if not world.pending & vectors:
        return (world,)
    return world, world._replace(pending=world.pending & ~vectors, again=world.again & ~vectors)
