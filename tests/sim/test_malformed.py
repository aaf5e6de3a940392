"""Malformed rings: the ring table of the bad inputs."""

from __future__ import annotations

import pyuvm

from tb.sequences import malformed
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class MalformedFirst(ScenarioTest):
    """Every malformed chain in the first place of a fresh ring."""

    async def play(self, scene: Scene) -> None:
        await malformed.stop_by_every_row(scene)


@pyuvm.test()
class MalformedLater(ScenarioTest):
    """Every malformed chain after good ones."""

    async def play(self, scene: Scene) -> None:
        await malformed.stop_after_good_ones(scene)


@pyuvm.test()
class OddButLegal(ScenarioTest):
    """Every odd chain that is legal."""

    async def play(self, scene: Scene) -> None:
        await malformed.serve_every_odd_row(scene)
