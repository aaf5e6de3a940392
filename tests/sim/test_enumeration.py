"""Enumeration: what firmware and the operating system see of the function."""

from __future__ import annotations

import pyuvm

from tb.sequences import bursts, config_space
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Enumeration(ScenarioTest):
    """The function is found, sized, and is what it must be."""

    async def play(self, scene: Scene) -> None:
        await config_space.identify(scene)


@pyuvm.test()
class BarBits(ScenarioTest):
    """Every bit of every BAR, and decoding by every address bit."""

    async def play(self, scene: Scene) -> None:
        await config_space.size_bars_bit_by_bit(scene)
        await config_space.decode_every_address_bit(scene)


@pyuvm.test()
class Decoding(ScenarioTest):
    """Decoding switched, foreign and poisoned requests, identifiers in completions."""

    async def play(self, scene: Scene) -> None:
        await config_space.switch_decoding(scene)
        await config_space.refuse_foreign_requests(scene)
        await config_space.poison_requests(scene)
        await config_space.vary_the_requester(scene)


@pyuvm.test()
class Bursts(ScenarioTest):
    """Packets of many DWs: the MSI-X table read and written in pieces, long packets that are dropped."""

    async def play(self, scene: Scene) -> None:
        await bursts.read_bar1(scene)
        await bursts.write_bar1(scene)
        await bursts.drop_long_packets(scene)
