"""Configuration space: every register, every bit, every byte enable."""

from __future__ import annotations

import pyuvm

from tb.sequences import config_space
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class ConfigReads(ScenarioTest):
    """Every byte by every width and byte enable."""

    async def play(self, scene: Scene) -> None:
        await config_space.read_everything(scene)
        await config_space.read_every_enable(scene)


@pyuvm.test()
class ConfigBits(ScenarioTest):
    """Walking ones and zeros through every register."""

    async def play(self, scene: Scene) -> None:
        await config_space.write_every_bit(scene)


@pyuvm.test()
class ConfigEnables(ScenarioTest):
    """Every byte enable on every register, then random writes."""

    async def play(self, scene: Scene) -> None:
        await config_space.write_every_enable(scene)
        await config_space.write_random_registers(scene)
        await config_space.toggle_interrupt_disable(scene)
