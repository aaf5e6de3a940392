"""The judge where a read fails or a chain is malformed: what was read counts, and nothing beyond it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.judge.judge import Judge
from tb.models.judge.media import BlockRequest, BlockResponse, BlockWriteData, MediaEvent, MediaOperation
from tb.models.profile import VIRTIO_PCI_RTL
from tb.pcie.tlp import Channel, TlpType, completion_for, memory_write
from tests.unit.fake_function import FUNCTION_ID, HOST_ID, RING, Fact, FakeFunction, judged
from tests.unit.planting import Facts, assert_clean, find, read_of, rules, write_to

DATA, STATUS, SECOND = 0x18_1000, 0x18_0800, 0x19_0000
USED = RING + 0x1000
SECTOR = 512
BEAT = bytes(32)
WRITE = BlockRequest(MediaOperation.WRITE, 3, 4)
PATTERN = bytes(range(1, 251)) * 9
SEVERAL = replace(VIRTIO_PCI_RTL, chains_in_flight=0)


def writing(*, requests: int = 1, data_at: int = DATA) -> FakeFunction:
    """A function that has written four sectors to the disk, once or more often, all offered by one kick."""
    function = FakeFunction()
    function.start()
    function.memory[data_at : data_at + 2048] = PATTERN[:2048]
    for number in range(requests):
        function.request(1, 3 + 4 * number, 2048, head=3 * number, place=0x18_0000 + 0x1_0000 * number)
        if data_at != DATA:
            function.descriptor(1, data_at, 2048, 1, 2)
    function.kick()
    assert_clean(function)
    return function


def failed(facts: Facts, address: int, good_bytes: int = 0) -> Facts:
    """`facts` up to the answer to the read of `address`, which is an error behind so many good bytes."""
    place = find(facts, read_of(address))
    request, answer = facts[place].tlp, facts[place + 1].tlp
    assert request is not None and answer is not None
    before = facts[: place + 1]
    at = facts[place].time_ns
    if good_bytes:
        good = completion_for(request, answer.data[:good_bytes], completer_id=HOST_ID)
        before = [*before, Fact(at + 10, Channel.RX_CPL, good)]
    error = completion_for(request, status=1, completer_id=HOST_ID)
    error = replace(error, byte_count=error.byte_count - good_bytes)
    return [*before, Fact(at + 20, Channel.RX_CPL, error)]


def to_the_disk(facts: Facts, data: bytes) -> Facts:
    """The function hands `data` to the disk, which answers."""
    at = facts[-1].time_ns
    events: tuple[MediaEvent, ...] = (WRITE, BlockWriteData(data), BlockResponse(ok=True))
    return [*facts, *(Fact(at + 10 * turn, media=event) for turn, event in enumerate(events, 1))]


def test_whole_sectors_read_before_a_failed_read_may_reach_the_disk() -> None:
    facts = failed(writing().facts, DATA + 512)
    assert_clean(facts)
    assert_clean(to_the_disk(facts, BEAT))
    assert_clean(to_the_disk(facts, PATTERN[:SECTOR] + BEAT))


@pytest.mark.parametrize("sectors", [2, 4])
def test_a_write_filled_up_with_what_was_never_read_is_told(sectors: int) -> None:
    facts = failed(writing().facts, DATA + 512)
    data = PATTERN[:SECTOR] + bytes((sectors - 1) * SECTOR) + (BEAT if sectors < 4 else b"")
    assert rules(to_the_disk(facts, data)) == {"BAD-RING-37"}


def test_wrong_sectors_before_a_failed_read_are_told() -> None:
    facts = failed(writing().facts, DATA + 1024)
    assert rules(to_the_disk(facts, PATTERN[:SECTOR] + bytes(SECTOR) + BEAT)) == {"VBLK-06"}


def test_good_bytes_of_a_read_that_failed_later_may_complete_a_sector() -> None:
    function = writing(data_at=DATA + 256)
    facts = failed(function.facts, DATA + 512, good_bytes=256)
    assert_clean(to_the_disk(facts, PATTERN[:SECTOR] + BEAT))
    assert rules(to_the_disk(facts, PATTERN[: 2 * SECTOR] + BEAT)) == {"BAD-RING-37"}


def test_good_bytes_of_a_read_that_never_ends_may_complete_a_sector() -> None:
    facts = failed(writing(data_at=DATA + 256).facts, DATA + 512, good_bytes=256)[:-1]
    asked = facts[find(facts, read_of(DATA + 512))].tlp
    assert asked is not None
    tag = asked.tag
    told = Fact(facts[-2].time_ns, call=lambda judge, ns: judge.unanswered(ns, tag))
    silent = [*facts[:-1], told, facts[-1]]
    assert_clean(to_the_disk(silent, PATTERN[:SECTOR] + BEAT))
    assert rules(to_the_disk(silent, PATTERN[: 2 * SECTOR] + BEAT)) == {"VBLK-06"}


def test_a_write_cut_short_without_a_reason_is_told() -> None:
    facts = writing().facts
    place = next(i for i, fact in enumerate(facts) if isinstance(fact.media, BlockWriteData))
    short = Fact(facts[place].time_ns, media=BlockWriteData(PATTERN[:SECTOR] + BEAT))
    assert rules([*facts[:place], short, *facts[place + 1 :]]) == {"VBLK-06"}


def test_a_write_that_a_reset_cuts_short_hands_over_what_was_read() -> None:
    function = writing()
    read = find(function.facts, read_of(DATA + 512))
    mark = len(function.facts)
    function.io_write(0x12, 1, 0)
    facts = [*function.facts[:read], function.facts[mark]]
    assert_clean(to_the_disk(facts, PATTERN[:SECTOR] + BEAT), end=False)
    assert "VBLK-06" in rules(to_the_disk(facts, PATTERN[:2048]), end=False)


@pytest.mark.parametrize("address", [DATA, DATA + 1536, 0x18_0000, RING + 16, RING + 32])
def test_nothing_is_done_for_a_chain_whose_read_failed(address: int) -> None:
    facts = failed(writing().facts, address)
    at = facts[-1].time_ns
    status = memory_write(STATUS, b"\0", requester_id=FUNCTION_ID)
    assert rules([*facts, Fact(at + 10, Channel.TX_REQ, status)])
    element = memory_write(USED + 4, bytes(4) + b"\1\0\0\0", requester_id=FUNCTION_ID)
    assert rules([*facts, Fact(at + 10, Channel.TX_REQ, element)], end=False) == {"BAD-RING-37"}


def begun_ahead() -> tuple[Facts, Facts]:
    """A function that has read a second chain before the first, whose data then fail, and what follows."""
    function = writing(requests=2)
    function.facts = failed(function.facts, DATA)
    failing = function.facts.pop()
    at = function.facts[-1].time_ns
    function.time_ns = at
    function.dma_read(RING + 0x80 + 6, 2)
    for index in (3, 4, 5):
        function.dma_read(RING + 16 * index, 16)
    function.dma_read(SECOND, 16)
    for part in range(4):
        function.dma_read(SECOND + 0x1000 + SECTOR * part, SECTOR)
    asked = BlockRequest(MediaOperation.WRITE, 7, 4)
    events: tuple[MediaEvent, ...] = (asked, BlockWriteData(bytes(2048)), BlockResponse(ok=True))
    later = [Fact(function.time_ns + 100 + turn, media=event) for turn, event in enumerate(events)]
    return [*function.facts, replace(failing, time_ns=function.time_ns + 10)], later


def test_the_chain_behind_a_failed_one_never_reaches_the_disk() -> None:
    facts, later = begun_ahead()
    assert_clean(facts, profile=SEVERAL)
    assert rules([*facts, *later], profile=SEVERAL) == {"BAD-RING-37"}


def test_where_requests_overlap_what_was_begun_before_may_end() -> None:
    facts, later = begun_ahead()
    asked = replace(later[0], time_ns=facts[-1].time_ns - 1)
    overlapping = replace(SEVERAL, requests_overlap=True)
    begun = [*facts[:-1], asked, facts[-1], *later[1:]]
    assert not judged(begun, profile=overlapping)
    assert [v.rule for v in judged([*facts, *later], profile=overlapping)] == ["BAD-RING-37"]


def test_the_answer_of_a_chain_behind_a_malformed_one_is_never_written() -> None:
    function = FakeFunction()
    function.start()
    function.request(0, 3, 512)
    function.descriptor(2, STATUS, 1, 0)
    function.request(8, 0, 20, head=3, place=SECOND)
    function.kick()
    at = find(function.facts, read_of(RING + 32))
    bad = function.facts[at : at + 2]
    function.facts = function.facts[:at]
    function.time_ns = function.facts[-1].time_ns
    function.dma_read(RING + 0x80 + 6, 2)
    for index in (3, 4, 5):
        function.dma_read(RING + 16 * index, 16)
    function.dma_read(SECOND, 16)
    now = function.time_ns
    stopped = [*function.facts, *(replace(fact, time_ns=now + 10) for fact in bad)]
    assert_clean(stopped, profile=SEVERAL)
    serial = b"FAKE-0001".ljust(20, b"\0")
    answer = memory_write(SECOND + 0x1000, serial, requester_id=FUNCTION_ID)
    assert rules([*stopped, Fact(now + 20, Channel.TX_REQ, answer)], profile=SEVERAL) == {"VRING-DESC-05"}


def two_queues() -> tuple[FakeFunction, int]:
    """A function that has served a request on each of two queues, and where the facts of the second begin."""
    function = FakeFunction(queues=2)
    function.start()
    function.request(0, 3, 512)
    function.kick()
    second = len(function.facts)
    function.add_queue(1)
    function.request(0, 9, 512, place=SECOND)
    function.kick()
    assert not judged(function.facts, queues=2)
    return function, second


def test_a_read_that_gets_no_answer_excuses_its_own_queue_alone() -> None:
    function, second = two_queues()
    facts = function.facts
    first = find(facts, read_of(RING + 16))
    asked = facts[first].tlp
    assert asked is not None
    tag = asked.tag
    silent = Fact(facts[first].time_ns + 1, call=lambda judge, ns: judge.unanswered(ns, tag))
    clean = [*facts[: first + 1], silent, *facts[second:]]
    assert not judged(clean, queues=2)
    unserved = clean[: find(clean, write_to(SECOND + 0x1000))]
    assert {verdict.rule for verdict in judged(unserved, queues=2)} == {"BAD-DEV-11"}


def test_a_malformed_chain_stops_the_whole_device_where_the_profile_says_so() -> None:
    function, _ = two_queues()
    function.queue = 0
    function.descriptor(0, 0x18_0000, 16, 1, 200)
    function.make_available(0)
    function.kick()
    function.queue = 1
    function.request(0, 9, 512, place=SECOND)
    function.kick()
    assert not judged(function.facts, queues=2)
    broken = replace(VIRTIO_PCI_RTL, broken="device")
    assert {verdict.rule for verdict in judged(function.facts, queues=2, profile=broken)} == {"BAD-RING-05"}


def test_a_reset_before_the_answer_keeps_the_next_user_s_queue_owing() -> None:
    """An answer missing before a reset excuses nothing that is asked for after it."""
    function = writing()
    fetch = find(function.facts, read_of(RING + 16))
    asked = function.facts[fetch].tlp
    assert asked is not None and asked.type is TlpType.MEMORY_READ
    tag = asked.tag
    function.facts = function.facts[: fetch + 1]

    def silent(judge: Judge, ns: int) -> None:
        judge.unanswered(ns, tag)

    function.tell(silent)
    function.attach()
    function.hold = True
    function.request(0, 3, 512)
    function.kick()
    assert rules(function.facts) == {"VPCI-Q-17"}
