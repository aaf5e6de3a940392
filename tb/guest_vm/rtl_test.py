"""The simulation that a real guest drives: a test whose scenario is whatever the guest does.

It lies here and not among the tests because it needs a guest: `make guest` starts both.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pyuvm
from pyuvm import uvm_subscriber

from tb.agents.interrupt.item import InterruptSeen
from tb.block_setup import block_config
from tb.config import EnvConfig
from tb.env import FunctionTest
from tb.flow.options import SimOptions
from tb.function_env import CLOCK_NS
from tb.guest_vm.file_disk import FileDisk
from tb.guest_vm.rtl_function import SILENCE_LIMIT_NS, GuestRam, RtlFunction
from tb.guest_vm.server_options import ServerOptions, ServerResults
from tb.guest_vm.serving import offer
from tb.guest_vm.shape import shape_of
from tb.run_guard import RunLimits
from tb.targets.rtl import RtlBus

VERDICTS_WANTED = 5
VERDICTS_KEPT = 20
VERDICT_GRACE_S = 1.0
STUCK = f"stopped: the function owes an answer and has done nothing for {SILENCE_LIMIT_NS // 1_000_000} ms"


class InterruptWire(uvm_subscriber):
    """Hands the interrupts that the monitor finds to the function's host side."""

    function: RtlFunction | None = None

    def write(self, seen: InterruptSeen) -> None:
        if self.function is not None:
            self.function.interrupt(seen)


@pyuvm.test()
class RealGuest(FunctionTest):
    """A virtual machine's guest drives the function over vfio-user, and everything is scored."""

    def configure(self, options: SimOptions) -> EnvConfig:
        self.guest = ServerOptions.from_environment()
        self.disk = FileDisk(Path(self.guest.disk))
        self.ram = GuestRam()
        self.served = ServerResults()
        self.first_verdict = 0.0
        config = block_config(replace(options, disk=self.guest.disk))
        # A real guest may do nothing for as long as it likes; `why_stop` ends what never goes on.
        limits = RunLimits(repetitions=0, idle_ns=0, silence_ns=0)
        return replace(config, memory=self.ram, disk=self.disk, limits=limits)

    def build_phase(self) -> None:
        super().build_phase()
        self.wire = InterruptWire.create("wire", self)

    def connect_phase(self) -> None:
        super().connect_phase()
        self.env.interrupt.monitor.ap.connect(self.wire.analysis_export)

    async def scenario(self, bus: RtlBus) -> None:
        config = self.config
        shape = shape_of(config.profile, config.device)
        function = RtlFunction(bus, self.env, self.ram, shape)
        self.wire.function = function
        self.served = await offer(function, self.disk, self.guest, self.why_stop)

    def why_stop(self) -> str | None:
        """Why to stop the guest early: once the function is wrong, what the guest does then shows little."""
        log = self.env.scoreboard.log
        if not log.total:
            function = self.wire.function
            return STUCK if function is not None and function.stuck else None
        self.first_verdict = self.first_verdict or time.monotonic()
        if log.total < VERDICTS_WANTED and time.monotonic() < self.first_verdict + VERDICT_GRACE_S:
            return None
        return f"stopped after the golden model's verdict: {log.kinds[0]}"

    def write_counters(self) -> None:
        super().write_counters()
        board, served = self.env.scoreboard, self.served
        counts = board.counts
        served.accesses_scored = counts["accesses_scored"]
        served.dma_scored = counts["dma_scored"]
        served.interrupts_scored = counts["interrupts_scored"]
        served.mismatches = counts["mismatches"]
        served.verdicts = board.log.texts(VERDICTS_KEPT)
        served.clocks = self.env.link.memory.time_ns // CLOCK_NS
        served.save(Path(self.guest.results))
