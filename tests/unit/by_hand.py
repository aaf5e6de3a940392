"""A function of another make, worked step by step: its traces do what the fake function never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tb.models.devices.base import Effects
from tb.models.msix import Message
from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import Chain, walk_chain
from tb.pcie.tlp import Channel, CompletionStatus, Tlp, completion_for, memory_read
from tests.unit.fake_function import FUNCTION_ID, HOST_ID, Fact, FakeFunction, _Ring, _scatter

Steps = Callable[["ByHand"], None]


@dataclass(slots=True, frozen=True)
class Taken:
    """A chain, and what the function owes for it."""

    head: int
    chain: Chain
    effects: Effects

    def pieces(self) -> list[tuple[int, bytes]]:
        """(address, bytes) of the answer, in the order of its parts."""
        return [
            piece
            for offset, data in self.effects.writes
            for piece in _scatter(self.chain.writable, offset, data)
        ]


class ByHand(FakeFunction):
    """Does nothing by itself: each verb is one step of a function on queue 0."""

    def __init__(self, *, queue_size: int = 8) -> None:
        super().__init__(queue_size=queue_size)
        self.hold = True

    @property
    def ring(self) -> _Ring:
        return self.rings[0]

    # --- the steps of any function

    def look(self) -> int:
        """Read the available index."""
        return int.from_bytes(self.dma_read(self.layout.available_index, 2), "little")

    def slot(self, index: int) -> int:
        """Read one available slot; its head."""
        self.ring.available = max(self.ring.available, index + 1)
        return int.from_bytes(self.dma_read(self.layout.available_slot(index), 2), "little")

    def take(self, head: int) -> Taken:
        """Walk a chain, descriptor by descriptor, and serve it up to its answer."""
        chain = self._walk(self.layout, head)
        return Taken(head, chain, self._effects(0, chain))

    def taken_of(self, head: int, chain: Chain, *, gathered: bool = False) -> Taken:
        """Serve a walked chain; with `gathered` its readable bytes were read before."""
        mark = len(self.facts)
        effects = self._effects(0, chain)
        if gathered:
            self.facts[mark:] = [fact for fact in self.facts[mark:] if fact.media is not None]
        return Taken(head, chain, effects)

    def take_from(self, table: bytes, head: int) -> Taken:
        """Walk a chain in a copy of the table's first descriptors and serve it."""
        walk = walk_chain(self.layout, head, VIRTIO_PCI_RTL, indirect_negotiated=True)
        fetch = next(walk)
        try:
            while True:
                place = fetch.address - self.layout.descriptors
                fetch = walk.send(table[place : place + fetch.length])
        except StopIteration as stop:
            return self.taken_of(head, stop.value)

    def fill(self, taken: Taken) -> None:
        """Write the answer."""
        for address, data in taken.pieces():
            self.dma_write(address, data)

    def element(self, taken: Taken, slot: int | None = None) -> None:
        """Write the used element, to the next slot or another."""
        place = self.layout.used_element(self.ring.used if slot is None else slot)
        length = taken.effects.used_length.to_bytes(4, "little")
        self.dma_write(place, taken.head.to_bytes(4, "little") + length)

    def publish(self, count: int = 1) -> None:
        """Write the used index."""
        self.ring.used = self.ring.used + count & 0xFFFF
        self.dma_write(self.layout.used_index, self.ring.used.to_bytes(2, "little"))

    def decide(self) -> None:
        """Read what the guest wants, and interrupt."""
        self._decide(0, self.ring)

    def use(self, taken: Taken) -> None:
        """Element, index, decision."""
        self.element(taken)
        self.publish()
        self.decide()

    def next(self) -> Taken:
        """Look, read the slot, take the chain."""
        self.look()
        return self.take(self.slot(self.ring.available))

    def finish(self, taken: Taken) -> None:
        """Answer and use."""
        self.fill(taken)
        self.use(taken)

    # --- what none but other makes do

    def read_nothing(self, address: int) -> None:
        """A read of no byte, as one makes to push writes ahead of it."""
        self._dma_tag = (self._dma_tag + 1) % 8
        request = memory_read(address, 4, self._dma_tag, requester_id=FUNCTION_ID)
        request = replace(request, first_be=0)
        self.add(Channel.TX_REQ, request)
        answer = completion_for(request, bytes(4), completer_id=HOST_ID)
        self.add(Channel.RX_CPL, answer)

    def read_enabled(self, address: int, enables: int) -> None:
        """A read of one DW with these byte enables."""
        self._dma_tag = (self._dma_tag + 1) % 8
        request = memory_read(address & ~3, 4, self._dma_tag, requester_id=FUNCTION_ID)
        request = replace(request, first_be=enables)
        self.add(Channel.TX_REQ, request)
        data = bytes(self.memory[request.address : request.address + 4])
        self.add(Channel.RX_CPL, completion_for(request, data, completer_id=HOST_ID))

    def read_in_vain(self, address: int, count: int) -> None:
        """A read that the host answers as unsupported."""
        self._dma_tag = (self._dma_tag + 1) % 8
        request = memory_read(address, count, self._dma_tag, requester_id=FUNCTION_ID)
        self.add(Channel.TX_REQ, request)
        unsupported = CompletionStatus.UNSUPPORTED_REQUEST
        self.add(Channel.RX_CPL, completion_for(request, completer_id=HOST_ID, status=unsupported))

    def add_sent(self, tlp: Tlp) -> None:
        """A packet just so."""
        self.add(Channel.TX_REQ, tlp)

    def decide_in_silence(self) -> None:
        """Read what the guest wants, and hold the interrupt back."""
        self.dma_read(self.layout.available_flags, 4)

    def message(self) -> None:
        """The message that was held back."""
        message = self.model.queue_interrupt(0)
        assert message is not None
        self._send(message)

    def message_now(self) -> None:
        """A message of the queue's vector, whatever its mask says."""
        low, high, data, _ = self.model.msix.entry(1)
        self._send(Message(1, high << 32 | low, data))

    def line(self, *, up: bool) -> None:
        """Assert the line, with the ISR bit that belongs to it."""
        self.model.queue_interrupt(0)
        self._follow_line()
        assert self.intx == up

    def later(self, ns: int, count: int = 12) -> None:
        """Time passes in which the function does other things: it reads the index again and again."""
        for _ in range(count):
            self.wait(ns // count)
            self.look()


def played(
    steps: Steps, *, features: int = 0, requests: int = 1, kind: int = 0, msix: bool = True, size: int = 512
) -> list[Fact]:
    """The facts of a function that is given requests at heads 0, 3, .. and kicked, then works by `steps`.

    Request n is of sector n, its buffers from 0x18_0000 + n * 0x1_0000 on.
    """
    function = ByHand(queue_size=16)
    function.start(features=features, msix=msix)
    for number in range(requests):
        function.request(kind, number, size, head=3 * number, place=0x18_0000 + 0x1_0000 * number)
    function.kick()
    steps(function)
    return function.facts


def with_attributes(facts: list[Fact], attributes: int, holds: Callable[[Tlp], bool]) -> list[Fact]:
    """`facts` where the function's packets of which `holds` carry these attributes."""
    return list(_marked(facts, attributes, holds))


def _marked(facts: list[Fact], attributes: int, holds: Callable[[Tlp], bool]) -> Iterator[Fact]:
    for fact in facts:
        if fact.tlp is not None and fact.channel is Channel.TX_REQ and holds(fact.tlp):
            yield replace(fact, tlp=replace(fact.tlp, attributes=attributes))
        else:
            yield fact
