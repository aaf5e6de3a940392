"""The used ring of one queue: elements, the index, what the guest thinks of interrupts,
kicks wanted or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple, Protocol

from tb.models.virtqueue import ChainError, RingLayout, needs_interrupt
from tb.selfplay.clock import Signal, Steps
from tb.selfplay.player.core import Core

_ELEMENT = Struct("<II")


class Done(NamedTuple):
    """A chain that is served: its head, its used length, its turn among the chains of the queue."""

    head: int
    length: int
    turn: int


class RingOwner(Protocol):
    """The queue of a used ring, as far as the ring has to do with it."""

    core: Core
    number: int
    layout: RingLayout
    known: int
    taken: int

    def spawn_giver(self, steps: Steps[Any]) -> None: ...

    def spawn_look(self, steps: Steps[Any]) -> None: ...

    def given_back(self, count: int) -> None: ...

    def learn(self, index: int) -> None: ...

    def kick(self) -> None: ...

    def stop(self, error: ChainError | None) -> None: ...


class Publisher:
    """Gives back what is served. `published` is the used index the guest has been shown."""

    def __init__(self, queue: RingOwner) -> None:
        self._queue = queue
        self._core = queue.core
        self._finished: deque[Done] = deque()
        self._arrived = Signal()
        forced = self._core.profile.first_decision == "interrupts"
        self._checked: int | None = None if forced else 0
        self._batch: list[Done] = []
        self._no_kicks = False
        self._looking = self._look_again = False
        self._answered_for = 0
        self._spare = True
        self.published = 0
        self.publishes = 0
        self.last_head = self.last_turn = -1
        queue.spawn_giver(self._work())

    def add(self, done: Done) -> None:
        """A chain is served: its element may be written."""
        self._finished.append(done)
        self._core.clock.fire(self._arrived)

    def keep(self, before: int) -> bool:
        """The queue stops: only chains of a turn `before` may still be given back;
        False when one is not kept.
        """
        self._finished = deque(done for done in self._finished if done.turn < before)
        return all(done.turn < before for done in self._batch)

    def _work(self) -> Steps[None]:
        while True:
            while not self._finished:
                self._arrived = Signal()
                yield self._arrived
            yield self._core.settings.wait()
            yield from self._publish()

    def _publish(self) -> Steps[None]:
        settings, liar, queue = self._core.settings, self._core.liar, self._queue
        count = settings.rng.randint(1, len(self._finished)) if settings.takes("used_together") else 1
        batch = self._batch = [self._finished.popleft() for _ in range(count)]
        self.last_head = batch[-1].head
        late = liar.lies("element_late")
        if not late:
            yield from self._elements(batch)
        self._core.interrupts.ahead(queue.number)
        yield settings.wait()
        if liar.lies("index_never"):
            return
        yield from self._index(count)
        self._batch = []
        self.last_turn = batch[-1].turn
        queue.given_back(count)
        if late:
            yield from self._elements(batch)
        if liar.lies("used_twice"):
            yield from self._elements(batch[:1])
        if settings.takes("used_index_read"):
            yield from self._core.port.read(queue.layout.used_index, 2, whole=True)
        if settings.takes("flush_read"):
            yield from self._core.port.flush(queue.layout.used_index)
        if liar.keeps_lying("suppression_not_read"):
            return
        if not (self._finished and settings.takes("one_look")):
            self._ask_to_look()

    def _elements(self, batch: list[Done]) -> Steps[None]:
        settings, layout, liar = self._core.settings, self._queue.layout, self._core.liar
        told = [self._told(done.head, done.length) for done in batch]
        places = list(range(len(told)))
        if len(told) > 1 and settings.takes("elements_any_order"):
            settings.rng.shuffle(places)
        elif len(told) > 1 and settings.takes("elements_joined"):
            yield from self._joined(told)
            return
        for place in places:
            address = layout.used_element(self.published + place + liar.lies("element_slot"))
            yield from self._core.port.write(address, _ELEMENT.pack(*told[place]))
            yield settings.wait()

    def _told(self, head: int, length: int) -> tuple[int, int]:
        liar, size = self._core.liar, self._queue.layout.size
        if liar.lies("used_head"):
            return (head + 1) % size, length
        if liar.lies("used_head_past"):
            return head + size, length
        return head, length

    def _joined(self, told: list[tuple[int, int]]) -> Steps[None]:
        """Neighbours in one packet, cut where the ring begins anew."""
        layout = self._queue.layout
        room = layout.size - self.published % layout.size
        runs = ((self.published, told[:room]), (self.published + room, told[room:]))
        for start, run in runs:
            if run:
                data = b"".join(_ELEMENT.pack(*element) for element in run)
                yield from self._core.port.write(layout.used_element(start), data)

    def _index(self, count: int) -> Steps[None]:
        liar, layout, port = self._core.liar, self._queue.layout, self._core.port
        index = (self.published + count) & 0xFFFF
        value = index + 1 if liar.lies("index_skips") else index
        data = (value & 0xFFFF).to_bytes(2, "little")
        sent = self._sent(index)
        if liar.lies("index_half"):
            yield from port.write(layout.used_index, data[:1], whole=True)
        if self.published % layout.size == 0 and liar.lies("index_joined"):
            yield from port.write(
                layout.used_index, data + _ELEMENT.pack(self.last_head, 0), whole=True, sent=sent
            )
            return
        yield from port.write(layout.used_index, data, whole=True, sent=sent)
        if liar.lies("index_again"):
            yield from port.write(layout.used_index, data, whole=True)
        yield from self._strays()

    def _sent(self, index: int) -> Callable[[], None]:
        def now() -> None:
            self.published = index
            self.publishes += 1

        return now

    def _strays(self) -> Steps[None]:
        """Lies about what lies around."""
        liar, layout, port = self._core.liar, self._queue.layout, self._core.port
        if liar.lies("flags_wrong"):
            yield from port.write(layout.used_flags, b"\x02\x00", whole=True)
        if liar.lies("writes_descriptor"):
            yield from port.write(layout.descriptors, b"\x55")
        if liar.lies("writes_available"):
            yield from port.write(layout.available_slot(0), b"\x55\x00")
        if liar.lies("writes_beyond"):
            yield from port.write(layout.end, b"\x55\x00")

    # --- does the guest want an interrupt?

    def _ask_to_look(self) -> None:
        """Look once now, or once more after the look under way."""
        if self._core.settings.takes("looks_overlap"):
            self._queue.spawn_look(self._look())
        elif self._looking:
            self._look_again = True
        else:
            self._looking = True
            self._queue.spawn_look(self._looks())

    def _looks(self) -> Steps[None]:
        yield from self._look()
        while self._look_again:
            self._look_again = False
            yield from self._look()
        self._looking = False

    def _look(self) -> Steps[None]:
        """Read what suppresses interrupts, after the index was written, and decide."""
        core, layout, queue = self._core, self._queue.layout, self._queue
        features = core.model.registers.features
        flags = event = 0
        drained = False
        asked: list[tuple[int, int]] = []
        if core.notify_on_empty or not core.event_idx:
            with_index = core.notify_on_empty or core.settings.takes("index_with_flags")
            count = 4 if with_index else 2
            raw = yield from core.port.read(
                layout.available,
                count,
                whole=True,
                sent=lambda: asked.append((self.publishes, self.published)),
            )
            if raw is None:
                queue.stop(None)
                return
            flags = int.from_bytes(raw[:2], "little")
            if with_index:
                drained = self._learnt(int.from_bytes(raw[2:], "little"), asked[-1][0])
        if core.event_idx:
            raw = yield from core.port.read(
                layout.used_event, 2, whole=True, sent=lambda: asked.append((self.publishes, self.published))
            )
            if raw is None:
                queue.stop(None)
                return
            event = int.from_bytes(raw, "little")
        (publishes, new), old = asked[-1], self._checked
        drained = drained and queue.known == new
        self._checked = new
        wanted = needs_interrupt(features, flags=flags, used_event=event, new=new, old=old, drained=drained)
        if wanted and self._answered_for == publishes:
            return  # it was told for these already
        if wanted:
            self._answered_for = publishes
            self._spare = True
        elif self._spare and core.settings.takes("spurious_message"):
            self._spare = not core.interrupts.message_now(queue.number)
        if wanted or (core.interrupts.quiet(queue.number) and core.liar.lies("message_unwanted")):
            core.interrupts.queue_cause(queue.number)

    def _learnt(self, index: int, publishes: int) -> bool:
        """The available index came along, asked for after so many used indices: whether all of it is used."""
        queue = self._queue
        queue.learn(index)
        if queue.known != queue.taken:
            queue.kick()
        return index == self.published and publishes == self.publishes

    # --- kicks

    def no_kicks(self) -> Steps[None]:
        """Ask for no kicks while the ring is drained, where the profile does that."""
        if self._core.profile.used_flags == "toggles" and not self._core.event_idx and not self._no_kicks:
            self._no_kicks = True
            yield from self._core.port.write(self._queue.layout.used_flags, b"\x01\x00", whole=True)

    def kicks(self) -> Steps[bool]:
        """Ask for kicks again; True when that was written, so that one more look is due."""
        if not self._no_kicks:
            return False
        self._no_kicks = False
        yield from self._core.port.write(self._queue.layout.used_flags, b"\x00\x00", whole=True)
        return True
