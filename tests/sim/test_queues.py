"""Several queues on one function."""

from __future__ import annotations

import pyuvm

from tb.sequences import queues
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Queues(ScenarioTest):
    """Each queue has its own ring, indices, vector and fate."""

    async def play(self, scene: Scene) -> None:
        await queues.serve_each(scene)
        await queues.serve_all_at_once(scene)
        await queues.give_each_a_vector(scene)
        await queues.stop_one(scene)
        await queues.fail_one(scene)
        await queues.reset_among_many(scene)
