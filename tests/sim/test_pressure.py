"""The access side under pressure."""

from __future__ import annotations

import pyuvm

from tb.sequences import pressure
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class AccessPressure(ScenarioTest):
    """Many accesses at once, and sweeps while packets are throttled."""

    async def play(self, scene: Scene) -> None:
        await pressure.crowd_requests(scene)
        await pressure.sweep_under_pressure(scene)
