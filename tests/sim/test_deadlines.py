"""Around the completion timeout."""

from __future__ import annotations

import pyuvm

from tb.sequences import deadlines
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Deadlines(ScenarioTest):
    """Answers just before the completion timeout, at it and after it; many timeouts in a row."""

    async def play(self, scene: Scene) -> None:
        await deadlines.answer_before_the_deadline(scene)
        await deadlines.answer_everything_late(scene)
        await deadlines.answer_at_the_deadline(scene)
        await deadlines.answer_after_the_deadline(scene)
        await deadlines.give_up_many(scene)
        await deadlines.hold_requests_past_the_deadline(scene)
