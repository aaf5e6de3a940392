"""One virtqueue of the function: looks at the available ring, takes chains, and has them served."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tb.models.virtqueue import ChainError, RingLayout
from tb.selfplay.clock import Signal, Steps, Task
from tb.selfplay.player.chain import Service
from tb.selfplay.player.core import Core
from tb.selfplay.player.used import Done, Publisher

_LINE = 64
_IGNORE_NS = 2_000_000
_MOST_TOGETHER = 8


class PlayedQueue:
    """A queue with an address, until it is reset.

    Free-running 16-bit indices: `known` the furthest available index read, `taken` the slots asked for.
    """

    def __init__(self, core: Core, number: int, layout: RingLayout) -> None:
        self.core = core
        self.number = number
        self.layout = layout
        self.known = self.taken = 0
        self.event = 0
        self.stopped = False
        self.in_flight = 0
        self._begun = 0
        self.asked = False
        self._kick = Signal()
        self._room = Signal()
        self._tasks: list[tuple[Task, Service | None]] = []
        self._givers: list[Task] = []
        self._looks: list[Task] = []
        self.used = Publisher(self)
        self.spawn(self._work())

    def spawn(self, steps: Steps[Any], service: Service | None = None) -> None:
        """Run something that ends with the queue."""
        if len(self._tasks) > 64:
            self._tasks = [entry for entry in self._tasks if entry[0].alive]
        self._tasks.append((self.core.clock.spawn(steps), service))

    def spawn_giver(self, steps: Steps[Any]) -> None:
        """Run what gives chains back, which a queue that must stop may still do."""
        self._givers.append(self.core.clock.spawn(steps))

    def spawn_look(self, steps: Steps[Any]) -> None:
        """Run what decides on an interrupt for chains that were given back."""
        if len(self._looks) > 16:
            self._looks = [task for task in self._looks if task.alive]
        self._looks.append(self.core.clock.spawn(steps))

    def kick(self) -> None:
        """The guest has notified the queue, or something has shown that there may be more."""
        self.asked = True
        self.core.clock.fire(self._kick)

    @property
    def busy(self) -> bool:
        """Whether a chain is in work."""
        return self.in_flight > 0 and not self.stopped

    # --- the end

    def end(self) -> None:
        """A reset: nothing more happens."""
        self.stopped = True
        for task, service in self._tasks:
            task.alive = False
            if service is not None:
                service.forget_job()
        for giver in self._givers + self._looks:
            giver.alive = False

    def stop(self, error: ChainError | None, cause: Service | None = None) -> None:
        """Something malformed (None: a read failed) in the chain that is the `cause`:
        the queue stands still.
        """
        if self.stopped:
            return
        self.stopped = True
        finishes = self.core.settings.takes("finishes_when_stopped")
        last = (
            cause.turn
            if cause is not None and not self.core.settings.takes("finishes_behind")
            else self._begun
        )
        finishes = self.used.keep(last) if finishes else False
        for task, service in self._tasks:
            if not (finishes and service is not None and service.writing and service.turn < last):
                task.alive = False
                if service is not None:
                    service.forget_job()
        if not finishes:
            silent = self.core.settings.takes("silent_when_stopped")
            for giver in self._givers + (self._looks if silent else []):
                giver.alive = False
        if self.core.profile.broken == "device":
            self.core.on_broken()

    def halt(self) -> None:
        """Another queue has stopped the device."""
        if not self.stopped:
            looks, self._looks = self._looks, []
            self.end()
            self._looks = looks

    # --- the available ring

    def _work(self) -> Steps[None]:
        liar = self.core.liar
        while True:
            while not self.asked:
                self._kick = Signal()
                yield self._kick
            self.asked = False
            if liar.lies("kick_ignored"):
                continue
            if liar.lies("kick_late") or liar.lies("queue_starved"):
                yield _IGNORE_NS
            yield self.core.settings.wait()
            yield from self._drain()

    def _drain(self) -> Steps[None]:
        """Take chains until none is left and the guest was asked to say so when there are more."""
        while True:
            if not (yield from self._look()):
                return
            if self.taken != self.known:
                yield from self.used.no_kicks()
                if self.core.liar.lies("taken_never"):
                    yield Signal()
                yield from self._take_all()
            elif not (yield from self._rest()):
                return

    def _look(self) -> Steps[bool]:
        """Read the available index; False when the queue must stop."""
        core, start = self.core, self.layout.available
        if core.liar.lies("index_half_read"):
            yield from core.port.read(start + 2, 1)
        slots = range(0)
        if core.settings.takes("index_with_slots"):
            count = min(_LINE - start % _LINE, 4 + 2 * self.layout.size)
            slots = range(self.taken, self.taken + (count - 4) // 2)
            raw = yield from self._from_index(count)
        elif core.settings.takes("index_with_flags"):
            raw = yield from self._from_index(4)
        else:
            raw = yield from core.port.read(start + 2, 2, whole=True)
            raw = None if raw is None else bytes(2) + raw
        if raw is None:
            self.stop(None)
            return False
        self.learn(int.from_bytes(raw[2:4], "little"))
        if not self.stopped and slots:
            self._take_shown(raw)
        return not self.stopped

    def _from_index(self, count: int) -> Steps[bytes | None]:
        """The first bytes of the ring.

        Where answers overtake each other the flags are left out:
        the decision on an interrupt would rest on two
        reads of them, of which the judge knows the first.
        """
        port, start = self.core.port, self.layout.available
        if not any(map(self.core.settings.has, ("answers_overtake", "dma_faults"))):
            return (yield from port.read(start, count, whole=True))
        raw = yield from port.read(start + 2, count - 2, whole=True)
        return None if raw is None else bytes(2) + raw

    def learn(self, index: int) -> None:
        """The available index was read."""
        ahead = (index - self.taken) & 0xFFFF
        if ahead > self.layout.size:
            if ahead < 0x8000:
                self.stop(ChainError("VRING-AV-04", "the available index jumped"))
            return
        if ahead > (self.known - self.taken) & 0xFFFF:
            self.known = index

    def _take_shown(self, raw: bytes) -> None:
        """The slots that one read has brought together with the index."""
        while self.taken != self.known and self.in_flight < self.core.settings.depth:
            place = 4 + 2 * (self.taken % self.layout.size)
            if place + 2 > len(raw):
                return
            self.taken = (self.taken + 1) & 0xFFFF
            self._begin(int.from_bytes(raw[place : place + 2], "little"))

    def _rest(self) -> Steps[bool]:
        """Nothing waits: ask for a kick; True when the index must be read again."""
        core = self.core
        if core.event_idx and self.event != self.taken and not core.liar.keeps_lying("event_missing"):
            yield from self.ask_for_kick()
            return not core.liar.keeps_lying("no_second_look")
        if not core.event_idx and core.liar.lies("event_not_asked"):
            yield from core.port.write(self.layout.avail_event, self.taken.to_bytes(2, "little"), whole=True)
        if (yield from self.used.kicks()):
            return True
        return core.settings.takes("looks_again") and core.settings.rng.random() < 0.3

    def ask_for_kick(self) -> Steps[None]:
        """Write avail_event."""
        value = self.taken
        if self.core.liar.lies("event_wrong"):
            value += 1
        self.event = self.taken
        yield from self.core.port.write(
            self.layout.avail_event, (value & 0xFFFF).to_bytes(2, "little"), whole=True
        )

    def _take_all(self) -> Steps[None]:
        settings = self.core.settings
        while self.taken != self.known:
            while self.in_flight >= settings.depth:
                self._room = Signal()
                yield self._room
            heads = yield from self._slots()
            if heads is None:
                self.stop(None)
                return
            for head in heads:
                self._begin(head)
            if self.core.event_idx and self.core.profile.avail_event == "per_chain":
                yield from self.ask_for_kick()
            yield settings.wait()

    def _slots(self) -> Steps[list[int] | None]:
        """The heads in the next slots; None when the read failed."""
        settings, layout, liar = self.core.settings, self.layout, self.core.liar
        exposed = (self.known - self.taken) & 0xFFFF
        most = min(
            exposed, layout.size - self.taken % layout.size, settings.depth - self.in_flight, _MOST_TOGETHER
        )
        count = settings.rng.randint(1, most) if most > 1 and settings.takes("slots_together") else 1
        address = layout.available_slot(self.taken)
        if exposed < layout.size and liar.lies("slot_early"):
            address = layout.available_slot(self.known)
        elif exposed > 1 and liar.lies("slot_skipped"):
            self.taken += 1
            address = layout.available_slot(self.taken)
        self.taken = (self.taken + count) & 0xFFFF
        if settings.takes("available_line"):
            return (yield from self._line(address, count))
        raw = yield from self.core.port.read(address, 2 * count, whole=True)
        return None if raw is None else _words(raw)

    def _line(self, address: int, count: int) -> Steps[list[int] | None]:
        """The slots out of the whole lines that they lie in, as far as those are slots."""
        layout = self.layout
        first = max(address & -_LINE, layout.available + 4)
        end = min(-(-(address + 2 * count) // _LINE) * _LINE, layout.used_event)
        raw = yield from self.core.port.read(first, end - first, whole=True)
        return None if raw is None else _words(raw[address - first : address - first + 2 * count])

    def _begin(self, head: int) -> None:
        self.in_flight += 1
        service = Service(self, head, self._begun)
        self._begun += 1
        self.spawn(self._served(service), service)

    def _served(self, service: Service) -> Generator[Any, Any, None]:
        yield from service.run()

    def given_back(self, count: int) -> None:
        """So many chains are used: there is room for others."""
        self.in_flight -= count
        self.core.clock.fire(self._room)

    # --- what chains tell

    def finished_with(self, service: Service, length: int) -> None:
        """A chain is served."""
        self.used.add(Done(service.head, length, service.turn))

    def is_used(self, service: Service) -> bool:
        """Whether a chain was given back already."""
        return self.used.last_turn == service.turn


def _words(raw: bytes) -> list[int]:
    return [int.from_bytes(raw[place : place + 2], "little") for place in range(0, len(raw), 2)]
