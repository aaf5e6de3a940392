"""When a simulated function counts as idle: still pins and nothing owed; and when it counts as stuck."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tb.guest.host_bus import run
from tb.guest_vm.rtl_function import ADVANCE_NS, QUIET_NS, SILENCE_LIMIT_NS, GuestRam, RtlFunction
from tb.models.judge.judge import Judge
from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.verdict import Verdict
from tb.models.virtqueue import F_EVENT_IDX
from tb.vfio_user.function import FunctionShape
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import Region
from tb.vfio_user.server import serve
from tb.vfio_user.transport import Connection
from tests.unit.fake_function import Fact, FakeFunction, block_device
from tests.unit.planting import find, write_to
from tests.unit.vfio_user_client import ByteFunction


@dataclass(slots=True)
class Clock:
    """A bus on which only time passes, and the environment's idle flag and observed bytes."""

    now_ns: int = 1_000_000
    idle: bool = True
    observed_bytes: int = 0
    written: list[int] = field(default_factory=list)

    async def io_write(self, offset: int, _size: int, _value: int) -> None:
        self.written.append(offset)

    async def delay(self, ns: int) -> None:
        self.now_ns += ns

    def pass_time(self) -> None:
        """No judge listens."""

    def __getattr__(self, name: str) -> Any:
        return None  # the other kinds of access


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def function(clock: Clock) -> RtlFunction:
    env = SimpleNamespace(scoreboard=clock, link=SimpleNamespace(memory=clock))
    made = RtlFunction(cast(Any, clock), cast(Any, env), GuestRam(), FunctionShape({}))
    run(made.write(Region.BAR0, 0x10, 2, 0))
    return made


def works_for_ns(function: RtlFunction, clock: Clock, limit_ns: int = 2 * SILENCE_LIMIT_NS) -> int:
    """How long it goes on by itself."""
    start = clock.now_ns
    while function.busy() and clock.now_ns - start < limit_ns:
        run(function.advance())
    return clock.now_ns - start


def test_it_rests_soon_after_the_pins_when_nothing_is_owed(function: RtlFunction, clock: Clock) -> None:
    assert works_for_ns(function, clock) == QUIET_NS
    assert not function.stuck


def test_it_goes_on_through_silence_while_something_is_owed(function: RtlFunction, clock: Clock) -> None:
    clock.idle = False
    assert works_for_ns(function, clock, limit_ns=SILENCE_LIMIT_NS // 2) == SILENCE_LIMIT_NS // 2
    clock.observed_bytes += 64  # the slow disk has answered
    clock.idle = True
    run(function.advance())
    assert works_for_ns(function, clock) == QUIET_NS


def test_it_is_stuck_when_it_owes_something_and_stays_silent(function: RtlFunction, clock: Clock) -> None:
    clock.idle = False
    assert works_for_ns(function, clock) == SILENCE_LIMIT_NS
    assert function.stuck


def test_an_access_wakes_it(function: RtlFunction, clock: Clock) -> None:
    works_for_ns(function, clock)
    run(function.write(Region.BAR0, 0x10, 2, 0))
    assert clock.written == [0x10, 0x10]
    assert works_for_ns(function, clock) == QUIET_NS
    assert QUIET_NS % ADVANCE_NS == 0


def test_nothing_is_expected_of_a_queue_without_bus_master() -> None:
    guest = FakeFunction()
    guest.start()
    guest.hold = True
    guest.kick()
    judge = Judge(VIRTIO_PCI_RTL, block_device(), on_verdict=lambda _: None)
    for command, idle in ((0x7, False), (0x3, True), (0x7, False)):
        guest.config_write(0x04, 2, command)
        for fact in guest.facts:
            assert fact.channel is not None and fact.tlp is not None
            judge.tlp(fact.time_ns, fact.channel, fact.tlp)
        guest.facts.clear()
        guest.wait(1_500)
        judge.pass_time(guest.time_ns)  # an interrupt that bus master might have let go would have left
        assert judge.idle is idle


class JudgedClock(Clock):
    """The same bus, whose idle flag is a judge's."""

    def judge(self, facts: list[Fact]) -> None:
        """Judge what a function did until now; then only time passes."""
        self.verdicts: list[Verdict] = []
        self.watch = Judge(VIRTIO_PCI_RTL, block_device(), on_verdict=self.verdicts.append)
        for fact in facts:
            if fact.tlp is not None and fact.channel is not None:
                self.watch.tlp(fact.time_ns, fact.channel, fact.tlp)
            elif fact.media is not None:
                self.watch.media(fact.time_ns, fact.media)
            self.now_ns = fact.time_ns
        self.idle = self.watch.idle

    def pass_time(self) -> None:
        self.watch.pass_time(self.now_ns)
        self.idle = self.watch.idle


@pytest.mark.parametrize("event_written", [True, False])
def test_a_guest_that_waits_makes_time_pass_until_the_verdict(event_written: bool) -> None:
    """The function takes chains and never asks for the next kick: the guest waits, and so it comes out."""
    guest = FakeFunction()
    guest.start(features=1 << F_EVENT_IDX)
    guest.request(0, 3, 512)
    guest.kick()
    event = find(guest.facts, write_to(guest.layout.avail_event))
    clock = JudgedClock()
    clock.judge(guest.facts if event_written else guest.facts[:event])
    env = SimpleNamespace(scoreboard=clock, link=SimpleNamespace(memory=clock))
    function = RtlFunction(cast(Any, clock), cast(Any, env), GuestRam(), FunctionShape({}))
    run(function.write(Region.BAR0, 0x10, 2, 0))
    assert works_for_ns(function, clock) < 2 * QUIET_NS
    assert [verdict.rule for verdict in clock.verdicts] == ([] if event_written else ["VRING-KICK-05"])
    assert not function.stuck


def test_a_server_with_nothing_to_do_uses_no_processor() -> None:
    client, server = socket.socketpair()
    start, used = time.monotonic(), time.process_time()

    def late() -> str | None:
        return "enough" if time.monotonic() > start + 0.5 else None

    _, ending = run(serve(Connection(server), ByteFunction(), InterruptMode.INTX, late))
    assert ending.sentence == "enough"
    assert time.process_time() - used < 0.05
    client.close()
