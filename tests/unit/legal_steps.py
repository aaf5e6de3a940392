"""What functions of another make do, right ones and those that look like them, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tb.pcie.tlp import Tlp, TlpType, memory_write
from tests.unit.by_hand import ByHand, played, with_attributes
from tests.unit.fake_function import FUNCTION_ID, RING, Fact

SIZE = 16
HEADER, DATA, STATUS = 0x18_0000, 0x18_1000, 0x18_0800
AVAILABLE, USED = RING + 16 * SIZE, RING + 0x1000
WRITE = TlpType.MEMORY_WRITE
Facts = list[Fact]

# --- attributes of packets


def plain(function: ByHand) -> None:
    function.finish(function.next())


def of_buffers(tlp: Tlp) -> bool:
    return HEADER <= tlp.address < HEADER + 0x1_0000


def of_used_ring(tlp: Tlp) -> bool:
    return USED <= tlp.address < USED + 0x1000


def is_message(tlp: Tlp) -> bool:
    return tlp.type is WRITE and tlp.address >> 20 == 0xFEE


def marked(attributes: int, holds: Callable[[Tlp], bool], kind: int = 0) -> Callable[[], Facts]:
    return lambda: with_attributes(played(plain, kind=kind), attributes, holds)


def forbidden_by_device_control() -> Facts:
    def steps(function: ByHand) -> None:
        function.config_write(0x58, 2, 0x2000)
        plain(function)

    return with_attributes(played(steps), 2, of_buffers)


# --- the answer


def status_first(function: ByHand) -> None:
    taken = function.next()
    for address, data in reversed(taken.pieces()):
        function.dma_write(address, data)
    function.use(taken)


def status_without_data(function: ByHand) -> None:
    taken = function.next()
    function.dma_write(*taken.pieces()[-1])
    function.use(taken)


def zeros_first(function: ByHand) -> None:
    taken = function.next()
    for address, data in taken.pieces():
        function.dma_write(address, bytes(len(data)))
    function.finish(taken)


def zeros_before_the_disk_is_asked(function: ByHand) -> None:
    function.look()
    function.slot(0)
    chain = function._walk(function.layout, 0)
    function.dma_write(DATA, bytes(512))
    function.dma_write(STATUS, b"\xff")
    function.finish(function.taken_of(0, chain))


def twice(function: ByHand) -> None:
    taken = function.next()
    function.fill(taken)
    function.finish(taken)


def zeros_last(function: ByHand) -> None:
    taken = function.next()
    function.fill(taken)
    function.dma_write(DATA + 256, bytes(16))
    function.use(taken)


def zeros_after_used(function: ByHand) -> None:
    taken = function.next()
    function.finish(taken)
    function.dma_write(DATA, bytes(16))


def one_byte_short(function: ByHand) -> None:
    taken = function.next()
    function.dma_write(DATA, taken.pieces()[0][1][:-1])
    function.dma_write(*taken.pieces()[-1])
    function.use(taken)


# --- the available ring


def whole_ring(function: ByHand) -> None:
    """Flags, index and all slots in one read, acted on."""
    raw = function.dma_read(AVAILABLE, 6 + 2 * SIZE)
    for number in range(int.from_bytes(raw[2:4], "little")):
        function.finish(function.take(int.from_bytes(raw[4 + 2 * number : 6 + 2 * number], "little")))


def slots_by_line(function: ByHand) -> None:
    """Index, then the line that holds the slots, those not exposed too."""
    function.look()
    raw = function.dma_read(AVAILABLE, 64)
    function.finish(function.take(int.from_bytes(raw[4:6], "little")))


def slots_backwards(function: ByHand) -> None:
    """The second slot is read before the first; the chains are used in order."""
    function.look()
    heads = [function.slot(1), function.slot(0)]
    for head in reversed(heads):
        function.finish(function.take(head))


def slot_read_early(function: ByHand) -> None:
    """The slot is read before the index exposes it, and acted on afterwards without being read again."""
    plain(function)
    function.dma_read(AVAILABLE, 64)
    function.request(0, 1, 512, head=3, place=0x19_0000)
    function.kick()
    function.look()
    function.finish(function.take(3))


# --- the descriptor table


def whole_table(function: ByHand) -> None:
    """The table is read at once, then nothing more of it for any chain exposed by then."""
    count = function.look()
    raw = function.dma_read(RING, 16 * SIZE)
    for number in range(count):
        head = function.slot(number)
        function.finish(function.take_from(raw, head))


def descriptors_by_line(function: ByHand) -> None:
    """Lines of four descriptors; the neighbours are read again when a chain leads there."""
    function.look()
    head = function.slot(0)
    raw = function.dma_read(RING, 64)
    function.finish(function.take_from(raw, head))
    head = function.slot(1)
    raw = function.dma_read(RING, 64) + function.dma_read(RING + 64, 64)
    function.finish(function.take_from(raw, head))


def table_behind_a_malformed_chain(function: ByHand) -> None:
    """A read of the table was on its way when another told that the chain is malformed."""
    function.descriptor(1, DATA, 0, 3, 2)
    function.look()
    function.slot(0)
    function.dma_read(RING, 64)
    function.dma_read(RING, 64)


def stale_descriptors(function: ByHand) -> None:
    """The line was read before the second chain was made available; it is served from that copy."""
    function.look()
    head = function.slot(0)
    raw = function.dma_read(RING, 16 * SIZE)
    function.finish(function.take_from(raw, head))
    function.request(0, 1, 512, head=3, place=0x19_0000)
    function.kick()
    function.look()
    raw = bytes(function.memory[RING : RING + 16 * SIZE])
    function.finish(function.take_from(raw, function.slot(1)))


def second_copy(function: ByHand) -> None:
    """A descriptor is read twice, its guest changes it in between, and the second copy is acted on."""
    function.look()
    head = function.slot(0)
    function.dma_read(RING, 16 * SIZE)
    function.descriptor(1, 0x1A_0000, 512, 3, 2)
    raw = function.dma_read(RING, 16 * SIZE)
    function.finish(function.take_from(raw, head))


# --- other reads


def line_of_a_buffer(function: ByHand) -> None:
    """The header is read with the rest of its aligned 64 bytes."""
    function.look()
    chain = function._walk(function.layout, function.slot(0))
    function.dma_read(HEADER, 64)
    function.finish(function.taken_of(0, chain, gathered=True))


def beyond_the_line(function: ByHand) -> None:
    function.look()
    chain = function._walk(function.layout, function.slot(0))
    function.dma_read(HEADER, 80)
    function.finish(function.taken_of(0, chain, gathered=True))


def flush_at(address: int) -> Callable[[ByHand], None]:
    def steps(function: ByHand) -> None:
        taken = function.next()
        function.fill(taken)
        function.element(taken)
        function.publish()
        function.read_nothing(address)
        function.decide()

    return steps


def used_index_read_back(function: ByHand) -> None:
    taken = function.next()
    function.dma_read(USED + 2, 2)
    function.finish(taken)


def used_index_trusted(function: ByHand) -> None:
    """The guest has scribbled over the used index, and the function goes on from there."""
    taken = function.next()
    function.memory[USED + 2 : USED + 4] = b"\x05\0"
    function.ring.used = int.from_bytes(function.dma_read(USED + 2, 2), "little")
    function.fill(taken)
    function.element(taken, slot=0)
    function.publish()


def writable_buffer_read(function: ByHand) -> None:
    taken = function.next()
    function.dma_read(DATA, 64)
    function.finish(taken)


def neighbours_at_once(function: ByHand) -> None:
    """Two readable buffers that are neighbours in memory, read as one (VRING-DESC-06)."""
    function.header(HEADER, 0, 3)
    function.descriptor(0, HEADER, 8, 1, 1)
    function.descriptor(1, HEADER + 8, 8, 1, 2)
    function.descriptor(2, DATA, 512, 3, 3)
    function.descriptor(3, STATUS, 1, 2)
    function.look()
    chain = function._walk(function.layout, function.slot(0))
    function.dma_read(HEADER, 16)
    function.finish(function.taken_of(0, chain, gathered=True))


def split_anywhere(function: ByHand) -> None:
    """Data written in packets of any length, not in the order of addresses within a buffer."""
    taken = function.next()
    (address, data), (status, byte) = taken.pieces()
    for first, last in ((256, 512), (0, 1), (3, 256), (1, 3)):
        function.dma_write(address + first, data[first:last])
    function.dma_write(status, byte)
    function.use(taken)


def holes(function: ByHand) -> None:
    """Two DWs with a hole in their byte enables, then what was left out; a packet with no byte at all."""
    taken = function.next()
    (address, data), (status, byte) = taken.pieces()
    first = memory_write(address, data[:8], requester_id=FUNCTION_ID)
    function.add_sent(replace(first, first_be=0b0101, last_be=0b1110))
    function.add_sent(replace(memory_write(address, data[:4], requester_id=FUNCTION_ID), first_be=0b1010))
    function.dma_write(address + 4, data[4:5])
    function.add_sent(replace(memory_write(address, data[:4], requester_id=FUNCTION_ID), first_be=0))
    function.dma_write(address + 8, data[8:])
    function.dma_write(status, byte)
    function.use(taken)


def read_with_a_hole(function: ByHand) -> None:
    """A header of two buffers with a byte between them, which is left out of the read."""
    function.header(HEADER, 0, 3)
    function.memory[HEADER + 2 : HEADER + 17] = function.memory[HEADER + 1 : HEADER + 16]
    function.descriptor(0, HEADER, 1, 1, 1)
    function.descriptor(1, HEADER + 2, 15, 1, 2)
    function.descriptor(2, DATA, 512, 3, 3)
    function.descriptor(3, STATUS, 1, 2)
    function.look()
    chain = function._walk(function.layout, function.slot(0))
    function.read_enabled(HEADER, 0b1101)
    function.dma_read(HEADER + 4, 13)
    function.finish(function.taken_of(0, chain, gathered=True))


def hole_over_a_slot(function: ByHand) -> None:
    """Around a hole lie the index and half a slot that is not exposed."""
    plain(function)
    function.read_enabled(AVAILABLE + 4, 0b1011)


def far_event(function: ByHand) -> None:
    """avail_event keeps the guest from kicking on the way, and asks for the next kick at last."""
    function.dma_write(USED + 4 + 8 * SIZE, b"\x40\0")
    plain(function)
    function.dma_write(USED + 4 + 8 * SIZE, b"\1\0")
    function.look()


def far_event_left(function: ByHand) -> None:
    plain(function)
    function.dma_write(USED + 4 + 8 * SIZE, b"\x40\0")
    function.look()


# --- looking


def looking(function: ByHand) -> None:
    function.io_write(0x12, 1, 0)
    function.attach()
    function.look()
    function.request(0, 2, 512)
    function.finish(function.next())
    function.look()


def looking_early(function: ByHand) -> None:
    function.io_write(0x12, 1, 0)
    function.io_write(0x12, 1, 3)
    function.io_write(0x08, 4, RING >> 12)
    function.memory[RING : RING + 0x2000] = bytes(0x2000)
    function.look()


# --- interrupts


def moderated(function: ByHand) -> None:
    """One message for three chains, a while after the last of them."""
    for _ in range(3):
        taken = function.next()
        function.fill(taken)
        function.element(taken)
        function.publish()
        function.decide_in_silence()
    function.later(15_000)
    function.message()


def silent(function: ByHand) -> None:
    """The message that is held back never comes."""
    taken = function.next()
    function.fill(taken)
    function.element(taken)
    function.publish()
    function.decide_in_silence()
    function.later(60_000, 40)


def spurious(count: int, *, masked: bool = False) -> Callable[[ByHand], None]:
    def steps(function: ByHand) -> None:
        plain(function)
        if masked:
            function.mem_write(16 + 12, 1)
            function.mem_read(16 + 12)
        for _ in range(count):
            function.later(12_000)
            function.message_now()

    return steps


def spurious_and_then_none(function: ByHand) -> None:
    """One message too early, before the used index, and none when it is due."""
    taken = function.next()
    function.fill(taken)
    function.message_now()
    function.later(12_000)
    function.element(taken)
    function.publish()
    function.decide_in_silence()
    function.later(60_000, 40)


def spurious_line(function: ByHand) -> None:
    plain(function)
    function.io_read(0x13, 1)
    function.later(12_000)
    function.line(up=True)
    function.io_read(0x13, 1)


def flags(*values: int, look: bool = True) -> Callable[[ByHand], None]:
    """used.flags is written before and after a chain."""

    def steps(function: ByHand) -> None:
        function.dma_write(USED, values[0].to_bytes(2, "little"))
        plain(function)
        function.dma_write(USED, values[1].to_bytes(2, "little"))
        if look:
            function.look()

    return steps


# --- several chains in flight


def all_at_once(function: ByHand) -> list[Any]:
    """Every chain is taken before the first is answered."""
    count = function.look()
    return [function.take(head) for head in [function.slot(number) for number in range(count)]]


def in_flight(function: ByHand) -> None:
    for taken in all_at_once(function):
        function.finish(taken)


def last_first(function: ByHand) -> None:
    for taken in reversed(all_at_once(function)):
        function.finish(taken)


def a_batch(function: ByHand) -> None:
    """Three elements in one packet, one used index, one decision."""
    taken = all_at_once(function)
    for one in taken:
        function.fill(one)
    content = b"".join(
        one.head.to_bytes(4, "little") + one.effects.used_length.to_bytes(4, "little") for one in taken
    )
    function.dma_write(USED + 4, content)
    function.publish(len(taken))
    function.decide()


def malformed_goes_back(length: int) -> Callable[[ByHand], None]:
    """The second descriptor is empty; the chain goes back with this length, the next one is served."""

    def steps(function: ByHand) -> None:
        function.descriptor(1, DATA, 0, 3, 2)
        function.look()
        function.slot(0)
        function.dma_read(RING, 16)
        function.dma_read(RING + 16, 16)
        function.dma_write(USED + 4, bytes(4) + length.to_bytes(4, "little"))
        function.publish()
        function.decide()
        function.finish(function.take(function.slot(1)))

    return steps


def unread_goes_back(status: int) -> Callable[[ByHand], None]:
    """A read of data fails; the write is given back with this status, and the next one is served."""

    def steps(function: ByHand) -> None:
        function.look()
        function._walk(function.layout, function.slot(0))
        function.dma_read(HEADER, 16)
        function.read_in_vain(DATA, 512)
        function.dma_write(STATUS, bytes((status,)))
        function.dma_write(USED + 4, bytes(4) + (1).to_bytes(4, "little"))
        function.publish()
        function.decide()
        function.finish(function.take(function.slot(1)))

    return steps


def one_twice(function: ByHand) -> None:
    first, *_ = all_at_once(function)
    function.finish(first)
    function.finish(first)


def one_never(function: ByHand) -> None:
    first, _, third = all_at_once(function)
    function.finish(third)
    function.finish(first)


def elements_backwards(function: ByHand) -> None:
    """Slots 2, 1, 0, one of them twice, the answers last of all; then the index."""
    taken = all_at_once(function)
    for slot, one in ((2, taken[2]), (1, taken[0]), (1, taken[1]), (0, taken[0])):
        function.element(one, slot)
    for one in taken:
        function.fill(one)
    function.publish(3)
    function.decide()


def index_before_an_element(function: ByHand) -> None:
    taken = all_at_once(function)
    for one in taken:
        function.fill(one)
    function.element(taken[2], 2)
    function.element(taken[0], 0)
    function.publish(3)


def element_changed_afterwards(function: ByHand) -> None:
    taken = all_at_once(function)
    function.finish(taken[0])
    function.finish(taken[1])
    function.element(taken[2], 0)


def answer_after_the_index(function: ByHand) -> None:
    taken = function.next()
    function.element(taken)
    function.publish()
    function.fill(taken)
