"""When a run ends itself: after enough verdicts, on repetition, on silence; and when it must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tb.harness.link import Observation
from tb.pcie.tlp import Channel, Tlp, intx_message, memory_read, memory_write
from tb.run_guard import RunGuard, RunLimits

LIMITS = RunLimits(verdicts=10, window=100, repetitions=3, pace_ns=50, idle_ns=4000, silence_ns=1000)
MESSAGE = memory_write(0xFEE0_0000, bytes(4))
Packet = Callable[[int], Tlp]


class Run:
    """A guard and the numbers it is told."""

    def __init__(self, limits: RunLimits = LIMITS) -> None:
        self.done = 0
        self.ends = 0
        self.looks = 0
        self.now_ns = 0
        self.seen = 0
        self.guard = RunGuard(limits, lambda: (self.done,), on_look=self._look, on_end=self._end)

    def _look(self) -> None:
        self.looks += 1

    def _end(self) -> None:
        self.ends += 1

    def windows(self, count: int, packet: Packet, *, step_ns: int = 8, progress: bool = False) -> None:
        for _ in range(count):
            for number in range(LIMITS.window):
                self.now_ns += step_ns
                if self.guard.watching:
                    tlp = packet(number)
                    channel = Channel.TX_CPL if tlp.is_completion else Channel.TX_REQ
                    self.guard.packet(Observation(self.now_ns, channel, tlp))
            self.done += progress
            self.guard.window(self.now_ns)

    def silence(self, ns: int) -> None:
        for _ in range(4):
            self.now_ns += ns // 4
            self.guard.moment(self.now_ns, self.seen)


def test_the_same_message_for_ever_ends_the_run_and_is_named() -> None:
    run = Run()
    run.windows(20, lambda _number: MESSAGE)
    assert run.ends == 1
    assert "MWr to 0xfee00000 on tx_req ×100" in run.guard.wedged  # noqa: RUF001
    assert run.looks == 20


def test_a_line_that_goes_up_and_down_for_ever_is_named() -> None:
    run = Run()
    run.windows(20, lambda number: intx_message(bool(number % 2)))
    assert "ASSERT_INTA on tx_req ×50" in run.guard.wedged  # noqa: RUF001
    assert "DEASSERT_INTA on tx_req ×50" in run.guard.wedged  # noqa: RUF001


def test_reads_of_one_place_under_many_tags_are_the_same() -> None:
    run = Run()
    run.windows(20, lambda number: memory_read(0x1000, 4, tag=number % 32))
    assert "MRd to 0x1000" in run.guard.wedged


@pytest.mark.parametrize(
    ("packet", "step_ns", "progress"),
    [
        (lambda _number: MESSAGE, 8, True),
        (lambda number: memory_write(0x1000 + 128 * number, bytes(128)), 8, False),
        (lambda _number: memory_read(0x1000, 2), 1000, False),
    ],
    ids=["accesses are answered meanwhile", "a long transfer", "a device that polls its ring"],
)
def test_what_goes_on_is_left_alone(packet: Packet, step_ns: int, progress: bool) -> None:
    run = Run(RunLimits(window=100, repetitions=3))
    run.windows(50, packet, step_ns=step_ns, progress=progress)
    assert not run.ends


def test_enough_verdicts_end_the_run_once() -> None:
    run = Run()
    run.guard.verdicts(9)
    assert run.guard.reason == ""
    for total in (10, 11):
        run.guard.verdicts(total)
    assert run.ends == 1
    assert "10 verdicts" in run.guard.reason
    assert not run.guard.wedged


def test_silence_ends_the_run() -> None:
    run = Run()
    run.silence(900)
    assert not run.ends
    run.silence(400)
    assert "Nothing has passed any pin for 1,0" in run.guard.wedged


def test_packets_that_lead_nowhere_end_the_run() -> None:
    run = Run()
    for _ in range(20):
        run.seen += 64
        run.silence(400)
    assert run.ends == 1
    assert "no access was answered" in run.guard.wedged


def test_progress_keeps_the_run_going() -> None:
    run = Run()
    for _ in range(20):
        run.seen += 64
        run.done += 1
        run.silence(400)
    assert not run.ends


def test_limits_of_zero_are_none() -> None:
    run = Run(RunLimits(0, 100, 0, 50, 0, 0))
    run.windows(20, lambda _number: MESSAGE)
    run.silence(10_000)
    run.guard.verdicts(1 << 20)
    assert not run.ends


def test_the_rule_that_is_waited_for_ends_the_run() -> None:
    run = Run(RunLimits(stop_at=("VPCI-INT-02", "PIN-LAST")))
    run.guard.verdicts(1, "VPCI-INT-01")
    assert (run.ends, run.guard.reason) == (0, "")
    run.guard.verdicts(2, "PIN-LAST")
    assert run.ends == 1
    assert "first verdict of PIN-LAST" in run.guard.reason


def test_a_run_that_takes_longer_than_it_can_ends() -> None:
    run = Run(RunLimits(time_ns=10_000))
    run.silence(9_000)
    assert run.ends == 0
    run.silence(2_000)
    assert run.ends == 1
    assert "10,000 at most" in run.guard.reason
    busy = Run(RunLimits(time_ns=10_000))
    busy.windows(20, lambda _number: MESSAGE, progress=True)
    assert busy.ends == 1
