"""The legacy registers of BAR0, in both layouts."""

from __future__ import annotations

import pyuvm

from tb.sequences import registers
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class RegisterReads(ScenarioTest):
    """All of BAR0 by every width and byte enable, with MSI-X off, on and masked."""

    async def play(self, scene: Scene) -> None:
        await scene.enumerate()
        await registers.in_both_layouts(scene, registers.read_whole_bar)
        await registers.read_device_config(scene)


@pyuvm.test()
class RegisterWrites(ScenarioTest):
    """Every byte enable into every DW of BAR0, with MSI-X off, on and masked."""

    async def play(self, scene: Scene) -> None:
        await scene.enumerate()
        await registers.in_both_layouts(scene, registers.write_whole_bar)


@pyuvm.test()
class RegisterBits(ScenarioTest):
    """Features, queue address, selector, status and vectors bit by bit."""

    async def play(self, scene: Scene) -> None:
        await scene.enumerate()
        await registers.walk_feature_bits(scene)
        await registers.walk_queue_address(scene)
        await registers.walk_queue_select(scene)
        await registers.walk_status(scene)
        await registers.walk_vectors(scene)


@pyuvm.test()
class RegisterReset(ScenarioTest):
    """What a reset clears and keeps; kicks that nobody answers."""

    async def play(self, scene: Scene) -> None:
        await scene.enumerate()
        await registers.notify_nobody(scene)
        await registers.reset_from_anything(scene)


@pyuvm.test()
class RegisterPokes(ScenarioTest):
    """Random accesses to BAR0."""

    async def play(self, scene: Scene) -> None:
        await scene.enumerate()
        await registers.poke_at_random(scene)
