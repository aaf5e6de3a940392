"""Whatever a function and its host put on the pins, the judge gives verdicts; it never breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb.models.judge.judge import Judge
from tb.models.judge.media import BlockRequest, BlockResponse, BlockWriteData, CapacityChanged, MediaEvent
from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.models.virtqueue import F_EVENT_IDX
from tb.pcie.tlp import Channel, Tlp, TlpError, TlpType, decode, encode
from tests.unit.fake_function import BAR0, BAR1, RING, Fact, FakeFunction, judged
from tests.unit.planting import Facts, doubled, dropped, moved

CASES = 300
ANYTHING_GOES = replace(
    VIRTIO_PCI_RTL,
    dma_attributes="data",
    available_reads="any",
    descriptor_reads="any",
    read_granule=64,
    other_reads=("flush", "used_ring", "writable_buffers"),
    reads_under_way=64,
    answer_writes="until_used",
    used_elements="until_index",
    completion_order="any",
    chains_in_flight=0,
    polls=True,
    used_flags="toggles",
    avail_event="per_chain",
    interrupt_delay_ns=10_000,
    spurious_interrupts=2,
)


def busy_function(*, msix: bool, features: int) -> Facts:
    """Reads, a write, a flush, an identification, a full ring, a capacity, a reset and a new start."""
    function = FakeFunction()
    function.start(msix=msix, features=features)
    for kind, count in ((0, 1024), (1, 512), (4, 0), (8, 20), (0, 700)):
        function.request(kind, 3, count)
        function.kick()
        function.io_read(0x13, 1)
    function.resize(128)
    function.config_read(0x04)
    if msix:
        function.mem_read(0x800, 8)
    function.attach(msix=msix, features=features)
    function.request(0, 0, 512)
    function.kick()
    return function.facts


RUNS = tuple(
    busy_function(msix=msix, features=features)
    for msix in (True, False)
    for features in (0, 1 << F_EVENT_IDX)
)

words = st.integers(0, 0xFFFF_FFFF)
addresses = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 0x40).map(lambda offset: BAR0 + offset),
    st.integers(0, 0xFFF).map(lambda offset: BAR1 + offset),
    st.integers(0, 0x3000).map(lambda offset: RING + offset),
    st.integers(0, 0xFF),
).map(lambda address: address & ~3)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(TlpType),
    "requester_id": st.integers(0, 0xFFFF),
    "tag": st.integers(0, 40),
    "address": addresses,
    "target_id": st.sampled_from([0, 0x0100, 0x0101, 0x0208]),
    "first_be": st.integers(0, 15),
    "last_be": st.integers(0, 15),
    "completer_id": st.integers(0, 0xFFFF),
    "status": st.sampled_from([0, 1, 2, 4, 7]),
    "byte_count": st.integers(1, 4096),
    "lower_address": st.integers(0, 127),
    "message_code": st.sampled_from([0x20, 0x21, 0x24, 0x7E]),
    "traffic_class": st.integers(0, 7),
    "attributes": st.integers(0, 7),
    "poisoned": st.booleans(),
}
media_events: st.SearchStrategy[MediaEvent] = st.one_of(
    st.builds(BlockRequest, st.integers(0, 3), st.integers(0, 80), st.integers(0, 4)),
    st.builds(BlockWriteData, st.binary(max_size=64)),
    st.builds(BlockResponse, st.booleans(), st.binary(max_size=64)),
    st.builds(CapacityChanged, st.integers(0, 256)),
)
calls: st.SearchStrategy[Callable[[Judge, int], None]] = st.one_of(
    st.integers(0, 9).map(lambda tag: lambda judge, now: judge.unanswered(now, tag)),
    st.just(Judge.cold_reset),
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Payload of a few DWs."""
    return b"".join(word.to_bytes(4, "little") for word in draw(st.lists(words, min_size=1, max_size=6)))


def as_seen(fact: Fact, tlp: Tlp) -> Fact:
    """What the monitors make of a packet: the judge is told of one that breaks a rule of its own."""
    channel = fact.channel
    assert channel is not None
    try:
        return replace(fact, tlp=decode(*encode(tlp)))
    except TlpError as caught:
        error = TlpError(str(caught), caught.tlp)
        return Fact(fact.time_ns, call=lambda judge, now: judge.malformed(now, channel, error))


def with_altered_packet(draw: st.DrawFn, facts: Facts, place: int) -> Facts:
    fact = facts[place]
    if fact.tlp is None:
        return facts
    name = draw(st.sampled_from([*FIELDS, "data", "channel"]))
    if name == "channel":
        return [*facts[:place], replace(fact, channel=draw(st.sampled_from(Channel))), *facts[place + 1 :]]
    if name == "data":
        data = draw(contents())
        tlp = replace(fact.tlp, data=data, length=len(data) // 4)
    else:
        tlp = replace(fact.tlp, **{name: draw(FIELDS[name])})
    return [*facts[:place], as_seen(fact, tlp), *facts[place + 1 :]]


def with_something_more(draw: st.DrawFn, facts: Facts, place: int) -> Facts:
    now = facts[place].time_ns
    event = draw(
        st.one_of(
            media_events.map(lambda event: Fact(now, media=event)), calls.map(lambda c: Fact(now, call=c))
        )
    )
    return [*facts[:place], event, *facts[place:]]


def with_one_moved(draw: st.DrawFn, facts: Facts, place: int) -> Facts:
    to = draw(st.integers(0, len(facts) - 1))
    return facts if to == place else moved(facts, place, to)


FAULTS: tuple[Callable[[st.DrawFn, Facts, int], Facts], ...] = (
    with_altered_packet,
    with_altered_packet,
    with_something_more,
    with_one_moved,
    lambda draw, facts, place: dropped(facts, place, draw(st.integers(1, 8))),
    lambda draw, facts, place: doubled(facts, place),
)


@st.composite
def spoilt_runs(draw: st.DrawFn) -> Facts:
    """A right run with a few things wrong."""
    facts = draw(st.sampled_from(RUNS))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(facts) - 1))
        facts = draw(st.sampled_from(FAULTS))(draw, facts, place)
    return facts


@pytest.mark.parametrize("profile", [VIRTIO_PCI_RTL, ANYTHING_GOES], ids=["strict", "lenient"])
def test_right_runs_are_not_accused(profile: Profile) -> None:
    for facts in RUNS:
        assert judged(facts, profile=profile) == []


@settings(max_examples=CASES)
@given(spoilt_runs(), st.sampled_from([VIRTIO_PCI_RTL, ANYTHING_GOES]))
def test_no_sequence_of_packets_breaks_the_judge(facts: Facts, profile: Profile) -> None:
    for verdict in judged(facts, profile=profile):
        assert verdict.rule
        assert str(verdict)
