"""The walk over pairs: each state of the function crossed with each event from outside, a few clocks apart.

The states are in `stages.STAGES`, the events in `outside.EVENTS`; the coverage counts which pairs were hit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

from tb.guest.errors import GuestError
from tb.guest.registers import Register
from tb.pcie.moment import PassedKind, Port
from tb.sequences.acts import errors_cleared, reset
from tb.sequences.outside import Outside
from tb.sequences.scene import Pace, ReadFault, Scene, Space
from tb.sequences.shot import SECTORS, Range, Shot
from tb.sequences.stages import STAGES, Stage

CLOCK_NS = 8
REACH_NS = 30_000
"""A stage that work leads to at all has passed by then."""
TIMEOUT_NS = 50_000
"""Longer than twice the completion timeout of the builds in which answers stay away."""
SETTLE_NS = 6_000
"""Long enough for one failed chain to have come to its end."""
BRISK = (Pace.FAST,) * 4 + (Pace.SPLIT, Pace.REORDER, Pace.THROTTLED, Pace.WILD)
PACES = (*BRISK, Pace.SLOW)
"""Slow answers only where no queue has to wait for the others."""
FEW = (1,)
"""Sectors of a request whose reads may fail: no more reads than can be under way at once."""
GOOD_BYTES = (0, 0, 64, 128)
"""How much of a read that fails may be answered rightly first."""
HOLD_CHANCE = 0.3
"""How often a stream is held from the stage on, so that what follows waits at the pins."""
TOLD = (PassedKind.MESSAGE, PassedKind.ASSERT, PassedKind.DEASSERT)
GATES = (
    "bus master",
    "Function Mask",
    "vector",
    "MSI-X",
    "Interrupt Disable",
    "ISR",
    "reset",
    "disk resized",
)
"""Words in the names of the events that keep an interrupt from leaving, let it leave, or make one."""
HELD = (Port.TX_REQ,) * 5 + (Port.TX_CPL, Port.BLK_REQ, Port.BLK_WDATA, Port.BLK_RDATA, Port.BLK_RSP)

DECIDED = ("flags answered", "used_event answered")
MOVING = ("data of a write asked for", "data of a read written")
INTERRUPTS = tuple(stage for stage in STAGES if stage.kind in TOLD or stage.name in DECIDED + MOVING)
"""An interrupt has just left, or will leave next, or has to wait behind data."""


@dataclass(slots=True, frozen=True)
class Chances:
    """How often messages are in line where the stage is an interrupt; how often a read's answer is late."""

    line: float = 0.5
    late: float = 0.5


USUAL = Chances()
Pair = tuple[Stage, Outside]


def pairs(stages: Iterable[Stage], events: Iterable[Outside]) -> list[Pair]:
    """All pairs that make sense: a fault needs a stage that reads."""
    return [
        (stage, event)
        for stage, event in itertools.product(stages, events)
        if event.fault is None or stage.is_read
    ]


def alike(chosen: Iterable[Pair], pattern: str) -> list[Pair]:
    """The pairs whose names, as `stage / event`, fit a pattern as of a shell; all when it is empty."""
    wanted = pattern or "*"
    return [(stage, event) for stage, event in chosen if fnmatch(f"{stage.name} / {event.name}", wanted)]


def of_interrupts(stages: Iterable[Stage], events: Iterable[Outside]) -> list[Pair]:
    """The pairs of an interrupt that leaves, or is decided, and of an event that decides about the next."""
    deciding = [event for event in events if any(word in event.name for word in GATES)]
    return pairs([stage for stage in stages if stage in INTERRUPTS], deciding)


async def walk(
    scene: Scene,
    chosen: Iterable[Pair],
    *,
    settle_ns: int = SETTLE_NS,
    chances: Chances = USUAL,
) -> None:
    """One shot for each pair, in random order."""
    place = await Range.open(scene)
    order = list(chosen)
    scene.rng.shuffle(order)
    for stage, event in order:
        try:
            await fire(place, stage, event, settle_ns, chances)
        except GuestError as error:
            where = f"{error.sentence}; during {stage.name} came {event.name}"
            raise type(error)(error.rule, where) from error
    await scene.host.pace(Pace.FAST)
    await place.messages(False)
    await reset(await Shot.load(place, stage.wish))


async def fire(place: Range, stage: Stage, event: Outside, settle_ns: int, chances: Chances) -> None:
    """Load, wait for the stage, let the event come some clocks later, and see the shot to its end."""
    scene = place.scene
    await scene.host.pace(scene.rng.choice(PACES if place.queues == 1 else BRISK))
    scene.host.mend()
    shot = await Shot.load(place, stage.wish, sectors=FEW if event.fault else SECTORS)
    if event.fault is not None and stage.places is not None:
        for spot in stage.places(shot.target)[:1]:
            await scene.host.fail_read(spot, event.fault, good_bytes=scene.rng.choice(GOOD_BYTES))
    occurrence = scene.rng.choice((1, 1, 1, 2))
    if event.fault is None and stage.kind is PassedKind.READ and scene.rng.random() < chances.late:
        await _answer_late(shot, stage, occurrence)
    reached = await _reach(shot, stage, occurrence, 0.0 if event.slow else chances.line)
    await scene.bus.delay(CLOCK_NS * _clocks(scene))
    if reached:
        scene.host.count(f"during {stage.name}", event.name)
    await event.act(shot)
    await _see_through(shot, event, settle_ns)


async def _reach(shot: Shot, stage: Stage, occurrence: int, line_chance: float) -> bool:
    """Start the work and wait until the stage has just passed, sometimes with other messages in line."""
    scene = shot.scene
    if stage.kind is None:
        return True
    in_line = stage in INTERRUPTS and scene.rng.random() < line_chance
    watch = scene.host.watch(stage.matcher(shot.target), occurrence)
    await shot.kick()
    if in_line and stage.kind in TOLD:
        await _queue_up(shot)
    if stage.kind is PassedKind.DEASSERT:
        await _ask_for_deassert(shot)
    reached = await watch.reached(REACH_NS)
    if reached and (in_line or scene.rng.random() < HOLD_CHANCE):
        _hold_or_trickle(scene, Port.TX_REQ if in_line else scene.rng.choice(HELD))
    if reached and in_line and stage.name in MOVING:
        await _change_behind_data(shot)
    scene.host.drop(watch)
    return reached


async def _answer_late(shot: Shot, stage: Stage, occurrence: int) -> None:
    """A read of the stage is answered late, so that the event comes while the function waits for it."""
    rng = shot.scene.rng
    places = stage.places(shot.target) if stage.places is not None else []
    for spot in places[:1]:
        skip = rng.randrange(5) if stage.name in MOVING else occurrence - 1
        delay = rng.randint(20, 400)
        await shot.scene.host.fail_read(spot, ReadFault.LATE, skip=skip, delay=delay)


async def _change_behind_data(shot: Shot) -> None:
    """While data stand at the pins the disk changes its size: its message cannot be there yet."""
    scene = shot.scene
    await scene.bus.delay(CLOCK_NS * scene.rng.randint(2, 16))
    await scene.host.set_capacity(scene.host.capacity() + 1)
    await scene.bus.delay(CLOCK_NS * scene.rng.randint(1, 16))


def _hold_or_trickle(scene: Scene, port: Port) -> None:
    """The stream stands still for a while, or only a beat now and then passes on it."""
    if scene.rng.random() < 0.5:
        scene.host.hold(port, scene.rng.randint(4, 120))
    else:
        scene.host.hold(port, scene.rng.randint(40, 300), longest=scene.rng.randint(4, 24))


async def _queue_up(shot: Shot) -> None:
    """Changes of the disk's size wait to be told while no request leaves, so that messages stand in line."""
    scene = shot.scene
    scene.host.hold(Port.TX_REQ, scene.rng.randint(10, 60))
    for _ in range(scene.rng.randint(1, 3)):
        await scene.host.set_capacity(scene.host.capacity() + 1)
        await scene.bus.delay(CLOCK_NS * scene.rng.randint(1, 8))


async def _ask_for_deassert(shot: Shot) -> None:
    """Once the line is up, an ISR read that nobody waits for takes it down."""
    scene = shot.scene
    risen = scene.host.watch(lambda passed: passed.kind is PassedKind.ASSERT)
    await risen.reached(REACH_NS)
    scene.host.drop(risen)
    shot.kicks.append(await scene.begin(scene.request(Space.IO, Register.DEVICE_STATUS & ~3, 0b1000, None)))


def _clocks(scene: Scene) -> int:
    """A delay in clocks: none, a few, or many."""
    return scene.rng.randrange(scene.rng.choice((1, 1, 12, 12, 60, 200)))


async def _see_through(shot: Shot, event: Outside, settle_ns: int) -> None:
    """What is still owed must come; after an end, nothing may stray."""
    scene = shot.scene
    if not event.ends:
        await shot.finish()
    else:
        await scene.bus.delay(settle_ns if event.fault is not None else scene.rng.randrange(SETTLE_NS))
        await errors_cleared(shot)
    await shot.close()
