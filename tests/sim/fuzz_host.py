"""The host and the disk of an environment, as genomes control them."""

from __future__ import annotations

import random
from collections.abc import Callable

from tb.agents.completer.item import FaultItem, ReadFault
from tb.agents.media.item import CapacityItem, MediaFaultItem
from tb.function_env import FunctionEnv
from tb.harness.shared_memory import Stream
from tests.sim.scenario import OneItem

LATE_CLOCKS = {ReadFault.LATE: 300, ReadFault.TOO_LATE: 7500}
"""LATE stays below the completion timeout of the configurations that are fuzzed, TOO_LATE above it."""
LONGEST_ANSWER_STALL = 6
"""Clocks: with longer stalls good answers would come after the completion timeout, which no host may do."""


class EnvironmentHost:
    """Implements `FuzzHost` with the agents of an environment."""

    def __init__(self, env: FunctionEnv, wipe: Callable[[], None]) -> None:
        self._env = env
        self._wipe = wipe
        self._sectors = env.config.disk.sectors
        self._stalls = random.Random(0)

    def reseed(self, seed: int) -> None:
        """Every choice follows this number from now on."""
        self._env.completer.config.random = random.Random(f"{seed}/completer")
        self._env.media.config.random = random.Random(f"{seed}/media")
        self._stalls = random.Random(f"{seed}/stalls")

    def answer_after(self, least: int, most: int) -> None:
        """Completions start so many clocks after their request."""
        self._env.completer.config.delay = (least, most)

    def split_answers(self, per_256: int, gap: int) -> None:
        """Completions end early with that chance, their parts at most `gap` clocks apart."""
        self._env.completer.config.split_chance = per_256 / 256
        self._env.completer.config.part_delay = (0, gap)

    def shape_answers(self, payload: int, boundary: int) -> None:
        """The host's Max_Payload_Size and read completion boundary; one part holds a boundary at least."""
        self._env.completer.config.max_payload = max(payload, boundary)
        self._env.completer.config.boundary = boundary

    def stall(self, stream: str, per_256: int, longest: int) -> None:
        """A stream stands still with that chance a clock, for up to `longest` clocks."""
        longest = min(longest, LONGEST_ANSWER_STALL) if stream == Stream.RX_CPL.name else longest
        self._env.link.memory.set_throttle(Stream[stream], per_256, longest, self._stalls.getrandbits(63))

    async def spoil_read(self, fault: str, skip: int, good: int) -> None:
        """One of the function's reads goes wrong."""
        kind = ReadFault[fault]
        item = FaultItem(kind, skip=skip, good_bytes=good, delay=LATE_CLOCKS.get(kind, 0))
        await OneItem(item).start(self._env.completer.sequencer)

    def disk_after(self, least: int, most: int) -> None:
        """The disk answers so many clocks after a request."""
        self._env.media.config.delay = (least, most)

    async def fail_disk(self, skip: int) -> None:
        """One request to the disk fails."""
        await OneItem(MediaFaultItem(skip=skip)).start(self._env.media.sequencer)

    async def resize(self, sectors: int) -> None:
        """The disk has another size."""
        await OneItem(CapacityItem(sectors)).start(self._env.media.sequencer)

    async def power_cycle(self) -> None:
        """The function is reset by its pin."""
        await self._env.cold_reset()

    def release(self) -> None:
        """Nothing holds the function up any more: it may finish."""
        self.answer_after(0, 0)
        self.split_answers(0, 0)
        self.disk_after(0, 0)
        for stream in Stream:
            self._env.link.memory.set_throttle(stream, 0, 0, 1)

    async def forget(self) -> None:
        """Host, disk and memory as in the beginning, the function as after power-up."""
        env = self._env
        if env.config.disk.sectors != self._sectors:
            await self.resize(self._sectors)
        self.release()
        self.shape_answers(128, 64)
        await env.cold_reset()
        env.completer.driver.forget_faults()
        env.media.driver.forget_faults()
        env.requester.driver.forget()
        self._wipe()
        self.reseed(1)
