"""Scenarios on a function with several queues: each has its own ring, vector, indices and fate."""

from __future__ import annotations

from tb.guest.block_request import BlockType
from tb.guest.enumeration import Command, change_command
from tb.guest.errors import InterruptError, ProbeError, UsedRingError
from tb.guest.host_bus import Msi
from tb.guest.msix import MessageControl, target_of
from tb.guest.registers import Register, Status
from tb.sequences.expect import drop_interrupts, expect_silence, table_of
from tb.sequences.raw_ring import Buffers, RawRing, kick, read_table, serve_one, stays_unused, until_used
from tb.sequences.registers import reset
from tb.sequences.scene import ReadFault, Scene

ARRIVAL_NS = 100_000
MOST_QUEUES = 1024
"""More than any device has."""


async def count_queues(scene: Scene) -> int:
    """Queues from 0 up to the first that does not exist. ProbeError when there is no such end."""
    for count in range(MOST_QUEUES + 1):
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, count)
        if await scene.bus.io_read(Register.QUEUE_SIZE, 2) == 0:
            return count
    raise ProbeError("VPCI-Q-04", f"queue {MOST_QUEUES} has a size too: the function has queues without end")


async def bring_up_all(scene: Scene) -> list[RawRing]:
    """Reset, then a fresh ring for every queue. MSI-X stays as it is."""
    if scene.found is None:
        await scene.enumerate()
    await change_command(scene.bus, enable=Command.BUS_MASTER)
    await reset(scene)
    rings = []
    for queue in range(await count_queues(scene)):
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
        ring = RawRing.allocate(scene.bus.memory, await scene.bus.io_read(Register.QUEUE_SIZE, 2))
        await scene.bus.io_write(Register.QUEUE_PFN, 4, ring.pfn)
        rings.append(ring)
    for queue, ring in enumerate(rings):
        await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
        seen = await scene.bus.io_read(Register.QUEUE_PFN, 4)
        if seen != ring.pfn:
            raise UsedRingError("VPCI-Q-08", f"queue {queue} has PFN {seen:#x}, not {ring.pfn:#x}")
    await scene.bus.io_write(Register.DEVICE_STATUS, 1, Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK)
    return rings


async def serve_each(scene: Scene) -> None:
    """Each queue serves from its own ring; a kick of one leaves the others alone."""
    rings = await bring_up_all(scene)
    for queue, ring in enumerate(rings):
        _offer(scene, ring, 0, sector=queue)
    for queue in reversed(range(len(rings))):
        await kick(scene, queue)
        await until_used(scene, rings[queue], 1)
        for other in range(queue):
            await stays_unused(scene, rings[other], 0)
    await reset(scene)


async def serve_all_at_once(scene: Scene, rounds: int = 12) -> None:
    """All queues kicked together, several chains each, over and over: none starves."""
    rings = await bring_up_all(scene)
    positions = [0] * len(rings)
    for _ in range(rounds):
        for queue, ring in enumerate(rings):
            for _ in range(scene.rng.randint(1, 4)):
                _offer(scene, ring, positions[queue], sector=scene.rng.randrange(32))
                positions[queue] += 1
        order = list(range(len(rings)))
        scene.rng.shuffle(order)
        for queue in order:
            await kick(scene, queue)
        for ring, position in zip(rings, positions, strict=True):
            await until_used(scene, ring, position)
    await reset(scene)


async def give_each_a_vector(scene: Scene) -> None:
    """Each queue interrupts on its own vector, then all on one (VPCI-INT-08)."""
    await scene.enumerate()
    table = await table_of(scene)
    await table.set_control(MessageControl.ENABLE)
    for vector in range(table.size):
        await table.program(vector, target_of(vector))
    for shared in (False, True):
        rings = await bring_up_all(scene)
        await drop_interrupts(scene)
        vectors = [0 if shared else (queue + 1) % table.size for queue in range(len(rings))]
        for queue, vector in enumerate(vectors):
            await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
            await scene.bus.io_write(Register.QUEUE_VECTOR, 2, vector)
        for queue, vector in enumerate(vectors):
            await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
            await scene.bus.io_read(Register.QUEUE_VECTOR, 2)
            _offer(scene, rings[queue], 0)
            await kick(scene, queue)
            target = target_of(vector)
            seen = await scene.bus.wait_for_interrupt(ARRIVAL_NS)
            if seen != Msi(target.address, target.data):
                raise InterruptError("VPCI-INT-08", f"queue {queue} gave {seen}, not vector {vector}")
            await expect_silence(scene)
    await table.set_control(MessageControl.NONE)
    await reset(scene)


async def stop_one(scene: Scene) -> None:
    """A malformed chain stops its own queue; the others go on, a reset brings all back."""
    for bad in range(len(await bring_up_all(scene))):
        rings = await bring_up_all(scene)
        rings[bad].offer(0, rings[bad].size)
        await kick(scene, bad)
        await stays_unused(scene, rings[bad], 0)
        for queue, ring in enumerate(rings):
            if queue == bad:
                continue
            _offer(scene, ring, 0)
            await kick(scene, queue)
            await until_used(scene, ring, 1)
        await kick(scene, bad)
        await stays_unused(scene, rings[bad], 0)
    await serve_one(scene, (await bring_up_all(scene))[0], 0)
    await reset(scene)


async def fail_one(scene: Scene) -> None:
    """A read of one queue fails and stops it; the reads of the others behind it go well (BAD-RING-37)."""
    for bad in range(len(await bring_up_all(scene))):
        for fault in (ReadFault.UNSUPPORTED_REQUEST, ReadFault.POISONED):
            rings = await bring_up_all(scene)
            header = [_offer(scene, ring, 0).header for ring in rings][bad]
            await scene.host.fail_read(range(header, header + 16), fault)
            for queue in (bad, *(other for other in range(len(rings)) if other != bad)):
                await kick(scene, queue)
            for queue, ring in enumerate(rings):
                if queue != bad:
                    await until_used(scene, ring, 1)
            await stays_unused(scene, rings[bad], 0)
    await reset(scene)


async def reset_among_many(scene: Scene) -> None:
    """A reset while all queues have work forgets every one of them."""
    for moment in (0, 100, 300, 700, 1500, 4000):
        rings = await bring_up_all(scene)
        for queue, ring in enumerate(rings):
            for position in range(3):
                _offer(scene, ring, position)
            await kick(scene, queue)
        await scene.bus.delay(moment)
        await reset(scene)
        for queue in range(len(rings)):
            await scene.bus.io_write(Register.QUEUE_SELECT, 2, queue)
            await scene.bus.io_read(Register.QUEUE_PFN, 4)
        await scene.bus.delay(2_000)


def _offer(scene: Scene, ring: RawRing, position: int, *, sector: int = 0) -> Buffers:
    """Offer one read through an indirect table of its own; its buffers."""
    buffers = Buffers.allocate(scene.bus.memory, 512)
    buffers.fill_header(BlockType.IN, sector)
    head = position % ring.size
    ring.descriptor(head, (ring.table(read_table(buffers, 512)), 48, 4, 0))
    ring.offer(position, head)
    return buffers
