"""Streams held for long while the others are used."""

from __future__ import annotations

import pyuvm

from tb.sequences import streams
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class HeldStreams(ScenarioTest):
    """No stream waits for another one that it need not wait for."""

    async def play(self, scene: Scene) -> None:
        await streams.answers_while_requests_wait(scene)
        await streams.posted_writes_while_requests_wait(scene)
        await streams.work_while_completions_wait(scene)
        await streams.tell_many_changes(scene)
        await streams.fill_both_directions(scene)
