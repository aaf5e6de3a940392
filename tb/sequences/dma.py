"""Scenarios on DMA: payload and read request sizes, answers in parts and out of order, answers gone wrong."""

from __future__ import annotations

from collections.abc import Callable

from tb.guest.block_request import SECTOR, BlockRequest, BlockType
from tb.guest.enumeration import CapabilityId, Header
from tb.guest.errors import RequestError
from tb.guest.registers import Register, RingFeature
from tb.sequences.any_layout import Cutter, LooseDriver, exact
from tb.sequences.config_space import clear_device_status
from tb.sequences.raw_ring import (
    INDIRECT,
    NEXT,
    WRITE,
    Buffers,
    RawRing,
    bring_up,
    kick,
    read_table,
    serve_one,
    until_used,
)
from tb.sequences.scene import Pace, ReadFault, Scene

READABLE = 0x5300_0000
WRITABLE = 0x5400_0000
DEVICE_CONTROL = 8
PAYLOAD_CODES = range(3)
"""128, 256, 512 bytes: what the function supports."""
READ_CODES = range(6)
FAULT_SETTLE_NS = 20_000
TIMEOUT_SETTLE_NS = 400_000
"""Longer than the completion timeout of the builds that run these scenarios."""


async def set_sizes(scene: Scene, payload: int, read: int) -> None:
    """Max_Payload_Size and Max_Read_Request_Size by their codes (128 bytes shifted left)."""
    if scene.controls is not None:
        await scene.controls.completion_payload(128 << payload)
    offset = scene.function.capabilities[CapabilityId.PCI_EXPRESS] + DEVICE_CONTROL
    control = await scene.bus.config_read(offset, 2)
    control = control & ~0x70E0 | payload << 5 | read << 12
    await scene.bus.config_write(offset, 2, control)
    await scene.bus.config_read(offset, 4)


async def obey_every_size(scene: Scene) -> None:
    """All payload and read request sizes, data at odd places and across pages (VFIO-16)."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    for payload in PAYLOAD_CODES:
        for read in READ_CODES:
            await set_sizes(scene, payload, read)
            for offset in (0, 1, 2, 3, 64, 4096 - 1, 4096 - 130, scene.rng.randrange(4096)):
                await _there_and_back(scene, loose, offset, SECTOR * scene.rng.choice((1, 2, 9, 17)))
    await set_sizes(scene, 0, 2)
    await driver.stop()


async def cross_every_border(scene: Scene) -> None:
    """Every distance of a buffer's start and end from a page border, in bytes, at each payload size."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    for payload in PAYLOAD_CODES:
        await set_sizes(scene, payload, 2)
        for before in (*range(1, 20), 127, 128, 129, 255, 256, 257, 511, 512):
            await _there_and_back(scene, loose, 4096 - before, SECTOR)
            await _there_and_back(scene, loose, 4096 - SECTOR - before % 33 + 16, SECTOR)
    await set_sizes(scene, 0, 2)
    await driver.stop()


async def answer_in_every_pace(scene: Scene) -> None:
    """Late, split, reordered, throttled answers: the data stay right and the order of writes holds."""
    driver = await scene.attach_block()
    loose = LooseDriver(driver)
    cutter = Cutter(scene.rng, pieces=10)
    for pace in Pace:
        await scene.host.pace(pace)
        await set_sizes(scene, scene.rng.choice(PAYLOAD_CODES), scene.rng.choice(READ_CODES))
        for _ in range(12):
            await _batch(scene, loose, cutter)
        for offset in (0, 3, 4095):
            await _there_and_back(scene, loose, offset, SECTOR * 16)
    await scene.host.pace(Pace.FAST)
    await set_sizes(scene, 0, 2)
    await driver.stop()


Target = Callable[[RawRing, Buffers, int], range]
"""The addresses whose read goes wrong, given the ring, the buffers and the indirect table."""

TARGETS: dict[str, Target] = {
    "available index": lambda ring, _b, _t: range(ring.ring.available_index, ring.ring.available_index + 2),
    "available slot": lambda ring, _b, _t: range(
        ring.ring.available_slot(0), ring.ring.available_slot(0) + 2
    ),
    "descriptor": lambda ring, _b, _t: range(ring.ring.descriptor(0), ring.ring.descriptor(0) + 16),
    "indirect table": lambda _r, _b, table: range(table, table + 48),
    "header": lambda _r, buffers, _t: range(buffers.header, buffers.header + 16),
    "data": lambda _r, buffers, _t: range(buffers.data + 600, buffers.data + 1000),
    "used event": lambda ring, _b, _t: range(ring.ring.used_event, ring.ring.used_event + 2),
}


async def fail_each_read(scene: Scene, faults: tuple[ReadFault, ...]) -> None:
    """Each kind of read fails in each way: the queue stops or goes on, nothing hangs (BAD-RING-37)."""
    for fault in faults:
        for name, target in TARGETS.items():
            for good_bytes in (0, 128) if name == "data" else (0,):
                await _fail_one(scene, target, fault, good_bytes)


async def fail_quickly(scene: Scene) -> None:
    """Answers with an error status, poisoned, or under a wrong tag."""
    kinds = (ReadFault.UNSUPPORTED_REQUEST, ReadFault.ABORT, ReadFault.RETRY)
    await fail_each_read(scene, (*kinds, ReadFault.POISONED, ReadFault.WRONG_TAG))


async def fail_by_silence(scene: Scene) -> None:
    """Answers that never come, or not to their end. For builds with a short completion timeout."""
    await fail_each_read(scene, (ReadFault.NO_ANSWER, ReadFault.SHORT, ReadFault.LATE))


async def _fail_one(scene: Scene, target: Target, fault: ReadFault, good_bytes: int) -> None:
    ring = await bring_up(scene, RingFeature.EVENT_IDX | RingFeature.INDIRECT_DESC)
    buffers = Buffers.allocate(scene.bus.memory, 2048)
    buffers.fill_header(BlockType.OUT, 20)
    table = ring.table(
        [(buffers.header, 16, NEXT, 1), (buffers.data, 2048, NEXT, 2), (buffers.status, 1, WRITE, 0)]
    )
    ring.descriptor(0, (table, 48, INDIRECT, 0))
    await scene.host.fail_read(target(ring, buffers, table), fault, good_bytes=good_bytes)
    ring.offer(0, 0)
    await kick(scene)
    if fault.harmless:
        await until_used(scene, ring, 1)
        await serve_one(scene, ring, 1)
        return
    await scene.bus.delay(TIMEOUT_SETTLE_NS if fault in _SILENT else FAULT_SETTLE_NS)
    ring.offer(1, 0)  # a queue that has stopped leaves it alone
    await kick(scene)
    await scene.bus.delay(FAULT_SETTLE_NS)
    await _look_at_errors(scene)
    await serve_one(scene, await bring_up(scene), 0)


_SILENT = (ReadFault.NO_ANSWER, ReadFault.SHORT)


async def fail_while_others_wait(scene: Scene, rounds: int = 12) -> None:
    """One of a transfer's outstanding reads fails; the others' answers come before and after it."""
    await scene.host.pace(Pace.REORDER)
    for number in range(rounds):
        ring = await bring_up(scene)
        buffers = Buffers.allocate(scene.bus.memory, 16384)
        buffers.fill_header(BlockType.OUT, 8)
        for at, entry in enumerate(
            [(buffers.header, 16, NEXT, 1), (buffers.data, 16384, NEXT, 2), (buffers.status, 1, WRITE, 0)]
        ):
            ring.descriptor(at, entry)
        spot = buffers.data + 512 * scene.rng.randrange(32)
        fault = (ReadFault.UNSUPPORTED_REQUEST, ReadFault.ABORT, ReadFault.POISONED)[number % 3]
        await scene.host.fail_read(range(spot, spot + 1), fault)
        ring.offer(0, 0)
        await kick(scene)
        await scene.bus.delay(FAULT_SETTLE_NS)
        await _look_at_errors(scene)
        await serve_one(scene, await bring_up(scene), 0)
    await scene.host.pace(Pace.FAST)


async def reset_while_answers_are_missing(scene: Scene) -> None:
    """A reset while a read has no answer: it ends with the completion timeout at the latest (PCI-FLR-07)."""
    ring = await bring_up(scene)
    buffers = Buffers.allocate(scene.bus.memory, 4096)
    buffers.fill_header()
    ring.descriptors(dict(enumerate(read_table(buffers, 4096))))
    await scene.host.fail_read(range(buffers.header, buffers.header + 16), ReadFault.NO_ANSWER)
    ring.offer(0, 0)
    await kick(scene)
    await scene.bus.delay(3_000)
    pcie = scene.function.capabilities[CapabilityId.PCI_EXPRESS]
    await scene.bus.config_read(pcie + 0x0A, 2)
    await scene.bus.io_write(Register.DEVICE_STATUS, 1, 0)
    await scene.bus.io_read(Register.DEVICE_STATUS, 1)
    await scene.bus.config_read(pcie + 0x0A, 2)
    await serve_one(scene, await bring_up(scene), 0)


async def _look_at_errors(scene: Scene) -> None:
    """Read the error bits of both status registers and clear them, byte by byte."""
    await scene.bus.config_read(Header.COMMAND, 4)
    await scene.bus.config_write(Header.STATUS + 1, 1, 0x00)
    await scene.bus.config_read(Header.STATUS, 2)
    for bit in (0, 3, 4, 5, 6, 7):
        await scene.bus.config_write(Header.STATUS + 1, 1, 1 << bit)
        await scene.bus.config_read(Header.STATUS, 2)
    await clear_device_status(scene)


async def _batch(scene: Scene, loose: LooseDriver, cutter: Cutter) -> None:
    for _ in range(scene.rng.randint(1, 6)):
        sectors, sector = scene.rng.choice((1, 2, 5)), scene.rng.randrange(64)
        indirect = scene.rng.random() < 0.5
        if scene.rng.random() < 0.5:
            request = BlockRequest(BlockType.IN, sector, length=sectors * SECTOR, indirect=indirect)
        else:
            data = scene.rng.randbytes(sectors * SECTOR)
            request = BlockRequest(BlockType.OUT, sector, data, indirect=indirect)
        loose.submit_cut(request, cutter)
    await loose.driver.kick()
    await loose.finish_all()


async def _there_and_back(scene: Scene, loose: LooseDriver, offset: int, length: int) -> None:
    """Write from a buffer at `offset` of a page, read back to another one, compare."""
    data, sector = scene.rng.randbytes(length), scene.rng.randrange(128)
    out = BlockRequest(BlockType.OUT, sector, data)
    await loose.do(out, [(READABLE, 16), (READABLE + 0x1_0000 + offset, length)], [(WRITABLE, 1)])
    back = BlockRequest(BlockType.IN, sector, length=length)
    await loose.do(back, [(READABLE, 16)], exact([length, 1], WRITABLE + 0x1_0000 + offset, 0))
    if back.answer != data:
        raise RequestError("VBLK-06", f"{length} bytes at offset {offset} of a page came back wrong")
