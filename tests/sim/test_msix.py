"""MSI-X: table, pending bits, messages."""

from __future__ import annotations

import pyuvm

from tb.sequences import messages, msix_table
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class MsixTableBits(ScenarioTest):
    """Every bit of the table, by every width and byte enable."""

    async def play(self, scene: Scene) -> None:
        await msix_table.walk_table_bits(scene)
        await msix_table.fill_table(scene)
        await msix_table.write_table_by_parts(scene)
        await msix_table.walk_message_control(scene)


@pyuvm.test()
class MsixMapping(ScenarioTest):
    """Each event to each vector, each message bit on the wire."""

    async def play(self, scene: Scene) -> None:
        await messages.map_every_vector(scene)
        await messages.aim_messages_anywhere(scene)


@pyuvm.test()
class MsixPending(ScenarioTest):
    """Masked messages: held, sent once, moved, dropped by reset."""

    async def play(self, scene: Scene) -> None:
        await messages.hold_by_mask(scene)
        await messages.change_while_pending(scene)
        await messages.keep_pending_over_disable(scene)
        await messages.release_as_the_line_falls(scene)
        await messages.drop_pending_at_reset(scene)
        await messages.hold_by_bus_master(scene)
        await messages.move_queue_while_pending(scene)


@pyuvm.test()
class MsixInTraffic(ScenarioTest):
    """Masks toggled while requests run, and a disk that grows."""

    async def play(self, scene: Scene) -> None:
        await messages.toggle_masks_in_traffic(scene)
        await messages.announce_config_change(scene)


@pyuvm.test()
class ConfigInMotion(ScenarioTest):
    """The capacity read all along while it changes: never back and forth, never half of it."""

    async def play(self, scene: Scene) -> None:
        await messages.read_capacity_all_along(scene)
