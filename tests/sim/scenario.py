"""The base of the tests that play scenarios: it puts the environment behind a scenario's `Scene`."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from pyuvm import uvm_sequence, uvm_sequence_item

from tb.agents.completer.item import FaultItem
from tb.agents.completer.item import ReadFault as AgentFault
from tb.agents.media.item import CapacityItem, MediaFaultItem
from tb.config import PACES
from tb.env import FunctionEnv, FunctionTest
from tb.pcie.tlp import Tlp, TlpType
from tb.sequences.scene import Pace, ReadFault, Scene
from tb.targets.rtl import RtlBus

Answer = Callable[[], Awaitable[Tlp | None]]
LATE_CLOCKS = 600
CONFIG_TYPES = (TlpType.CONFIG_READ, TlpType.CONFIG_WRITE)


class _OneItem(uvm_sequence):
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

    async def fail_read(
        self, addresses: range, fault: ReadFault, *, skip: int = 0, good_bytes: int = 0
    ) -> None:
        """One read that touches `addresses` goes wrong."""
        item = FaultItem(
            AgentFault[fault.name],
            addresses=addresses,
            skip=skip,
            good_bytes=good_bytes,
            delay=LATE_CLOCKS if fault is ReadFault.LATE else 0,
        )
        await _OneItem(item).start(self._env.completer.sequencer)

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
        await _OneItem(MediaFaultItem(count=requests)).start(self._env.media.sequencer)

    async def cold_reset(self) -> None:
        """A power cycle."""
        await self._env.cold_reset()
        self._bus.forget_bars()

    async def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        await _OneItem(CapacityItem(sectors)).start(self._env.media.sequencer)


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
