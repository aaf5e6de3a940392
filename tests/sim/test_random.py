"""Constrained-random traffic."""

from __future__ import annotations

import pyuvm

from tb.sequences import traffic
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class RandomTraffic(ScenarioTest):
    """Everything a random guest may do."""

    async def play(self, scene: Scene) -> None:
        await traffic.mixed(scene)


@pyuvm.test()
class RandomSteady(ScenarioTest):
    """A random guest without resets."""

    async def play(self, scene: Scene) -> None:
        await traffic.steady(scene)
