"""The base of the tests that play scenarios: it puts the environment behind a scenario's `Scene`."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import cocotb
from cocotb.triggers import Timer
from pyuvm import uvm_sequence, uvm_sequence_item

from tb.agents.completer.item import FaultItem
from tb.agents.completer.item import ReadFault as AgentFault
from tb.agents.media.item import CapacityItem, MediaFaultItem
from tb.agents.watcher import PinWatch, Watcher
from tb.config import PACES
from tb.env import FunctionEnv, FunctionTest
from tb.function_env import CLOCK_NS
from tb.harness.shared_memory import ALWAYS, Stream
from tb.pcie.moment import Matcher, Port, Watch
from tb.pcie.tlp import Tlp, TlpType
from tb.sequences.scene import Pace, ReadFault, Scene
from tb.targets.rtl import RtlBus

Answer = Callable[[], Awaitable[Tlp | None]]
LATE_CLOCKS = 600
TRICKLE = 240
"""The chance of a pause, in 1/256, of a stream on which a beat passes now and then."""
CONFIG_TYPES = (TlpType.CONFIG_READ, TlpType.CONFIG_WRITE)


class OneItem(uvm_sequence):
    """A sequence of one item."""

    def __init__(self, item: uvm_sequence_item) -> None:
        super().__init__("one_item")
        self._item = item

    async def body(self) -> None:
        await self.start_item(self._item)
        await self.finish_item(self._item)


class EnvironmentControls:
    """Implements `HostControls` with the agents of an environment."""

    def __init__(self, env: FunctionEnv, bus: RtlBus) -> None:
        self._env = env
        self._bus = bus
        self._payload = 128
        self._watcher = Watcher(env.link)
        self._holds: dict[Stream, int] = {}

    async def fail_read(
        self,
        addresses: range,
        fault: ReadFault,
        *,
        skip: int = 0,
        good_bytes: int = 0,
        count: int = 1,
        delay: int | None = None,
    ) -> None:
        """Reads that touch `addresses` go wrong."""
        late = LATE_CLOCKS if fault is ReadFault.LATE else 0
        item = FaultItem(
            AgentFault[fault.name],
            addresses=addresses,
            count=count,
            skip=skip,
            good_bytes=good_bytes,
            delay=late if delay is None else delay,
        )
        await OneItem(item).start(self._env.completer.sequencer)

    def mend(self) -> None:
        """No fault asked for earlier happens any more."""
        self._env.completer.driver.forget_faults()
        self._env.media.driver.forget_faults()

    def watch(self, matches: Matcher, occurrence: int = 1) -> Watch:
        """A wait for something to pass the pins."""
        return self._watcher.watch(matches, occurrence)

    def drop(self, watch: Watch) -> None:
        """Watch no longer."""
        if isinstance(watch, PinWatch):
            self._watcher.drop(watch)

    def hold(self, port: Port, clocks: int, *, longest: int = 0) -> None:
        """Nothing, or a beat now and then, passes on that stream for so many clocks."""
        stream = Stream[port.name]
        self._holds[stream] = self._holds.get(stream, 0) + 1
        chance = TRICKLE if longest else ALWAYS
        self._env.link.memory.set_throttle(stream, chance, max(1, longest), clocks)
        cocotb.start_soon(self._release(stream, clocks, self._holds[stream]))

    def release(self, port: Port) -> None:
        """That stream goes on."""
        stream = Stream[port.name]
        self._holds[stream] = self._holds.get(stream, 0) + 1
        self._env.set_stall(stream)

    async def _release(self, stream: Stream, clocks: int, number: int) -> None:
        """After so many clocks the stream goes on, unless it was held anew meanwhile."""
        await Timer(clocks * CLOCK_NS, "ns")
        if self._holds[stream] == number:
            self._env.set_stall(stream)

    def count(self, group: str, name: str) -> None:
        """One hit for the coverage."""
        self._env.coverage.hit(group, name)

    async def pace(self, pace: Pace) -> None:
        """From now on the host behaves like that."""
        self._env.config.traffic = PACES[pace.name.lower()]
        self._env.set_traffic()
        self._env.completer.config.max_payload = self._payload

    async def completion_payload(self, most: int) -> None:
        """Completions carry at most so many bytes."""
        self._payload = most
        self._env.completer.config.max_payload = most

    async def fail_media(self, requests: int = 1) -> None:
        """The next so many requests to the media end in an error."""
        await OneItem(MediaFaultItem(count=requests)).start(self._env.media.sequencer)

    async def cold_reset(self) -> None:
        """A power cycle."""
        await self._env.cold_reset()
        self._bus.forget_bars()

    def capacity(self) -> int:
        """The disk's size as it is now."""
        return self._env.media.config.disk.sectors

    async def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        await OneItem(CapacityItem(sectors)).start(self._env.media.sequencer)


class ScenarioTest(FunctionTest):
    """A test that plays one or more scenarios. A subclass gives `play`."""

    async def play(self, scene: Scene) -> None:
        """What the guest and the host do."""
        raise NotImplementedError(f"{type(self).__name__} plays nothing")

    async def scenario(self, bus: RtlBus) -> None:
        """Play, with chance that follows the seed and the test's name."""

        async def start(tlp: Tlp) -> Answer:
            if tlp.type in CONFIG_TYPES and not tlp.target_id:
                tlp.target_id = bus.target_id
            item = await bus.start(tlp, keep_ids=bool(tlp.requester_id))

            async def answer() -> Tlp | None:
                if tlp.posted:
                    return None
                await item.completed.wait()
                return item.last

            return answer

        async def send(tlp: Tlp) -> Tlp | None:
            return await (await start(tlp))()

        chance = random.Random(f"{self.options.seed}/{type(self).__name__}")
        await self.play(Scene(bus, send, chance, EnvironmentControls(self.env, bus), start))
