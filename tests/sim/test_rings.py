"""Well-formed rings: chains, indices, suppression."""

from __future__ import annotations

import pyuvm

from tb.sequences import rings, walks
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class ChainLengths(ScenarioTest):
    """Chains of every length, direct and indirect; full rings."""

    async def play(self, scene: Scene) -> None:
        await rings.chains_of_every_length(scene)
        await rings.fill_the_ring(scene)


@pyuvm.test()
class RingPlaces(ScenarioTest):
    """Rings and tables anywhere in memory, chains scattered over the table."""

    async def play(self, scene: Scene) -> None:
        await rings.place_rings_anywhere(scene)
        await rings.place_tables_anywhere(scene)
        await rings.scatter_descriptors(scene)
        await walks.walk_ring_addresses(scene)


@pyuvm.test()
class EventIndex(ScenarioTest):
    """used_event everywhere, NOTIFY_ON_EMPTY, chains that appear while the device drains."""

    async def play(self, scene: Scene) -> None:
        await rings.place_used_events(scene)
        await rings.start_with_far_events(scene)
        await rings.notify_on_empty(scene)
        await rings.race_with_the_device(scene)


@pyuvm.test()
class IndexWrap(ScenarioTest):
    """More requests than a 16-bit index counts."""

    async def play(self, scene: Scene) -> None:
        await rings.wrap_the_indices(scene)
