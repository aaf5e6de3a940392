"""DMA: sizes, borders, answers in every order, answers gone wrong."""

from __future__ import annotations

import pyuvm

from tb.sequences import dma, walks
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class DmaSizes(ScenarioTest):
    """Every payload and read request size, every border of a page."""

    async def play(self, scene: Scene) -> None:
        await dma.obey_every_size(scene)
        await dma.cross_every_border(scene)


@pyuvm.test()
class DmaPaces(ScenarioTest):
    """Late, split, reordered and throttled answers."""

    async def play(self, scene: Scene) -> None:
        await dma.answer_in_every_pace(scene)


@pyuvm.test()
class DmaErrors(ScenarioTest):
    """Reads that end in an error."""

    async def play(self, scene: Scene) -> None:
        await dma.fail_quickly(scene)
        await dma.fail_while_others_wait(scene)


@pyuvm.test()
class DmaTimeouts(ScenarioTest):
    """Reads that get no answer."""

    async def play(self, scene: Scene) -> None:
        await dma.fail_by_silence(scene)
        await dma.reset_while_answers_are_missing(scene)


@pyuvm.test()
class AddressBits(ScenarioTest):
    """A one in every bit of buffer addresses, buffer lengths and the capacity."""

    async def play(self, scene: Scene) -> None:
        await walks.walk_buffer_addresses(scene)
        await walks.walk_lengths(scene)
        await walks.walk_capacity(scene)
