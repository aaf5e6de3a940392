"""The base of every simulation test.

Builds the environment, runs one scenario, and lets the scoreboard decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyuvm import uvm_test

from tb.block_setup import block_config, judge_for
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.flow.progress import Progress
from tb.function_env import FunctionEnv
from tb.models.verdict import Verdict
from tb.scoreboard import JudgeLike
from tb.targets.rtl import RtlBus

COUNTERS = "counters.json"
VERDICTS_WRITTEN = 100

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

    async def run_phase(self) -> None:
        self.raise_objection()
        try:
            await self.env.wait_for_reset()
            guest = self.env.guest("guest", self.scenario)
            await guest.start(self.env.requester.sequencer)
            await self.env.settle()
            self.env.scoreboard.end_of_test()
        except Exception:
            # The guest gave up: what the function owes him now says why, and names the rule.
            self.env.scoreboard.end_of_test()
            raise
        finally:
            self.write_counters()
        self.drop_objection()

    def write_counters(self) -> None:
        """`counters.json` in the results folder, for the command that runs the test."""
        board = self.env.scoreboard
        report = {
            **board.counts,
            "verdicts": [str(verdict) for verdict in board.verdicts[:VERDICTS_WRITTEN]],
            "simulated_ns": self.env.link.memory.time_ns,
            "wakes": self.env.link.wakes,
            "coverage": self.env.coverage.bins(),
            **self.figures,
        }
        folder = Path(self.options.results_dir)
        (folder / COUNTERS).write_text(json.dumps(report, indent=1), encoding="utf-8")
        self.progress.close()
