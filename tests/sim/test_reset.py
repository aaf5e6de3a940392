"""Reset as a fence, and restarts."""

from __future__ import annotations

import pyuvm

from tb.sequences import lifecycle
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class ResetFence(ScenarioTest):
    """Resets at every moment of a batch."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.reset_at_any_moment(scene)
        await lifecycle.reset_by_pfn_at_any_moment(scene)


@pyuvm.test()
class ResetUnderLoad(ScenarioTest):
    """Resets while answers are slow, reordered and throttled."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.reset_under_load(scene)
        await lifecycle.resize_into_reset(scene)
        await lifecycle.restart_at_once(scene)


@pyuvm.test()
class EarlyUse(ScenarioTest):
    """Use before DRIVER_OK, spurious kicks, a second ring address."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.use_before_driver_ok(scene)
        await lifecycle.kick_without_work(scene)
        await lifecycle.rewrite_live_address(scene)


@pyuvm.test()
class PowerCycle(ScenarioTest):
    """A conventional reset at every moment, and the power-up state after it."""

    async def play(self, scene: Scene) -> None:
        await lifecycle.power_cycle_at_any_moment(scene)
