"""The actor: rings in memory, requests served, interrupts raised (VRING, VBLK)."""

from __future__ import annotations

from dataclasses import replace
from struct import pack, unpack

import pytest

from tb.models.actor import Actor, MediaOperation
from tb.models.devices.base import MediaFlush, MediaRead, MediaResult, MediaWrite
from tb.models.devices.block import SECTOR, BlockDevice
from tb.models.function import FunctionModel
from tb.models.memory import Ram
from tb.models.profile import BHYVE, QEMU_7_2, VIRTIO_PCI_RTL, Profile
from tb.models.virtqueue import DESC_NEXT, DESC_WRITE, F_EVENT_IDX, F_NOTIFY_ON_EMPTY, RingLayout

PFN = 16
HEADER, DATA, STATUS = 0x4000, 0x5000, 0x7000
IN, OUT, FLUSH, GET_ID = 0, 1, 4, 8
Buffer = tuple[int, int, bool]  # address, length, device-writable


class Disk:
    """Sector n is filled with byte n."""

    def __init__(self) -> None:
        self.sectors = {n: bytes((n & 0xFF,)) * SECTOR for n in range(64)}
        self.failing = False
        self.flushes = 0

    def perform(self, operation: MediaOperation) -> MediaResult:
        if self.failing:
            return MediaResult(False)
        match operation:
            case MediaRead(sector, count):
                return MediaResult(True, b"".join(self.sectors[sector + i] for i in range(count)))
            case MediaWrite(sector, data):
                for place in range(0, len(data), SECTOR):
                    self.sectors[sector + place // SECTOR] = data[place : place + SECTOR]
            case MediaFlush():
                self.flushes += 1
        return MediaResult(True)


class Bench:
    """A block function with one queue of eight entries, and a driver that knows only the ring."""

    def __init__(self, profile: Profile, features: int = 0, *, read_only: bool = False) -> None:
        self.disk = Disk()
        self.ram = Ram(((0, 1 << 20),))
        device = BlockDevice(profile, capacity=64, serial=b"serial", read_only=read_only, queue_size=8)
        self.actor = Actor(FunctionModel(profile, device), self.ram, self.disk)
        self.layout = RingLayout.of(PFN, 8)
        self.available = 0
        self.actor.config_write(0x04, 2, 7)
        self.actor.io_write(0x04, 4, features)
        self.actor.io_write(0x08, 4, PFN)
        self.actor.io_write(0x12, 1, 7)

    def descriptors(self, *buffers: Buffer, first: int = 0) -> None:
        for place, (address, length, writable) in enumerate(buffers, first):
            last = place == first + len(buffers) - 1
            flags = DESC_WRITE * writable | DESC_NEXT * (not last)
            self.ram.write(self.layout.descriptor(place), pack("<QIHH", address, length, flags, place + 1))

    def offer(self, head: int = 0, *, kick: bool = True) -> None:
        self.ram.write(self.layout.available_slot(self.available), pack("<H", head))
        self.available = self.available + 1 & 0xFFFF
        self.ram.write(self.layout.available_index, pack("<H", self.available))
        if kick:
            self.actor.io_write(0x10, 2, 0)

    def request(self, kind: int, sector: int, *data: Buffer) -> int:
        """One request from descriptor 0 on; returns its status byte."""
        self.ram.write(HEADER, pack("<IIQ", kind, 0, sector))
        self.ram.write(STATUS, b"\xee")
        self.descriptors((HEADER, 16, False), *data, (STATUS, 1, True))
        self.offer()
        return self.ram.read(STATUS, 1)[0]

    @property
    def used_index(self) -> int:
        return int(unpack("<H", self.ram.read(self.layout.used_index, 2))[0])

    def used(self, index: int) -> tuple[int, int]:
        head, length = unpack("<II", self.ram.read(self.layout.used_element(index), 8))
        return head, length


@pytest.mark.parametrize("profile", [VIRTIO_PCI_RTL, QEMU_7_2, BHYVE])
def test_read_fills_buffers_status_and_used_ring(profile: Profile) -> None:
    bench = Bench(profile)
    assert bench.request(IN, 3, (DATA, 100, True), (DATA + 100, 412, True)) == 0
    assert bench.ram.read(DATA, 512) == b"\x03" * 512
    assert (bench.used_index, bench.used(0)) == (1, (0, 513))
    assert bench.actor.intx_line


def test_write_flush_and_read_back() -> None:
    bench = Bench(VIRTIO_PCI_RTL)
    bench.ram.write(DATA, b"\xa5" * 1024)
    assert bench.request(OUT, 62, (DATA, 1024, False)) == 0
    assert bench.used(0) == (0, 1)
    assert bench.request(FLUSH, 0) == 0
    assert bench.disk.flushes == 1
    assert bench.disk.sectors[63] == b"\xa5" * 512


def test_header_and_status_may_be_cut_and_merged_anywhere() -> None:
    """VRING-DESC-06."""
    bench = Bench(VIRTIO_PCI_RTL)
    bench.ram.write(HEADER, pack("<IIQ", IN, 0, 7))
    bench.descriptors((HEADER, 5, False), (HEADER + 5, 11, False), (DATA, 513, True))
    bench.offer()
    assert bench.ram.read(DATA, 513) == b"\x07" * 512 + b"\x00"


@pytest.mark.parametrize(
    ("kind", "sector", "length", "status"),
    [(IN, 64, 512, 1), (IN, (1 << 64) - 1, 512, 1), (IN, 0, 511, 1), (IN, 63, 1024, 1), (99, 0, 512, 2)],
)
def test_bad_requests_end_with_a_status(kind: int, sector: int, length: int, status: int) -> None:
    """VBLK-10, VBLK-11, VBLK-12, VBLK-22: nothing but the status is written."""
    bench = Bench(VIRTIO_PCI_RTL)
    bench.ram.write(DATA, b"\xaa" * 1024)
    assert bench.request(kind, sector, (DATA, length, True)) == status
    assert bench.ram.read(DATA, 1024) == b"\xaa" * 1024
    assert bench.used(0) == (0, 0)
    whole = Bench(QEMU_7_2)
    assert whole.request(kind, sector, (DATA, length, True)) == status
    assert whole.used(0) == (0, length + 1)


def test_barrier_bit_is_ignored() -> None:
    assert Bench(VIRTIO_PCI_RTL).request(1 << 31 | IN, 0, (DATA, 512, True)) == 0


def test_read_only_disk_and_media_errors() -> None:
    """VBLK-13."""
    bench = Bench(VIRTIO_PCI_RTL, read_only=True)
    assert bench.request(OUT, 0, (DATA, 512, False)) == 1
    assert bench.disk.sectors[0] == bytes(512)
    bench.disk.failing = True
    assert bench.request(IN, 0, (DATA, 512, True)) == 1
    assert bench.request(FLUSH, 0) == 1


def test_get_id_is_padded_or_terminated() -> None:
    """VBLK-14."""
    for profile, seen in (
        (VIRTIO_PCI_RTL, b"serial".ljust(20, b"\0")),
        (QEMU_7_2, b"serial\0" + b"\xaa" * 13),
    ):
        bench = Bench(profile)
        bench.ram.write(DATA, b"\xaa" * 20)
        assert bench.request(GET_ID, 0, (DATA, 20, True)) == 0
        assert bench.ram.read(DATA, 20) == seen
        bench.ram.write(DATA, b"\xaa" * 20)
        assert bench.request(GET_ID, 0, (DATA, 4, True)) == 0
        assert bench.ram.read(DATA, 5) == b"seri\xaa"


MALFORMED: list[tuple[str, tuple[Buffer, ...]]] = [
    ("header only", ((HEADER, 16, False),)),
    ("status only", ((STATUS, 1, True),)),
    ("short header", ((HEADER, 15, False), (STATUS, 1, True))),
    ("writable first", ((STATUS, 1, True), (HEADER, 16, False))),
    ("empty", ((HEADER, 16, False), (DATA, 0, True), (STATUS, 1, True))),
]


@pytest.mark.parametrize("profile", [VIRTIO_PCI_RTL, QEMU_7_2])
@pytest.mark.parametrize(
    "buffers", [buffers for _, buffers in MALFORMED], ids=[name for name, _ in MALFORMED]
)
def test_malformed_chain_stops_until_reset(profile: Profile, buffers: tuple[Buffer, ...]) -> None:
    bench = Bench(profile)
    bench.descriptors(*buffers)
    bench.offer()
    assert (bench.used_index, bench.actor.io_read(0x12, 1), len(bench.actor.stops)) == (0, 7, 1)
    bench.request(IN, 0, (DATA, 512, True))
    assert bench.used_index == 0
    bench.actor.io_write(0x12, 1, 0)
    bench.ram.fill(bench.layout.descriptors, bench.layout.end - bench.layout.descriptors, 0)
    bench.available = 0
    bench.actor.io_write(0x08, 4, PFN)
    assert bench.request(IN, 0, (DATA, 512, True)) == 0
    assert bench.used_index == 1


def test_available_index_too_far_ahead_stops_at_once_or_when_full() -> None:
    """BAD-RING-01."""
    for profile, served in ((VIRTIO_PCI_RTL, b"\xee"), (QEMU_7_2, b"\x00")):
        bench = Bench(profile)
        bench.ram.write(HEADER, pack("<IIQ", IN, 0, 0))
        bench.ram.write(STATUS, b"\xee")
        bench.descriptors((HEADER, 16, False), (DATA, 512, True), (STATUS, 1, True))
        bench.available = 8
        bench.offer()
        assert (bench.used_index, len(bench.actor.stops)) == (0, 1)
        assert bench.ram.read(STATUS, 1) == served


def test_full_ring_is_not_empty() -> None:
    """VRING-AV-05."""
    bench = Bench(VIRTIO_PCI_RTL)
    bench.ram.write(HEADER, pack("<IIQ", FLUSH, 0, 0))
    bench.descriptors((HEADER, 16, False), (STATUS, 1, True))
    for _ in range(8):
        bench.offer(kick=False)
    bench.actor.io_write(0x10, 2, 0)
    assert bench.used_index == 8


def test_indices_wrap_at_65536() -> None:
    """BAD-RING-35."""
    bench = Bench(VIRTIO_PCI_RTL)
    ring = bench.actor.rings[0]
    ring.next_available = ring.next_used = ring._known_index = bench.available = 0xFFFE
    for _ in range(4):
        assert bench.request(IN, 1, (DATA, 512, True)) == 0
    assert bench.used_index == 2


def test_no_interrupt_flag_and_notify_on_empty() -> None:
    """VRING-INT-01, VRING-INT-05."""
    for features, line in ((0, False), (1 << F_NOTIFY_ON_EMPTY, True)):
        bench = Bench(VIRTIO_PCI_RTL, features)
        bench.ram.write(bench.layout.available_flags, pack("<H", 1))
        bench.request(FLUSH, 0)
        assert bench.actor.intx_line is line


def test_event_idx_interrupts_at_the_event_and_publishes_avail_event() -> None:
    """VRING-INT-02, VRING-KICK-05."""
    bench = Bench(VIRTIO_PCI_RTL, 1 << F_EVENT_IDX)
    bench.ram.write(bench.layout.used_event, pack("<H", 2))
    lines = []
    for _ in range(4):
        bench.request(FLUSH, 0)
        lines.append(bench.actor.intx_line)
        bench.actor.io_read(0x13, 1)
    assert lines == [True, False, True, False]
    assert unpack("<H", bench.ram.read(bench.layout.avail_event, 2)) == (4,)


def test_notification_without_bus_master_is_remembered_or_lost() -> None:
    """VPCI-STAT-28."""
    for profile, served in ((VIRTIO_PCI_RTL, 1), (QEMU_7_2, 0), (BHYVE, 1)):
        bench = Bench(profile)
        bench.actor.config_write(0x04, 2, 3)
        bench.request(FLUSH, 0)
        assert bench.used_index == (1 if profile is BHYVE else 0)
        bench.actor.config_write(0x04, 2, 7)
        assert bench.used_index == served
        bench.actor.io_write(0x10, 2, 0)
        assert bench.used_index == 1


def test_used_flags_show_draining_where_the_profile_says() -> None:
    """VRING-KICK-01: other bits are the driver's."""
    seen = []
    for profile in (VIRTIO_PCI_RTL, QEMU_7_2):
        bench = Bench(profile)
        bench.ram.write(bench.layout.used_flags, pack("<H", 0x8001))
        bench.request(FLUSH, 0)
        seen.append(unpack("<H", bench.ram.read(bench.layout.used_flags, 2))[0])
    assert seen == [0x8001, 0x8000]


def test_bad_chain_voids_requests_that_waited_beside_it() -> None:
    """VRING-US-06, VRING-US-10."""
    for overlap, used in ((True, 0), (False, 1)):
        bench = Bench(replace(VIRTIO_PCI_RTL, requests_overlap=overlap))
        bench.ram.write(HEADER, pack("<IIQ", IN, 0, 5))
        bench.descriptors((HEADER, 16, False), (DATA, 512, True), (STATUS, 1, True))
        bench.descriptors((HEADER, 16, False), first=4)
        bench.offer(0, kick=False)
        bench.offer(4)
        assert bench.used_index == used
        assert bench.ram.read(DATA, 1) == b"\x05"


def test_capacity_change_interrupts_and_is_read_at_once() -> None:
    """VBLK-20."""
    bench = Bench(VIRTIO_PCI_RTL)
    device = bench.actor.device
    assert isinstance(device, BlockDevice)
    device.resize(4096)
    bench.actor.media_changed()
    assert bench.actor.io_read(0x14, 4) == 4096
    assert bench.actor.io_read(0x13, 1) == 3


def test_driver_ok_kicks_waiting_queues_where_the_profile_says() -> None:
    """VPCI-Q-17."""
    for profile, served in ((VIRTIO_PCI_RTL, 0), (QEMU_7_2, 1)):
        bench = Bench(profile)
        bench.actor.io_write(0x12, 1, 3)
        bench.ram.write(HEADER, pack("<IIQ", FLUSH, 0, 0))
        bench.descriptors((HEADER, 16, False), (STATUS, 1, True))
        bench.offer(kick=False)
        bench.actor.io_write(0x12, 1, 7)
        assert bench.used_index == served
