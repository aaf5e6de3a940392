"""Scenarios on malformed rings: what must stop the queue stops it, what is merely odd is served."""

from __future__ import annotations

from tb.guest.registers import Register
from tb.sequences.malformed_rows import SERVED, STOPPING, BadRow
from tb.sequences.raw_ring import Buffers, bring_up, kick, serve_one, stays_unused, until_used
from tb.sequences.scene import Scene


async def stop_the_queue(scene: Scene, row: BadRow, *, after_good: int = 0) -> None:
    """Offer one malformed chain, after so many good ones: the queue dies, registers live, a reset helps."""
    ring = await bring_up(scene, row.features)
    if ring.size < row.smallest:
        return
    for position in range(after_good):
        await serve_one(scene, ring, position)
    buffers = Buffers.allocate(scene.bus.memory, 8192)
    buffers.fill_header()
    if after_good:
        head_slot_index = row.build(ring, buffers)
        ring.memory.write(
            ring.ring.available_slot(after_good), ring.memory.read(ring.ring.available_slot(0), 2)
        )
        ring.publish(after_good + head_slot_index)
    else:
        ring.publish(row.build(ring, buffers))
    await kick(scene)
    await stays_unused(scene, ring, after_good)
    await kick(scene)
    await scene.bus.io_read(Register.DEVICE_STATUS, 1)
    await scene.bus.io_read(Register.ISR_STATUS, 1)
    await stays_unused(scene, ring, after_good)
    await serve_one(scene, await bring_up(scene), 0)


async def serve_the_odd(scene: Scene, row: BadRow) -> None:
    """Offer one odd but legal chain: it must be served, and the next plain one too."""
    ring = await bring_up(scene, row.features)
    if ring.size < row.smallest:
        return
    buffers = Buffers.allocate(scene.bus.memory, 8192)
    buffers.fill_header()
    offered = row.build(ring, buffers)
    ring.publish(offered)
    await kick(scene)
    await until_used(scene, ring, offered)
    await serve_one(scene, ring, offered)


async def stop_by_every_row(scene: Scene) -> None:
    """Every stopping row, in the first place of a fresh ring."""
    for row in STOPPING:
        await stop_the_queue(scene, row)


async def stop_after_good_ones(scene: Scene) -> None:
    """Every stopping row that spoils a chain, after good chains, so that old state could be taken for new."""
    for row in STOPPING:
        if row.rule not in ("BAD-RING-01", "BAD-RING-02"):
            await stop_the_queue(scene, row, after_good=scene.rng.randrange(1, 4))


async def serve_every_odd_row(scene: Scene) -> None:
    """Every odd row that is legal."""
    for row in SERVED:
        await serve_the_odd(scene, row)
