"""What is played: every device with every kind of traffic, as rows that follow from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tb.models.profile import Profile
from tb.oracle.devices import build_device
from tb.oracle.live.kinds import KINDS, Kind, Role
from tb.oracle.live.plan import Plan, Shape
from tb.oracle.live.scenario_block import block
from tb.oracle.live.scenario_console import console
from tb.oracle.live.scenario_memory import balloon, entropy
from tb.oracle.live.scenario_net import net
from tb.oracle.live.scenario_registers import registers
from tb.oracle.trace import Row

_TRAFFIC: dict[Role, Callable[[Plan], None]] = {
    "block": block,
    "net": net,
    "console": console,
    "balloon": balloon,
    "entropy": entropy,
}


@dataclass(frozen=True, slots=True)
class Bout:
    """One plan for one device: ``scenario`` is "registers" or "traffic"."""

    kind: Kind
    scenario: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind.name}/{self.scenario}_{self.seed}"

    def rows(self, profile: Profile) -> list[Row]:
        """The plan; the same for the same seed."""
        rng = Random(f"{self.seed}/{self.kind.name}/{self.scenario}")
        plan = Plan(self.kind, Shape.of(build_device(profile, self.kind.header())), rng)
        scenario = registers if self.scenario == "registers" else _TRAFFIC[self.kind.role]
        scenario(plan)
        return plan.rows

    def header(self) -> Row:
        """The header of the trace that this bout gives."""
        return self.kind.header() | {"scenario": self.name, "seed": self.seed, "generator": "live"}


def kinds(device: str | None) -> tuple[Kind, ...]:
    """The devices that ``device`` names, by their own name or their type's; all of them for None."""
    return tuple(kind for kind in KINDS if device in (None, kind.name, kind.role))


def bouts(seed: int, device: str | None) -> Iterator[Bout]:
    """All that one seed stands for."""
    for kind in kinds(device):
        for scenario in ("registers", "traffic"):
            yield Bout(kind, scenario, seed)
