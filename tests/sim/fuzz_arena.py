"""Plays genomes on the RTL: each from power-up, in one simulation, everything judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cocotb.triggers import Timer

from tb.function_env import FunctionEnv
from tb.fuzz.campaign import Played
from tb.fuzz.corpus import as_text
from tb.fuzz.findings import Fault
from tb.fuzz.grammar import Step
from tb.fuzz.player import Player
from tb.harness.coverage import CoverageWindow
from tb.sequences.raw_ring import queue_size
from tb.sequences.scene import Scene
from tb.verdict_log import VerdictLog
from tests.sim.fuzz_host import EnvironmentHost
from tests.sim.fuzz_judge import GuardedJudge, told

STEP_NS = 1_000
QUIET_NS = 2_000
STUCK_NS = 100_000
"""A function that owes something and sends nothing for so long never will: longer than any timeout."""
LIMIT_NS = 3_000_000
PLAYER_ERROR = "FUZZ-PLAYER"


class RtlArena:
    """Implements `Arena` on an environment whose judge is guarded. Call `open` once.

    `judge` is that judge, `wipe` empties guest memory and takes back what was written to the disk.
    """

    def __init__(self, env: FunctionEnv, scene: Scene, judge: GuardedJudge, wipe: Callable[[], None]) -> None:
        self._env = env
        self._judge = judge
        self._scene = scene
        self._size = 0
        self.host = EnvironmentHost(env, wipe)
        self.coverage: CoverageWindow | None = None
        self._playing: Path | None = None

    async def open(self, folder: Path) -> None:
        """Find the function, and what the build counts."""
        self._playing = folder / "playing.json"
        await self._scene.enumerate()
        self._size = await queue_size(self._scene)
        if self._env.link.memory.coverage:
            self.coverage = CoverageWindow(self._env.link.memory.coverage, folder)
        await self._leave()

    async def play(self, steps: Sequence[Step], *, remember: bool = True) -> Played:
        """Play one genome; without `remember`, what it reaches stays new."""
        board = self._env.scoreboard
        faults = []
        if self._playing is not None:
            self._playing.write_text(as_text(steps), encoding="utf-8")
        try:
            await Player(self._scene, self.host, self._size).play(steps)
        except Exception as error:
            faults.append(Fault(PLAYER_ERROR, told(error)))
        self.host.release()
        if await self._settled():
            board.end_of_test()
        faults += [Fault(kind.first.rule, kind.first.what, str(kind)) for kind in board.log.kinds]
        await self._leave()
        return Played(tuple(faults), self._fresh(remember))

    def _fresh(self, remember: bool) -> int:
        """How much of what the simulation and the judge went through is new."""
        fresh = self._judge.situations.take(remember=remember)
        if self.coverage is None:
            return fresh
        if remember:
            return fresh + len(self.coverage.take())
        self.coverage.skip()
        return fresh

    async def _leave(self) -> None:
        await self.host.forget()
        self._env.scoreboard.log = VerdictLog()

    async def _settled(self) -> bool:
        """Wait until nothing moves and nothing is owed, or nothing moves for too long.

        False where it moves on and on: then nobody can say what is owed.
        """
        env = self._env
        waited, quiet, before = 0, 0, -1
        while waited < LIMIT_NS:
            await Timer(STEP_NS, "ns")
            env.link.drain()
            seen = env.link.memory.observed_bytes
            quiet = quiet + STEP_NS if seen == before else 0
            idle = not env.requester.driver.outstanding and env.scoreboard.idle
            if quiet >= (QUIET_NS if idle else STUCK_NS):
                return True
            waited, before = waited + STEP_NS, seen
        return False
