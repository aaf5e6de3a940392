"""What live fuzzing found about QEMU's disk: requests under way, interrupts after the drain, bus master."""

from __future__ import annotations

from dataclasses import replace
from struct import pack, unpack

import pytest

from tb.models.actor import Actor
from tb.models.devices.block import BlockDevice
from tb.models.function import FunctionModel
from tb.models.memory import Ram
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL, Profile
from tb.models.virtqueue import F_EVENT_IDX, F_NOTIFY_ON_EMPTY, ChainError, RingLayout
from tb.oracle.machine import RAM_BYTES, BounceBuffer
from tests.unit.test_model_actor import FLUSH, GET_ID, HEADER, IN, OUT, STATUS, Bench, Disk

BAD = 5  # a descriptor of no length: its chain stops the device
WRITE_ZEROES = 13


def _batch_with_bad_end(bench: Bench, kind: int, extra: bytes = b"", room: int = 0) -> None:
    """A request without data, or with ``extra`` readable and ``room`` writable bytes, then a bad chain."""
    bench.ram.write(HEADER, pack("<IIQ", kind, 0, 0) + extra)
    bench.descriptors((HEADER, 16 + len(extra), False), (STATUS - room, 1 + room, True))
    bench.descriptors((HEADER, 0, False), first=BAD)
    bench.offer(0, kick=False)
    bench.offer(BAD)


@pytest.mark.parametrize("kind", [IN, OUT])
def test_an_empty_transfer_waits_its_turn_so_that_a_bad_chain_voids_it(kind: int) -> None:
    """VRING-US-06."""
    for profile, used in ((QEMU_7_2, 0), (replace(QEMU_7_2, requests_overlap=False), 1)):
        bench = Bench(profile)
        _batch_with_bad_end(bench, kind)
        assert bench.used_index == used


def test_a_write_to_a_read_only_disk_waits_its_turn_too() -> None:
    bench = Bench(QEMU_7_2, read_only=True)
    _batch_with_bad_end(bench, OUT, bytes(512))
    assert bench.used_index == 0


def test_no_zeroes_to_write_on_a_read_only_disk_is_no_error() -> None:
    bench = Bench(QEMU_7_2, read_only=True)
    for count, status in ((0, 0), (1, 1)):
        bench.ram.write(HEADER + 16, pack("<QII", 0, count, 0))
        assert bench.request(WRITE_ZEROES, 0, (HEADER + 16, 16, False)) == status


def test_segments_follow_the_queue_size_where_the_profile_says() -> None:
    """VBLK-23."""
    device = BlockDevice(QEMU_7_2, capacity=64, queue_size=16)
    assert unpack("<I", device.config_bytes()[12:16]) == (14,)


def test_interrupt_after_the_drain_is_lost_with_the_device_but_for_the_isr() -> None:
    """A request done at once, then a bad chain: the ISR tells of it, the line does not (VRING-INT-03)."""
    bench = Bench(QEMU_7_2)
    _batch_with_bad_end(bench, GET_ID, room=20)
    assert bench.used_index == 1
    assert not bench.actor.intx_line
    assert bench.actor.io_read(0x13, 1) == 1


def test_event_index_decides_per_request_before_the_ring_is_closed() -> None:
    """With EVENT_IDX the queue is not yet empty when its last good request is done (VRING-INT-05)."""
    bench = Bench(QEMU_7_2, 1 << F_EVENT_IDX | 1 << F_NOTIFY_ON_EMPTY)
    bench.ram.write(bench.layout.used_event, pack("<H", 100))
    bench.descriptors((HEADER, 16, False), (STATUS, 1, True))
    bench.ram.write(HEADER, pack("<IIQ", IN, 0, 0))
    bench.offer(0, kick=False)
    bench.offer(0)
    assert bench.actor.io_read(0x13, 1) == 1
    _batch_with_bad_end(bench, GET_ID, room=20)
    assert bench.used_index == 3
    assert bench.actor.io_read(0x13, 1) == 0


def test_a_closed_queue_counts_as_empty_for_what_completes_afterwards() -> None:
    """VRING-INT-05: the read under way ends after the device has stopped."""
    bench = Bench(QEMU_7_2, 1 << F_NOTIFY_ON_EMPTY)
    bench.ram.write(bench.layout.available_flags, pack("<H", 1))
    bench.descriptors((HEADER, 0, False), first=BAD)
    bench.offer(0, kick=False)
    bench.offer(BAD, kick=False)
    bench.ram.write(HEADER, pack("<IIQ", IN, 0, 0))
    bench.descriptors((HEADER, 16, False), (STATUS, 1, True))
    bench.offer(0)
    assert (bench.used_index, bench.actor.io_read(0x13, 1)) == (0, 1)


def test_only_messages_need_bus_master_where_the_device_merely_stops() -> None:
    """After a reset the queues run without bus master; MSI-X messages are lost (VPCI-STAT-28)."""
    bench = Bench(QEMU_7_2)
    bench.actor.config_write(0x04, 2, 3)
    assert bench.request(FLUSH, 0) == 0xEE
    bench.actor.io_write(0x12, 1, 0)
    bench.available = 0
    bench.ram.write(bench.layout.descriptors, bytes(bench.layout.end - bench.layout.descriptors))
    bench.actor.io_write(0x08, 4, bench.layout.descriptors >> 12)
    assert bench.request(FLUSH, 0) == 0


@pytest.mark.parametrize(("profile", "served"), [(QEMU_7_2, 1), (VIRTIO_PCI_RTL, 0)])
def test_early_notification_makes_all_queues_be_looked_into(profile: Profile, served: int) -> None:
    """VPCI-STAT-11: queue 1 is notified, queue 0 has a request."""
    ram = Ram(((0, 1 << 20),))
    device = BlockDevice(profile, capacity=64, queues=2, queue_size=8)
    actor = Actor(FunctionModel(profile, device), ram, Disk())
    actor.config_write(0x04, 2, 7)
    for queue, pfn in ((0, 16), (1, 32)):
        actor.io_write(0x0E, 2, queue)
        actor.io_write(0x08, 4, pfn)
    layout = RingLayout.of(16, 8)
    ram.write(HEADER, pack("<IIQ", FLUSH, 0, 0))
    ram.write(layout.descriptor(0), pack("<QIHH", HEADER, 16, 1, 1))
    ram.write(layout.descriptor(1), pack("<QIHH", STATUS, 1, 2, 0))
    ram.write(layout.available_index, pack("<H", 1))
    actor.io_write(0x10, 2, 1)
    assert ram.read(layout.used_index, 2) == pack("<H", served)


def test_an_indirect_table_must_lie_in_one_piece_of_ram() -> None:
    """VRING-IND-06."""
    mapping = BounceBuffer()
    mapping.map_table(RAM_BYTES - 32, 32)
    with pytest.raises(ChainError, match="past the RAM's end"):
        mapping.map_table(RAM_BYTES - 32, 48)
