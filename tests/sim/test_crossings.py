"""Every state of the function crossed with every event from outside."""

from __future__ import annotations

import pyuvm

from tb.sequences import crossings, outside
from tb.sequences.scene import Scene
from tb.sequences.stages import STAGES
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Crossings(ScenarioTest):
    """Each state of the engine meets each event from outside."""

    async def play(self, scene: Scene) -> None:
        await crossings.walk(scene, crossings.pairs(STAGES, outside.EVENTS))


@pyuvm.test()
class SilentCrossings(ScenarioTest):
    """Reads that get no answer, or a late one, in every state that reads."""

    async def play(self, scene: Scene) -> None:
        chosen = crossings.pairs(STAGES, outside.silent_faults() * 4)
        await crossings.walk(scene, chosen, settle_ns=crossings.TIMEOUT_NS)
