"""The base of every simulation test.

Builds the environment, runs one scenario, and lets the scoreboard decide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cocotb.triggers import select
from pyuvm import uvm_test

from tb.block_setup import block_config, judge_for
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.flow.paths import write_atomically
from tb.flow.progress import Progress
from tb.function_env import FunctionEnv
from tb.models.verdict import Verdict
from tb.run_guard import RunEndedError
from tb.scoreboard import JudgeLike
from tb.targets.rtl import RtlBus

COUNTERS = "counters.json"
LOOK_S = 1.0
"""Wall-clock time between two notes of where the run stands."""

__all__ = ["FunctionEnv", "FunctionTest"]


class FunctionTest(uvm_test):
    """One test on one function. A subclass gives `scenario`, and may change `configure`.

    `self.env` is the environment, `self.options` what the command asked for, `self.progress` where to
    report to. What a test adds to `self.figures` is written beside the counters. The test fails when the
    scenario raises, when the judge gave a verdict, when something is owed at the end, and when nothing was
    scored.
    """

    async def scenario(self, bus: RtlBus) -> None:
        """What the guest does."""
        raise NotImplementedError(f"{type(self).__name__} has no scenario")

    def configure(self, options: SimOptions) -> EnvConfig:
        """The environment's configuration: a block function with a disk, after the options."""
        return block_config(options)

    def judge_of(self, report: Callable[[Verdict], None]) -> JudgeLike:
        """The judge that reports its verdicts to `report`."""
        return judge_for(self.config, report)

    def build_phase(self) -> None:
        self.options = SimOptions.from_environment()
        self.progress = Progress(self.options.progress)
        self.figures: dict[str, Any] = {}
        self.config = self.configure(self.options)
        self.env = FunctionEnv.create("env", self)
        self.env.config = self.config
        self.env.judge_of = self.judge_of
        self.env.on_look = self.note
        self._next_note = 0.0

    async def run_phase(self) -> None:
        self.raise_objection()
        try:
            await self._run()
        finally:
            self.env.scoreboard.log.close()
            self.write_counters()
        self.drop_objection()

    async def _run(self) -> None:
        """Play until the end, or until the guard sees that nothing new will come."""
        env = self.env
        await env.wait_for_reset()
        await select(self._play(), env.ended.wait())
        if env.guard.reason:
            await env.tell_wedged()
            raise RunEndedError(f"{env.guard.reason}.")

    async def _play(self) -> None:
        """The scenario, then rest, then what is owed."""
        env = self.env
        try:
            await env.guest("guest", self.scenario).start(env.requester.sequencer)
            if not await env.settle():
                await env.tell_wedged()
        except Exception:
            # The guest gave up: what the function owes him now says why, and names the rule.
            await env.tell_wedged()
            env.scoreboard.end_of_test()
            raise
        env.scoreboard.end_of_test()

    def note(self) -> None:
        """Write down where the run stands, about once a second: it may be killed."""
        now = time.monotonic()
        if now >= self._next_note:
            self._next_note = now + LOOK_S
            self._write(self._counters(ended=False))

    def write_counters(self) -> None:
        """`counters.json` in the results folder, for the command that runs the test."""
        counters = self._counters(ended=True)
        self._write({**counters, "coverage": self.env.coverage.bins(), **self.figures})
        self.progress.close()

    def _counters(self, *, ended: bool) -> dict[str, Any]:
        """What was scored and judged so far; `ended` tells whether the test came to its end."""
        board, link = self.env.scoreboard, self.env.link
        return {
            **board.counts,
            "verdicts": board.log.texts(),
            "simulated_ns": link.memory.time_ns,
            "wakes": link.wakes,
            "ended": ended,
        }

    def _write(self, report: dict[str, Any]) -> None:
        write_atomically(Path(self.options.results_dir) / COUNTERS, json.dumps(report, indent=1))
