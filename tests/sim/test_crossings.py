"""Every state of the function crossed with every event from outside."""

from __future__ import annotations

import pyuvm

from tb.pcie.moment import PassedKind
from tb.sequences import crossings, outside
from tb.sequences.scene import Scene
from tb.sequences.stages import STAGES
from tests.sim.scenario import ScenarioTest


@pyuvm.test()
class Crossings(ScenarioTest):
    """Each state of the engine meets each event from outside."""

    async def play(self, scene: Scene) -> None:
        chosen = crossings.pairs(STAGES, outside.EVENTS)
        await crossings.walk(scene, crossings.alike(chosen, self.options.extra.get("pairs", "")))


@pyuvm.test()
class InterruptsInLine(ScenarioTest):
    """Several interrupts wait to leave one after the other while masks, enables, bus master, reset come."""

    async def play(self, scene: Scene) -> None:
        chosen = crossings.of_interrupts(STAGES, outside.EVENTS) * 6
        await crossings.walk(scene, chosen, chances=crossings.Chances(line=1.0))


@pyuvm.test()
class AwaitedAnswers(ScenarioTest):
    """Everything that may come from outside comes while the function waits for a late answer."""

    async def play(self, scene: Scene) -> None:
        asking = [stage for stage in STAGES if stage.kind is PassedKind.READ]
        chosen = crossings.pairs(asking, [event for event in outside.EVENTS if event.fault is None])
        await crossings.walk(scene, chosen, chances=crossings.Chances(late=1.0))


@pyuvm.test()
class SilentCrossings(ScenarioTest):
    """Reads that get no answer, or a late one, in every state that reads."""

    async def play(self, scene: Scene) -> None:
        chosen = crossings.pairs(STAGES, outside.silent_faults() * 4)
        await crossings.walk(scene, chosen, settle_ns=crossings.TIMEOUT_NS)
