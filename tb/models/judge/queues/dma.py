"""Leads every DMA packet to the queue it belongs to, and keeps the queues through reset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tb.models.events import DeviceReset, Event, Notify, QueueMoved, QueueStopped
from tb.models.judge.facts import Deliver, Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.queues.queue import JudgedQueue
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import RingLayout
from tb.pcie.tlp import Tlp, enabled_bytes, has_holes, requested_bytes

_WHOLE = 0xF
_NEVER = 1 << 62


class Dma:
    """The queues that are live, and those a reset has ended whose DMA may still appear (`retiring`)."""

    def __init__(self, facts: Facts, interrupts: Interrupts) -> None:
        self._facts = facts
        self._interrupts = interrupts
        self.live: dict[int, JudgedQueue] = {}
        self._retiring: list[tuple[int, list[JudgedQueue]]] = []
        self.generation = 0
        self._switched = _NEVER

    def all_queues(self) -> Iterator[JudgedQueue]:
        """Live queues, then those that a reset not completed yet has ended."""
        yield from self.live.values()
        for _, queues in self._retiring:
            yield from queues

    def states(self) -> Iterator[QueueState]:
        """What is known of each of them."""
        return (queue.state for queue in self.all_queues())

    # --- what the guest does

    def event(self, order: int, event: Event, features_before: int) -> None:
        """A register write numbered `order` caused `event`."""
        if isinstance(event, Notify):
            self._notify(event.queue)
        elif isinstance(event, QueueMoved):
            self._moved(event)
        elif isinstance(event, DeviceReset):
            self.reset(order, features_before)
        elif isinstance(event, QueueStopped):
            self._retire(order, [self.live.pop(event.queue)], features_before)

    def _notify(self, number: int) -> None:
        queue = self.live.get(number)
        if queue is None:
            return
        queue.kick()

    def _moved(self, event: QueueMoved) -> None:
        facts, number = self._facts, event.queue
        layout = RingLayout.of(event.pfn, facts.device.queue_sizes[number])
        if event.was and number in self.live:
            self.live[number].state.layout = layout
            return
        self.live[number] = JudgedQueue(facts, self._interrupts, number, layout, self.generation)
        self._tell()

    def _tell(self) -> None:
        """Put the queues on the board of facts."""
        self._facts.queues = list(self.all_queues())
        self._facts.resetting = bool(self._retiring)

    def reset(self, order: int, features_before: int) -> None:
        """The guest has asked for a reset: until it completes the old queues may still be served."""
        ended = list(self.live.values())
        self.live = {}
        self._retire(order, ended, features_before)
        self.generation += 1

    def _retire(self, order: int, queues: list[JudgedQueue], features: int) -> None:
        for queue in queues:
            queue.state.freeze(features)
            queue.state.retired = True
        if queues:
            self._retiring.append((order, queues))
        self._tell()

    def settle(self, order: int) -> None:
        """Every access up to `order` is completed: the resets among them are over (VPCI-STAT-04)."""
        if order >= self._switched:
            self._switched = _NEVER
            self._facts.moved()
        if self._retiring:
            self._retiring = [entry for entry in self._retiring if entry[0] > order]
            self._tell()

    def bus_master_switched(self, order: int) -> None:
        """The access numbered `order` switches bus master: the queues may go on from here, or must wait."""
        self._switched = order
        self._facts.moved()

    # --- time

    def look(self, own_ns: int) -> int:
        """Tell what is overdue of a function that stands still; when to look again."""
        facts = self._facts
        latency = facts.profile.dma_latency_ns
        again = own_ns + latency
        if own_ns < facts.moved_ns + latency:
            return facts.moved_ns + latency
        if not self.live or facts.answers_awaited or not facts.may_send:
            return again
        return min(queue.look(own_ns) for queue in self.live.values())

    # --- packets

    def read(self, tlp: Tlp) -> tuple[Deliver, QueueState | None]:
        """Judge a DMA read; what is to take its bytes, and whose it is."""
        if tlp.length < 3 and has_holes(tlp):
            return self._read_apart(tlp)
        return self._read(*requested_bytes(tlp))

    def _read_apart(self, tlp: Tlp) -> tuple[Deliver, QueueState | None]:
        """Judge a read of one or two DWs whose byte enables leave holes: each run of bytes for itself."""
        start, _ = requested_bytes(tlp)
        filled = replace(tlp, data=bytes(4 * tlp.length))
        runs = [(address, len(data)) for address, data in _runs(filled)]
        takers = [self._read(address, count) for address, count in runs]

        def deliver(data: bytes | None) -> None:
            for (address, count), (taker, _) in zip(runs, takers, strict=True):
                first = address - start
                taker(None if data is None else data[first : first + count])

        return deliver, takers[0][1]

    def _read(self, address: int, count: int) -> tuple[Deliver, QueueState | None]:
        refusal: tuple[str, str, str] | None = None
        for queue in self.all_queues():
            deliver = queue.read(address, count)
            if deliver is not None:
                return deliver, queue.state
            refusal = refusal or queue.refusal
        self._refused(refusal, "reads", address, count)
        return _nothing, None

    def write(self, tlp: Tlp) -> None:
        """Judge a DMA write."""
        for address, data in _runs(tlp):
            self._write_run(address, data)

    def _write_run(self, address: int, data: bytes) -> None:
        refusal: tuple[str, str, str] | None = None
        for queue in self.all_queues():
            if queue.write(address, data):
                return
            refusal = refusal or queue.refusal
        self._refused(refusal, "writes", address, len(data))

    def _refused(self, refusal: tuple[str, str, str] | None, verb: str, address: int, count: int) -> None:
        record = self._facts.record
        if refusal is not None:
            record.verdict(*refusal)
        elif not self.live and not self._retiring:
            what = f"The function {verb} memory at {address:#x} with no queue set up."
            record.verdict("VPCI-STAT-04", what, "no DMA", f"{count} bytes")
        else:
            rule = "BAD-DEV-09" if verb == "reads" else "BAD-DEV-08"
            what = (
                f"The function {verb} {count} bytes at {address:#x}, in no ring and no buffer it was given."
            )
            record.verdict(rule, what)

    def end_of_test(self) -> None:
        """Report what is still owed."""
        for queue in self.live.values():
            queue.end_of_test()


def _runs(tlp: Tlp) -> list[tuple[int, bytes]]:
    """(address, bytes) of each run of neighbouring enabled bytes of a write."""
    first, last = tlp.first_be, tlp.last_be
    data, address = tlp.data, tlp.address
    if tlp.length > 1 and first == _WHOLE and last == _WHOLE:
        return [(address, data)]
    lead, tail = _LEAD.get(first), _TAIL.get(last if tlp.length > 1 else 0)
    if tlp.length > 1 and lead is not None and tail is not None:
        return [(address + lead, data[lead : len(data) - tail])]
    runs: list[tuple[int, bytearray]] = []
    for place, byte in enabled_bytes(tlp):
        if runs and runs[-1][0] + len(runs[-1][1]) == place:
            runs[-1][1].append(byte)
        else:
            runs.append((place, bytearray((byte,))))
    return [(place, bytes(content)) for place, content in runs]


_LEAD = {0b1111: 0, 0b1110: 1, 0b1100: 2, 0b1000: 3}
_TAIL = {0b1111: 0, 0b0111: 1, 0b0011: 2, 0b0001: 3}


def _nothing(data: bytes | None) -> None:
    """Takes the bytes of a read that was no right one."""
