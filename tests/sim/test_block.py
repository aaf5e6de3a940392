"""The block device: framings, types, lengths, the end of the disk."""

from __future__ import annotations

import pyuvm

from tb.agents.disk import Disk
from tb.block_setup import block_config, image_path
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.sequences import block_edges
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest

LONG_SERIAL = b"serial~of~20~letters"


@pyuvm.test()
class BlockData(ScenarioTest):
    """Data at every offset, headers and statuses cut anywhere, long requests."""

    async def play(self, scene: Scene) -> None:
        await block_edges.move_data_at_every_offset(scene)
        await block_edges.cut_header_and_status(scene)
        await block_edges.move_much(scene)


@pyuvm.test()
class BlockEdges(ScenarioTest):
    """Every type, odd lengths, GET_ID, the end of the disk, media errors."""

    def configure(self, options: SimOptions) -> EnvConfig:
        """A disk whose serial uses all of its 20 characters."""
        disk = Disk.open(image_path(options))
        disk.serial = LONG_SERIAL
        return block_config(options, disk)

    async def play(self, scene: Scene) -> None:
        await block_edges.try_every_type(scene)
        await block_edges.try_every_length(scene)
        await block_edges.ask_for_the_serial(scene)
        await block_edges.reach_for_the_end(scene)
        await block_edges.fail_the_media(scene)


@pyuvm.test()
class BlockReadOnly(ScenarioTest):
    """A read-only disk refuses writes."""

    async def play(self, scene: Scene) -> None:
        await block_edges.write_a_read_only_disk(scene)
