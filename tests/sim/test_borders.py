"""Values at the borders of what the function counts and adds."""

from __future__ import annotations

import pyuvm

from tb.sequences import borders
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Borders(ScenarioTest):
    """Tables around 64 KiB and 1 MiB, buffers at the ends of memory, sectors around 2^32."""

    async def play(self, scene: Scene) -> None:
        await borders.reach_far_in_tables(scene)
        await borders.leave_far_tables(scene)
        await borders.end_at_the_last_byte(scene)
        await borders.read_around_large_sectors(scene)


@pyuvm.test()
class EventBorders(ScenarioTest):
    """Interrupts wished for at every distance, and suppressed in every way, from the first chain on."""

    async def play(self, scene: Scene) -> None:
        await borders.wish_for_every_event(scene)
        await borders.suppress_and_run_empty(scene)
