"""The environment around a function: agents, scoreboard and coverage, wired in one place by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Event, Timer
from pyuvm import uvm_env, uvm_sequence

from tb.agents.completer.agent import CompleterAgent
from tb.agents.completer.config import CompleterConfig
from tb.agents.interrupt.agent import InterruptAgent
from tb.agents.media.agent import MediaAgent
from tb.agents.media.config import MediaConfig
from tb.agents.requester.agent import RequesterAgent
from tb.agents.requester.config import RequesterConfig
from tb.config import EnvConfig, Stall
from tb.coverage import PacketCoverage
from tb.harness.link import PinLink
from tb.harness.shared_memory import Stream
from tb.run_guard import RunGuard
from tb.scoreboard import JudgeLike, Scoreboard
from tb.sequences.guest import GuestSequence, Scenario
from tb.targets.rtl import RtlBus

CLOCK_NS = 8
RESET_CLOCKS = 16
SETTLE_NS = 4_000
SETTLE_LIMIT_NS = 4_000_000
STILL_NS = 20_000
"""Longer than host and disk let anything wait: when no pin moves for so long, nothing is on its way."""
LOOKS = 4
"""Looks at the pins in the time that ends a silent run."""
NEVER = Stall(0)


class FunctionEnv(uvm_env):
    """Requester, completer, interrupt and media agent around the pins.

    Scoreboard and coverage behind them.
    """

    config: EnvConfig
    judge_of: Callable[..., JudgeLike]
    on_look: Callable[[], None] = staticmethod(lambda: None)

    def build_phase(self) -> None:
        config = self.config
        self.link = link = PinLink(cocotb.top)
        self.ended = Event()
        self.guard = RunGuard(config.limits, self._progress, on_look=self._look, on_end=self._end)
        self.requester = RequesterAgent.create("requester", self)
        self.requester.config = RequesterConfig(
            link,
            requester_id=config.requester_id,
            target_id=config.target_id,
            max_outstanding=config.max_outstanding,
            timeout_ns=config.access_timeout_ns,
        )
        self.completer = CompleterAgent.create("completer", self)
        self.completer.config = CompleterConfig(link, config.memory, random=config.derived("completer"))
        self.interrupt = InterruptAgent.create("interrupt", self)
        self.interrupt.link = link
        self.media = MediaAgent.create("media", self)
        self.media.config = MediaConfig(link, config.disk, random=config.derived("media"))
        self.scoreboard = Scoreboard.create("scoreboard", self)
        self.scoreboard.link = link
        self.scoreboard.judge_of = self.judge_of
        self.scoreboard.guard = self.guard
        self.scoreboard.folder = Path(config.results_dir)
        self.coverage = PacketCoverage.create("coverage", self)

    def connect_phase(self) -> None:
        for agent in (self.requester, self.completer):
            agent.monitor.ap.connect(self.scoreboard.packets.analysis_export)
            agent.monitor.ap.connect(self.coverage.analysis_export)
        self.completer.config.on_unanswered = self.scoreboard.unanswered
        self.media.monitor.ap.connect(self.scoreboard.media.analysis_export)

    async def run_phase(self) -> None:
        """The link is the only thing that wakes for the pins."""
        await Timer(1, "step")
        self.link.open()
        self.link.memory.set_accept_limit(self.config.profile.completion_accept_clocks)
        self.set_traffic()
        cocotb.start_soon(self._watch())
        await self.link.run()

    async def _watch(self) -> None:
        """Let the guard look at the pins now and then, in simulated time: a few times a second."""
        silence_ns = self.config.limits.silence_ns
        while silence_ns:
            await Timer(silence_ns // LOOKS, "ns")
            self.link.drain()
            self.guard.moment(self.link.memory.time_ns, self.link.memory.observed_bytes)

    def _progress(self) -> tuple[int, ...]:
        """Numbers that change whenever something new has happened."""
        answered = self.requester.driver.answered, self.media.driver.answered
        return (len(self.scoreboard.log.kinds), *answered)

    def _look(self) -> None:
        self.on_look()

    def _end(self) -> None:
        """The guard has ended the run."""
        self.scoreboard.ignore()
        self.ended.set()

    def waiting(self) -> list[str]:
        """What waits for what, as clauses: streams, the guest, the function, its queues, the disk."""
        judge = self.scoreboard.judge
        pins = self.link.pins.waiting
        return [*pins, *self.requester.driver.waiting, *judge.waiting, *self.media.driver.waiting]

    async def still(self) -> bool:
        """Whether nothing passes the pins for `STILL_NS`."""
        self.link.drain()
        before = self.link.memory.observed_bytes
        await Timer(STILL_NS, "ns")
        return self.link.memory.observed_bytes == before

    async def tell_wedged(self) -> None:
        """The guest has given up, or the end never came: say what waits, if nothing moves any more."""
        if self.guard.wedged:
            self.scoreboard.wedged(self.guard.wedged, self.waiting())
        elif not self.guard.reason and (waiting := self.waiting()) and await self.still():
            self.scoreboard.wedged("Nothing moves on any pin.", waiting)

    def set_traffic(self) -> None:
        """Apply `config.traffic` to the agents and the pins; may be called again while running."""
        traffic = self.config.traffic
        completer, media = self.completer.config, self.media.config
        completer.delay = traffic.completion_delay
        completer.part_delay = traffic.part_delay
        completer.boundary = traffic.boundary
        completer.max_payload = traffic.max_payload
        completer.split_chance = traffic.split_chance
        media.delay = traffic.media_delay
        self._stall_seeds = self.config.derived("stalls")
        for stream in Stream:
            self.set_stall(stream)

    def set_stall(self, stream: Stream) -> None:
        """Let one stream pause as `config.traffic` says."""
        stall = dict(self.config.traffic.stalls).get(stream, NEVER)
        seed = self._stall_seeds.getrandbits(63)
        self.link.memory.set_throttle(stream, stall.per_256, stall.longest, seed)

    def guest(self, name: str, scenario: Scenario) -> GuestSequence:
        """A sequence to start on `requester.sequencer`, with a bus of its own."""
        return GuestSequence(name, scenario, self.bus_of)

    def bus_of(self, sequence: uvm_sequence) -> RtlBus:
        """A bus whose accesses are items of `sequence`."""
        controller = self.interrupt.controller
        return RtlBus(sequence, self.link, self.config.memory, controller, self.config.target_id)

    async def wait_for_reset(self) -> None:
        """Return once the function is out of its power-on reset."""
        control: Any = self.link.pins.control
        while not int(control.rst_n.value):
            await control.rst_n.value_change
        await Timer(CLOCK_NS, "ns")

    async def cold_reset(self) -> None:
        """Reset the function as a power cycle does: outstanding packets are lost on both sides."""
        control: Any = self.link.pins.control
        control.reset_request.value = 1
        await Timer(RESET_CLOCKS * CLOCK_NS, "ns")
        control.reset_request.value = 0
        self.link.drain()
        self.interrupt.controller.reset()
        await self.wait_for_reset()

    async def settle(self) -> bool:
        """Wait until nothing passes the pins and nobody owes anything; False after `SETTLE_LIMIT_NS`."""
        end = self.link.memory.time_ns + SETTLE_LIMIT_NS
        before = -1
        while self.link.memory.time_ns < end:
            await Timer(SETTLE_NS, "ns")
            self.scoreboard.pass_time()
            seen = self.link.memory.observed_bytes
            if seen == before and not self.requester.driver.outstanding and self.scoreboard.idle:
                return True
            before = seen
        return False
