"""Scenarios around the completion timeout: answers just before and after it, late ones, many in a row.

For builds with a short completion timeout.
"""

from __future__ import annotations

from tb.guest.block_request import SECTOR, BlockType
from tb.guest.registers import RingFeature
from tb.pcie.moment import PassedKind, Port
from tb.sequences.acts import clear_errors
from tb.sequences.dma import TARGETS
from tb.sequences.expect import drop_interrupts
from tb.sequences.raw_ring import (
    INDIRECT,
    NEXT,
    WRITE,
    Buffers,
    RawRing,
    bring_up,
    kick,
    serve_one,
    until_used,
)
from tb.sequences.scene import Pace, ReadFault, Scene
from tb.sequences.shot import Range, Shot, Wish

CLOCK_NS = 8
TIMEOUT = 2000
"""Clocks: the completion timeout of the builds that these scenarios are for."""
ROUND_TRIP = 12
"""Clocks that pass at most between a read at the pins and its answer there, when it is not delayed."""
BEFORE = (TIMEOUT // 2, TIMEOUT - 400, TIMEOUT - 40, TIMEOUT - ROUND_TRIP)
AROUND = tuple(range(TIMEOUT - 4, TIMEOUT + 8))
SETTLE_NS = 3 * TIMEOUT * CLOCK_NS
FEATURES = RingFeature.EVENT_IDX | RingFeature.INDIRECT_DESC
DATA_BYTES = 12 * SECTOR
RESTART_CLOCKS = range(100, 3000)
"""After a timeout a late answer comes while the function, reset and started anew, reads again."""


async def answer_before_the_deadline(scene: Scene) -> None:
    """Each kind of read answered later and later, but in time; the same slots of reads again and again."""
    for target in TARGETS.values():
        for delay in BEFORE:
            ring, buffers, table = await _loaded(scene)
            for _ in range(2):
                await scene.host.fail_read(target(ring, buffers, table), ReadFault.LATE, delay=delay)
            ring.offer(0, 0)
            await kick(scene)
            await until_used(scene, ring, 1)
            await serve_one(scene, ring, 1)
        scene.host.mend()


async def answer_everything_late(scene: Scene, rounds: int = 3) -> None:
    """Every read of several chains is answered long after it was asked, always in time.

    A large write among them keeps as many reads outstanding as the function has tags.
    """
    everything = range(1 << 64)
    for number in range(rounds):
        ring, _, _ = await _loaded(scene)
        await scene.host.fail_read(everything, ReadFault.LATE, count=64, delay=TIMEOUT - 300 * (number + 1))
        ring.offer(0, 0)
        await kick(scene)
        await until_used(scene, ring, 1)
        await serve_one(scene, ring, 1)
        scene.host.mend()


async def answer_at_the_deadline(scene: Scene) -> None:
    """Answers within the very clocks in which the function gives up: taken or dropped, never half of each."""
    for number, delay in enumerate(AROUND):
        for target in ("available index", "descriptor", "data"):
            ring, buffers, table = await _loaded(scene)
            place = TARGETS[target](ring, buffers, table)
            good = 128 * (number % 2) if target == "data" else 0
            await scene.host.fail_read(place, ReadFault.TOO_LATE, delay=delay, good_bytes=good)
            ring.offer(0, 0)
            await kick(scene)
            await scene.bus.delay(SETTLE_NS)
            await _restart(scene)


async def answer_after_the_deadline(scene: Scene, rounds: int = 24) -> None:
    """Late answers meet a function that was started anew and reads again, many times over (PCI-FLR-04)."""
    for number in range(rounds):
        name = scene.rng.choice(tuple(TARGETS))
        ring, buffers, table = await _loaded(scene)
        late = TIMEOUT + scene.rng.choice(RESTART_CLOCKS)
        await scene.host.fail_read(TARGETS[name](ring, buffers, table), ReadFault.TOO_LATE, delay=late)
        ring.offer(0, 0)
        await kick(scene)
        await scene.bus.delay(TIMEOUT * CLOCK_NS + scene.rng.randrange(4000))
        fresh = await bring_up(scene, FEATURES)
        await scene.host.pace(Pace.REORDER if number % 2 else Pace.FAST)
        for position in range(12):
            await serve_one(scene, fresh, position)
        await scene.host.pace(Pace.FAST)
        await scene.bus.delay(SETTLE_NS)


async def give_up_many(scene: Scene, rounds: int = 10) -> None:
    """All reads of a transfer get no answer, again and again; then everything works (PCI-FLR-07)."""
    for number in range(rounds):
        ring, buffers, _ = await _loaded(scene)
        spot = range(buffers.data, buffers.data + DATA_BYTES)
        fault = ReadFault.NO_ANSWER if number % 2 else ReadFault.SHORT
        await scene.host.fail_read(spot, fault, count=8, skip=number % 3)
        ring.offer(0, 0)
        await kick(scene)
        await scene.bus.delay(SETTLE_NS if number % 3 else scene.rng.randrange(SETTLE_NS))
        scene.host.mend()
    await _restart(scene)


async def hold_requests_past_the_deadline(scene: Scene, rounds: int = 12) -> None:
    """Reads stand at the pins for longer than the timeout: it begins when the host has taken them."""
    place = await Range.open(scene)
    for _ in range(rounds):
        shot = await Shot.load(place, Wish(kind=BlockType.OUT))
        skip = scene.rng.randint(1, 12)
        watch = scene.host.watch(lambda passed: passed.kind is PassedKind.READ, skip)
        await shot.kick()
        await watch.reached(4 * TIMEOUT * CLOCK_NS)
        scene.host.hold(Port.TX_REQ, TIMEOUT + scene.rng.randint(1, TIMEOUT))
        scene.host.drop(watch)
        await shot.finish()
        await shot.close()


async def _restart(scene: Scene) -> None:
    """Look at the error bits, start anew, and see a plain request served."""
    await clear_errors(scene)
    ring = await bring_up(scene, FEATURES)
    for position in range(3):
        await serve_one(scene, ring, position)
    await drop_interrupts(scene)


async def _loaded(scene: Scene) -> tuple[RawRing, Buffers, int]:
    """A fresh ring with a write in it that nobody was told of, its buffers, its indirect table."""
    ring = await bring_up(scene, FEATURES)
    buffers = Buffers.allocate(scene.bus.memory, DATA_BYTES)
    buffers.fill_header(BlockType.OUT, scene.rng.randrange(32))
    scene.bus.memory.write(buffers.data, scene.rng.randbytes(DATA_BYTES))
    table = ring.table(
        [(buffers.header, 16, NEXT, 1), (buffers.data, DATA_BYTES, NEXT, 2), (buffers.status, 1, WRITE, 0)]
    )
    ring.descriptor(0, (table, 48, INDIRECT, 0))
    return ring, buffers, table
