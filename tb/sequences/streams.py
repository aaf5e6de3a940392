"""Scenarios that hold one stream of the boundary still for long while the others are used."""

from __future__ import annotations

from tb.guest.block_request import BlockType
from tb.guest.errors import DeviceTimeoutError
from tb.guest.msix import VECTOR_CONTROL
from tb.guest.registers import Register
from tb.pcie.moment import PassedKind, Port, Watch
from tb.pcie.tlp import Tlp, memory_read
from tb.sequences.scene import ALL_BYTES, Pace, Scene, Space
from tb.sequences.shot import Range, Shot, Wish
from tb.sequences.stages import STAGES

CLOCK_NS = 8
DECISION = next(stage for stage in STAGES if stage.name == "flags answered")
FOR_EVER = 101_000
"""Clocks: longer than the pin checks let a stream wait."""
REACH_NS = 60_000
LARGE = (17, 33, 65)
"""Sectors: more data than any buffer of the function holds."""


async def answers_while_requests_wait(scene: Scene, rounds: int = 8) -> None:
    """No request is taken until an answer has passed: accepting answers waits for nothing (VPCI-DISC-09).

    All packets on the held stream are of one beat, so that none is cut in two, behind which nothing is seen.
    """
    place = await Range.open(scene)
    await scene.host.pace(Pace.REORDER)
    for _ in range(rounds):
        shot = await Shot.load(place, Wish(kind=BlockType.OUT, alike=True), sectors=LARGE)
        asked = _watch(scene, PassedKind.READ, scene.rng.randint(2, 12))
        await shot.kick()
        await asked.reached(REACH_NS)
        scene.host.hold(Port.TX_REQ, FOR_EVER)
        answer = _watch(scene, PassedKind.ANSWER)
        await answer.reached(FOR_EVER * CLOCK_NS)
        await scene.bus.delay(CLOCK_NS * scene.rng.randrange(600))
        scene.host.release(Port.TX_REQ)
        scene.host.drop(asked)
        scene.host.drop(answer)
        await shot.finish()
        await shot.close()
    await scene.host.pace(Pace.FAST)


async def posted_writes_while_requests_wait(scene: Scene, rounds: int = 8) -> None:
    """While a request of the function waits at the pins, the host's posted writes are taken."""
    place = await Range.open(scene)
    for _ in range(rounds):
        shot = await Shot.load(place, Wish(kind=BlockType.FLUSH, alike=True, msix=True))
        written = _watch(scene, PassedKind.WRITE, scene.rng.randint(1, 4))
        await shot.kick()
        await shot.answered()
        await written.reached(REACH_NS)
        scene.host.hold(Port.TX_REQ, FOR_EVER)
        taken = _watch(scene, PassedKind.HOST_WRITE, 3)
        spare = place.table.entry_offset(place.table.size - 1) + VECTOR_CONTROL
        for bit in (1, 0, 1):
            await scene.send(scene.request(Space.MEMORY, spare, ALL_BYTES, bit))
        await taken.reached(FOR_EVER * CLOCK_NS)
        scene.host.release(Port.TX_REQ)
        scene.host.drop(written)
        scene.host.drop(taken)
        await shot.finish()
        await shot.close()


async def work_while_completions_wait(scene: Scene, rounds: int = 6) -> None:
    """The completion of an access is not taken: DMA and messages go on. DeviceTimeoutError if they do not."""
    place = await Range.open(scene)
    for _ in range(rounds):
        shot = await Shot.load(place, Wish(kind=BlockType.IN), sectors=LARGE)
        await shot.kick()
        await shot.answered()
        scene.host.hold(Port.TX_CPL, FOR_EVER)
        read = await scene.begin(memory_read(scene.base_of(Space.MEMORY), 256))
        used = _watch(scene, PassedKind.WRITE, 2)
        if not await used.reached(REACH_NS) and not shot.used():
            raise DeviceTimeoutError("VPCI-DISC-09", "DMA stands still while a completion is not taken")
        scene.host.release(Port.TX_CPL)
        scene.host.drop(used)
        await read()
        await shot.kick()
        await shot.finish()
        await shot.close()


async def tell_many_changes(scene: Scene) -> None:
    """More changes of the disk's size than a counter holds, behind a queue's interrupt that cannot leave.

    The guest must hear of the last one (VPCI-STAT-24).
    """
    place = await Range.open(scene)
    for msix in (True, False):
        for changes in (1, 15, 16, 17, 31, 32, 33):
            shot = await Shot.load(place, Wish(msix=msix, event_idx=False))
            sectors = shot.scene.host.capacity()
            decided = scene.host.watch(DECISION.matcher(shot.target))
            await shot.kick()
            await decided.reached(REACH_NS)
            scene.host.drop(decided)
            scene.host.hold(Port.TX_REQ, 4 * changes + 30)
            for change in range(changes):
                await scene.host.set_capacity(sectors + 1 + change)
                await scene.bus.delay(CLOCK_NS * 3)
            await scene.bus.delay(CLOCK_NS * 400)
            await shot.finish()
            await scene.bus.io_read(Register.ISR_STATUS, 1)
            await scene.host.set_capacity(sectors)
            await scene.bus.delay(CLOCK_NS * 400)
            await shot.close()


async def fill_both_directions(scene: Scene, rounds: int = 6) -> None:
    """Large transfers and a host that asks without pause, each stream throttled in turn."""
    place = await Range.open(scene)
    for _ in range(rounds):
        await scene.host.pace(scene.rng.choice((Pace.THROTTLED, Pace.WILD, Pace.FAST)))
        shot = await Shot.load(place, Wish(), sectors=LARGE)
        await shot.kick()
        for _ in range(8):
            scene.host.hold(scene.rng.choice(tuple(Port)), scene.rng.randint(1, 400))
            await scene.send_all([_request(scene, place) for _ in range(scene.rng.randint(4, 16))])
        await shot.finish()
        await shot.close()
    await scene.host.pace(Pace.FAST)


def _request(scene: Scene, place: Range) -> Tlp:
    """A read of any space, or a posted write to a vector nobody uses."""
    rng = scene.rng
    spare = place.table.entry_offset(place.table.size - 1) + VECTOR_CONTROL
    return rng.choice(
        (
            memory_read(scene.base_of(Space.MEMORY) + 4 * rng.randrange(64), 4 * rng.randint(1, 128)),
            scene.request(Space.CONFIG, 4 * rng.randrange(24), ALL_BYTES, None),
            scene.request(Space.IO, 4 * rng.randrange(4), ALL_BYTES, None),
            scene.request(Space.MEMORY, spare, ALL_BYTES, rng.randrange(2)),
        )
    )


def _watch(scene: Scene, kind: PassedKind, occurrence: int = 1) -> Watch:
    """A watch for the so-manyth thing of that kind from now on."""
    return scene.host.watch(lambda passed: passed.kind is kind, occurrence)
