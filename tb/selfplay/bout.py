"""One bout: a function, a host and a guest drawn from a seed,
played to the end under the eyes of the judge.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tb.models.judge.judge import Judge
from tb.models.profile import Profile
from tb.models.verdict import Verdict
from tb.selfplay.bus import Bus
from tb.selfplay.choices import KNOWN, WIDE, Settings, draw
from tb.selfplay.clock import Clock
from tb.selfplay.guest import Guest, Machine
from tb.selfplay.host import Host
from tb.selfplay.lie_table import FAMILIES, LIES
from tb.selfplay.lies import Liar
from tb.selfplay.player.core import PlayedDisk
from tb.selfplay.player.function import Function
from tb.selfplay.profiles import draw_profile, fit
from tb.selfplay.steps import Step, draw_plan, play
from tb.selfplay.wire import Wire

STEPS = 60
MOST_EVENTS = 40_000
SETTLE_NS = 100_000
_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Order:
    """What to play: a seed, the choices that may be taken, the lie to tell, the steps to keep (None: all)."""

    seed: int
    choices: tuple[str, ...] = KNOWN
    lie: str = ""
    steps: tuple[int, ...] | None = None
    length: int = STEPS


@dataclass(slots=True)
class Outcome:
    """What came of it. `lied`: the function has lied; `at_lie`: verdicts there were before; `taken`:
    the choices.

    `crash` is the traceback of a judge (or a player) that broke.
    """

    order: Order
    events: int = 0
    steps: int = 0
    now_ns: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    lied: bool = False
    at_lie: int = 0
    taken: tuple[str, ...] = ()
    crash: str = ""
    trace: list[str] = field(default_factory=list)

    @property
    def told(self) -> bool:
        """Whether the first verdict on the lie names one of its rules."""
        after = self.verdicts[self.at_lie :]
        return bool(after) and names(LIES[self.order.lie].rules, after[0].rule)

    @property
    def false_alarms(self) -> list[Verdict]:
        """Verdicts that no lie explains."""
        return self.verdicts[: self.at_lie] if self.lied else self.verdicts


def names(rules: str, rule: str) -> bool:
    """Whether a verdict's rule is one of `rules`."""
    wanted = rules.split()
    return rule in wanted or any(word in FAMILIES and rule.startswith(FAMILIES[word]) for word in wanted)


class Bout:
    """Everything of one bout, wired."""

    def __init__(self, order: Order) -> None:
        self.order = order
        rng = random.Random(order.seed)
        needs = LIES[order.lie].needs if order.lie else ()
        allowed = [name for name in order.choices if not (order.lie and name in WIDE)]
        self.settings = _settings(random.Random(rng.random()), allowed, needs)
        profile = fit(_profile(random.Random(rng.random()), order.choices, needs), self.settings)
        machine = _machine(random.Random(rng.random()), profile, needs)
        plan = self._plan(random.Random(rng.random()), needs)
        turn = int(random.Random(rng.random()).paretovariate(1.2)) - 1
        self.liar = Liar(order.lie, turn if order.lie else 0)
        self.outcome = Outcome(
            order, steps=len(plan), taken=tuple(n for n, s in self.settings.strength.items() if s)
        )
        self.clock = Clock()
        self.judge = Judge(profile, _device(PlayedDisk, machine), on_verdict=self._verdict)
        self.wire = Wire(self.clock, self.judge)
        self.host = Host(self.wire, self.clock, self.settings, machine.sectors)
        self.function = Function(
            self.wire, self.clock, _device(PlayedDisk, machine), self.settings, self.liar
        )
        self.wire.function, self.wire.host, self.host.device = self.function, self.host, self.function
        self.function.disk.begin = self.host.ask_disk
        bus = Bus(self.wire, self.host, self.settings)
        guest = Guest(self.clock, bus, self.host, machine, self.settings, needs)
        guest.cycle = self._power_cycle
        guest.suspicious = lambda: self.liar.told
        self.clock.spawn(play(guest, plan, rng.getrandbits(32)))

    def _plan(self, rng: random.Random, needs: Collection[str]) -> list[Step]:
        on = [name for name, strength in self.settings.strength.items() if strength]
        plan = draw_plan(rng, self.order.length, on, needs)
        return plan if self.order.steps is None else [plan[i] for i in self.order.steps if i < len(plan)]

    def _verdict(self, verdict: Verdict) -> None:
        outcome = self.outcome
        if not self.liar.told:
            outcome.at_lie += 1
        if not outcome.verdicts:
            outcome.trace = [f"{time} ns {channel} {what}" for time, channel, what in self.wire.last]
        outcome.verdicts.append(verdict)

    def _power_cycle(self) -> None:
        self.judge.cold_reset(self.clock.now)
        self.function.power_cycle()

    def play(self) -> Outcome:
        """To the end, or to enough verdicts."""
        outcome = self.outcome
        self.clock.run(lambda: len(outcome.verdicts) < _ENOUGH and self.wire.events < MOST_EVENTS)
        if len(outcome.verdicts) < _ENOUGH and self.wire.events < MOST_EVENTS:
            self.judge.end_of_test(self.clock.now + SETTLE_NS)
        outcome.events, outcome.now_ns, outcome.lied = self.wire.events, self.clock.now, self.liar.told
        return outcome


def play_bout(order: Order) -> Outcome:
    """Play what `order` says."""
    return Bout(order).play()


def _settings(rng: random.Random, choices: Sequence[str], needs: Collection[str]) -> Settings:
    settings = draw(rng, choices)
    forced = {name: max(strength, 0.3) for name, strength in settings.strength.items() if name in needs}
    return replace(settings, strength={**settings.strength, **forced})


def _profile(rng: random.Random, choices: Sequence[str], needs: Collection[str]) -> Profile:
    profile = draw_profile(rng, choices)
    for need in needs:
        profile = replace(profile, **_NEEDED.get(need, _nothing)(profile))
    return profile


def _nothing(_profile: Profile) -> dict[str, Any]:
    return {}


_NEEDED: dict[str, Callable[[Profile], dict[str, Any]]] = {
    "event_idx": lambda profile: {"ring_features": profile.ring_features | 1 << 29},
    "no_event_idx": lambda profile: {"ring_features": profile.ring_features & ~(1 << 29)},
    "prompt_line": lambda _: {"intx_deassert_ns": 0},
    "config_latency": lambda _: {"config_latency_ns": 2_000},
}
"""What a lie needs of the profile."""


def _machine(rng: random.Random, profile: Profile, needs: Collection[str]) -> Machine:
    vectors = rng.choice((2, 3, 5, 33)) if "msix" in needs else rng.choice((0, 2, 3, 3, 5, 33))
    return Machine(
        profile,
        queues=rng.choice((1, 1, 2, 3)),
        queue_size=rng.choice((4, 8, 16, 64, 256)),
        vectors=vectors,
        sectors=rng.choice((16, 64, 200)),
        read_only=rng.random() < 0.1,
    )


def _device(kind: type[PlayedDisk], machine: Machine) -> PlayedDisk:
    return kind(
        machine.profile,
        capacity=machine.sectors,
        serial=b"SELFPLAY-01",
        read_only=machine.read_only,
        queues=machine.queues,
        queue_size=machine.queue_size,
        vectors=machine.vectors,
    )
