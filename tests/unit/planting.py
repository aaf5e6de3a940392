"""Planting a fault into the facts of a clean run: find a packet, alter, drop, double or move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.models.verdict import Verdict
from tb.pcie.tlp import Channel, Tlp, TlpType
from tests.unit.fake_function import Fact, FakeFunction, judged

Facts = list[Fact]
REST_NS = 60_000


def rules(facts: Facts, *, end: bool = True, profile: Profile = VIRTIO_PCI_RTL) -> set[str]:
    """The rules that the judge finds broken in `facts`."""
    return {verdict.rule for verdict in judged(facts, end=end, profile=profile)}


def first_rule(facts: Facts, *, end: bool = True) -> str:
    """The rule of the first verdict, "" when there is none."""
    verdicts = judged(facts, end=end)
    return verdicts[0].rule if verdicts else ""


def assert_clean(
    function: FakeFunction | Facts, *, end: bool = True, profile: Profile = VIRTIO_PCI_RTL
) -> None:
    """Nobody may be accused of anything."""
    facts = function.facts if isinstance(function, FakeFunction) else function
    verdicts: list[Verdict] = judged(facts, end=end, profile=profile)
    assert not verdicts, "\n".join(map(str, verdicts))


def find(
    facts: Facts, holds: Callable[[Tlp], bool], *, channel: Channel = Channel.TX_REQ, nth: int = 0
) -> int:
    """Index of the nth packet on `channel` of which `holds`; counts from the end when negative."""
    places = [i for i, f in enumerate(facts) if f.tlp is not None and f.channel is channel and holds(f.tlp)]
    return places[nth]


def write_to(address: int) -> Callable[[Tlp], bool]:
    """Memory writes that begin in the DW of `address`."""
    return lambda tlp: tlp.type is TlpType.MEMORY_WRITE and tlp.address == address & ~3


def read_of(address: int) -> Callable[[Tlp], bool]:
    """Memory reads that begin in the DW of `address`."""
    return lambda tlp: tlp.type is TlpType.MEMORY_READ and tlp.address == address & ~3


def altered(facts: Facts, place: int, **fields: Any) -> Facts:
    """`facts` with fields of the packet at `place` changed."""
    fact = facts[place]
    assert fact.tlp is not None
    return [*facts[:place], replace(fact, tlp=replace(fact.tlp, **fields)), *facts[place + 1 :]]


def dropped(facts: Facts, place: int, count: int = 1) -> Facts:
    """`facts` without the one at `place` (or `count` of them)."""
    return facts[:place] + facts[place + count :]


def doubled(facts: Facts, place: int) -> Facts:
    """`facts` with the one at `place` seen twice."""
    return [*facts[: place + 1], facts[place], *facts[place + 1 :]]


def moved(facts: Facts, place: int, to: int) -> Facts:
    """`facts` with the one at `place` seen before what stands at `to` now; times stay in order."""
    order = [*facts]
    fact = order.pop(place)
    order.insert(to if to < place else to - 1, fact)
    times = [f.time_ns for f in facts]
    return [replace(f, time_ns=time) for f, time in zip(order, times, strict=True)]


def inserted(facts: Facts, place: int, tlp: Tlp, channel: Channel = Channel.TX_REQ) -> Facts:
    """`facts` with a packet more, before the one at `place` (or at the end)."""
    time_ns = facts[min(place, len(facts) - 1)].time_ns
    return [*facts[:place], Fact(time_ns, channel, tlp), *facts[place:]]


def flipped(data: bytes, place: int, mask: int = 1) -> bytes:
    """`data` with bits of one byte inverted."""
    out = bytearray(data)
    out[place] ^= mask
    return bytes(out)
