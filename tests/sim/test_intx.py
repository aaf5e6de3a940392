"""INTx: the line, the ISR, Interrupt Disable."""

from __future__ import annotations

import pyuvm

from tb.sequences import line
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class IntxLine(ScenarioTest):
    """The line follows the ISR, Interrupt Disable, MSI-X and reset."""

    async def play(self, scene: Scene) -> None:
        await line.raise_and_lower(scene)
        await line.read_around_the_isr(scene)
        await line.disable_and_enable(scene)
        await line.hand_over_to_messages(scene)
        await line.lower_by_reset(scene)


@pyuvm.test()
class IntxInTraffic(ScenarioTest):
    """Suppression, a disk that grows, a hypervisor-like handler."""

    async def play(self, scene: Scene) -> None:
        await line.suppress_by_flag(scene)
        await line.announce_config_change(scene)
        await line.serve_in_traffic(scene)
        await line.read_the_isr_all_along(scene)
