"""Bus master and decoding switched while requests run."""

from __future__ import annotations

import pyuvm

from tb.sequences import lifecycle
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class BusMaster(ScenarioTest):
    """Bus master off and on at every moment."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.switch_bus_master_in_traffic(scene)
        await lifecycle.flick_bus_master(scene)
        await lifecycle.kick_without_bus_master(scene)
        await lifecycle.reset_without_bus_master(scene)


@pyuvm.test()
class DecodingInTraffic(ScenarioTest):
    """I/O and memory decoding off and on while requests run."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.switch_decoding_in_traffic(scene)
