"""Net, console, balloon and entropy devices on the actor (VNET, VCON, VBAL, VRNG)."""

from __future__ import annotations

from dataclasses import replace
from struct import pack, unpack

from tb.models.actor import Actor, MediaOperation
from tb.models.devices.balloon import BalloonDevice
from tb.models.devices.base import DeviceModel, MediaRelease, MediaResult, MediaSend, MediaTake
from tb.models.devices.console import ConsoleDevice, Port
from tb.models.devices.entropy import EntropyDevice
from tb.models.devices.net import NetDevice
from tb.models.devices.net_filter import ReceiveFilter
from tb.models.function import FunctionModel
from tb.models.memory import Ram
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL
from tb.models.virtqueue import DESC_NEXT, DESC_WRITE, RingLayout

MAC = bytes.fromhex("525400123456")
FRAME = b"\xff" * 6 + MAC + b"\x08\x00" + bytes(range(50))
MRG_RXBUF = 1 << 15
BUFFERS = 0x80000


class Far:
    """The far end of any media: keeps what is sent, gives counted bytes."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.released: list[int] = []

    def perform(self, operation: MediaOperation) -> MediaResult:
        match operation:
            case MediaSend(data, port):
                self.sent.append((port, data))
            case MediaTake(length):
                return MediaResult(True, bytes(i & 0xFF for i in range(length)))
            case MediaRelease(page):
                self.released.append(page)
        return MediaResult(True)


class Guest:
    """Drives every queue of a device by hand; buffers of queue q lie at ``buffer(q, n)``."""

    def __init__(self, device: DeviceModel, features: int = 0) -> None:
        self.far = Far()
        self.ram = Ram(((0, 1 << 21),))
        self.actor = Actor(FunctionModel(device.profile, device), self.ram, self.far)
        self.rings = [RingLayout.of(0x10 + 8 * q, size) for q, size in enumerate(device.queue_sizes)]
        self.offered = [0] * len(self.rings)
        self.actor.config_write(4, 2, 7)
        self.actor.io_write(4, 4, features)
        for queue, _ in enumerate(self.rings):
            self.actor.io_write(14, 2, queue)
            self.actor.io_write(8, 4, 0x10 + 8 * queue)
        self.actor.io_write(18, 1, 7)

    @staticmethod
    def buffer(queue: int, number: int) -> int:
        return BUFFERS + queue * 0x10000 + number * 0x1000

    def give(self, queue: int, *segments: bytes | int, kick: bool = True) -> None:
        """One chain: bytes are readable contents, a number is a writable length."""
        ring, number = self.rings[queue], self.offered[queue]
        first = number * 4 % ring.size
        place = self.buffer(queue, number)
        for index, segment in enumerate(segments):
            length = segment if isinstance(segment, int) else len(segment)
            flags = DESC_WRITE * isinstance(segment, int) | DESC_NEXT * (index + 1 < len(segments))
            self.ram.write(
                ring.descriptor(first + index), pack("<QIHH", place, length, flags, first + index + 1)
            )
            if isinstance(segment, bytes):
                self.ram.write(place, segment)
            place += length
        self.ram.write(ring.available_slot(number), pack("<H", first))
        self.offered[queue] = number + 1
        self.ram.write(ring.available_index, pack("<H", number + 1))
        if kick:
            self.actor.io_write(16, 2, queue)

    def used(self, queue: int) -> list[int]:
        """Lengths of the used elements so far."""
        ring = self.rings[queue]
        count = unpack("<H", self.ram.read(ring.used_index, 2))[0]
        return [unpack("<II", self.ram.read(ring.used_element(i), 8))[1] for i in range(count)]


# --- net


def net(features: int = 0) -> tuple[Guest, NetDevice]:
    device = NetDevice(QEMU_7_2, mac=MAC)
    return Guest(device, features), device


def receive(guest: Guest, device: NetDevice, frame: bytes) -> None:
    device.receive(frame)
    guest.actor.media_changed()


def test_frame_waits_for_a_buffer() -> None:
    """VNET-13, BAD-NET-07."""
    guest, device = net()
    receive(guest, device, FRAME)
    assert guest.used(0) == []
    guest.give(0, 2000)
    assert guest.used(0) == [10 + len(FRAME)]
    assert guest.ram.read(guest.buffer(0, 0), 10 + len(FRAME)) == bytes(10) + FRAME


def test_frame_too_long_for_its_buffer_is_dropped_and_the_buffer_kept() -> None:
    """VNET-13."""
    guest, device = net()
    guest.give(0, 30)
    receive(guest, device, FRAME)
    assert guest.used(0) == []
    receive(guest, device, FRAME[:20])
    assert guest.used(0) == [30]


def test_merged_frame_fills_buffers_in_turn_and_counts_them() -> None:
    """VNET-06, VNET-14."""
    guest, device = net(MRG_RXBUF)
    for _ in range(3):
        guest.give(0, 40)
    receive(guest, device, FRAME)
    assert guest.used(0) == [40, 12 + len(FRAME) - 40]
    assert guest.ram.read(guest.buffer(0, 0) + 10, 2) == pack("<H", 2)
    parts = guest.ram.read(guest.buffer(0, 0) + 12, 28), guest.ram.read(guest.buffer(0, 1), len(FRAME) - 28)
    assert b"".join(parts) == FRAME


def test_merged_frame_waits_until_all_of_it_has_room() -> None:
    guest, device = net(MRG_RXBUF)
    guest.give(0, 40)
    receive(guest, device, FRAME)
    assert guest.used(0) == []
    guest.give(0, 40)
    assert len(guest.used(0)) == 2


def test_transmit_strips_the_header() -> None:
    """VNET-07, VNET-12."""
    guest, _ = net()
    guest.give(1, bytes(7), bytes(3) + FRAME)
    assert (guest.far.sent, guest.used(1)) == ([(0, FRAME)], [0])
    merged, _ = net(MRG_RXBUF)
    merged.give(1, bytes(12), FRAME)
    assert merged.far.sent == [(0, FRAME)]


def test_transmit_without_link_is_dropped() -> None:
    guest, device = net()
    device.set_link(False)
    guest.actor.media_changed()
    assert guest.actor.io_read(19, 1) == 3
    assert guest.actor.io_read(20 + 6, 2) == 0
    guest.give(1, bytes(10), FRAME)
    assert (guest.far.sent, guest.used(1)) == ([], [0])


def test_transmit_of_a_header_alone_stops_or_is_dropped() -> None:
    """VNET-11."""
    guest, _ = net()
    guest.give(1, bytes(10))
    assert (guest.used(1), len(guest.actor.stops)) == ([], 1)
    kind = Guest(NetDevice(replace(QEMU_7_2, net_short_frame="drop"), mac=MAC))
    kind.give(1, bytes(10))
    assert kind.used(1) == [0]


def command(guest: Guest, content: bytes) -> int:
    guest.give(2, content, 1)
    return guest.ram.read(guest.buffer(2, guest.offered[2] - 1) + len(content), 1)[0]


def test_control_commands_are_answered() -> None:
    """VNET-18, VNET-19, VNET-21, VNET-25."""
    guest, device = net()
    table = pack("<I", 1) + MAC + pack("<I", 0)
    answers = [
        (b"\x00\x00\x00", 0),
        (b"\x00\x06\x00", 1),
        (b"\x00\x00", 1),
        (b"\x01\x00" + table, 0),
        (b"\x01\x00" + table[:-1], 1),
        (b"\x01\x00" + pack("<I", 0xFFFFFFFF), 1),
        (b"\x01\x01" + b"\x02" * 6, 0),
        (b"\x01\x01" + b"\x02" * 5, 1),
        (b"\x02\x00" + pack("<H", 4095), 0),
        (b"\x02\x00" + pack("<H", 4096), 1),
        (b"\x63\x00\x00", 1),
    ]
    assert [command(guest, content) for content, _ in answers] == [answer for _, answer in answers]
    assert device.mac == b"\x02" * 6
    assert guest.used(2) == [1] * len(answers)


def test_mac_in_config_is_the_drivers_until_reset() -> None:
    """VNET-05, BAD-REG-25."""
    guest, device = net()
    guest.actor.io_read(20, 1)
    guest.actor.io_write(20, 1, 0x02)
    assert device.mac == b"\x02" + MAC[1:]
    guest.actor.io_write(18, 1, 0)
    assert device.mac == MAC


def test_filter_by_mode_table_and_vlan() -> None:
    """VNET-18, VNET-19, VNET-20, VNET-21."""
    filter_ = ReceiveFilter()
    filter_.set_vlan_filtering(True)
    other, group, broadcast = b"\x02" * 6 + bytes(8), b"\x01" * 6 + bytes(8), FRAME
    assert all(filter_.passes(frame, MAC) for frame in (other, group, broadcast))
    assert filter_.execute(0, 0, b"\0")
    assert [filter_.passes(frame, MAC) for frame in (MAC + bytes(8), other, group, broadcast)] == [
        True,
        False,
        False,
        True,
    ]
    assert filter_.execute(1, 0, pack("<I", 1) + b"\x02" * 6 + pack("<I", 1) + b"\x01" * 6)
    assert filter_.passes(other, MAC)
    assert filter_.passes(group, MAC)
    assert filter_.execute(0, 5, b"\1")
    assert not filter_.passes(broadcast, MAC)
    tagged = other[:12] + b"\x81\x00\x00\x05"
    assert not filter_.passes(tagged, MAC)
    assert filter_.execute(2, 0, pack("<H", 5))
    assert filter_.passes(tagged, MAC)
    assert filter_.execute(1, 0, pack("<I", 65) + b"\x04" * 390 + pack("<I", 0))
    assert filter_.passes(b"\x06" * 6 + bytes(8), MAC)


# --- console


def console(features: int = 2) -> tuple[Guest, ConsoleDevice]:
    device = ConsoleDevice(QEMU_7_2, ports=(Port(0), Port(1, "name")), max_ports=2)
    return Guest(device, features), device


def test_control_handshake_announces_ports_by_name() -> None:
    """VCON-06, VCON-07."""
    guest, device = console()
    device.connect(1)
    guest.actor.media_changed()
    for _ in range(6):
        guest.give(2, 64, kick=False)
    guest.give(3, pack("<IHH", 0xFFFFFFFF, 0, 1))
    guest.give(3, pack("<IHH", 1, 3, 1))
    assert guest.used(2) == [8, 8, 8 + 5, 8]
    assert guest.ram.read(guest.buffer(2, 2), 13) == pack("<IHH", 1, 7, 1) + b"name\0"


def test_bad_control_messages_are_ignored() -> None:
    """VCON-08, BAD-CON-01, BAD-CON-02."""
    guest, _ = console()
    guest.give(2, 64, kick=False)
    for message in (b"\0" * 7, pack("<IHH", 9, 3, 1), pack("<IHH", 1, 99, 1)):
        guest.give(3, message)
    assert (guest.used(2), guest.used(3)) == ([], [0, 0, 0])


def test_input_waits_for_the_guest_to_open_the_port() -> None:
    """VCON-11."""
    guest, device = console()
    device.connect(1)
    guest.give(4, 2)
    guest.give(4, 2)
    device.receive(1, b"abc")
    guest.actor.media_changed()
    assert guest.used(4) == []
    guest.give(3, pack("<IHH", 1, 6, 1))
    assert guest.used(4) == [2, 1]
    assert guest.ram.read(guest.buffer(4, 0), 2) + guest.ram.read(guest.buffer(4, 1), 1) == b"abc"


def test_output_goes_to_a_connected_host_only() -> None:
    guest, device = console()
    guest.give(5, b"lost")
    device.connect(1)
    guest.give(5, b"seen")
    assert guest.far.sent == [(1, b"seen")]
    assert guest.used(5) == [0, 0]


def test_emergency_write_is_output() -> None:
    """VCON-04."""
    guest, _ = console()
    guest.actor.io_write(20 + 8, 4, ord("!"))
    assert guest.far.sent == [(0, b"!")]
    assert guest.actor.io_read(20 + 8, 4) == 0


def test_kick_of_an_empty_output_queue_interrupts_where_the_profile_says() -> None:
    """VRING-AV-07."""
    for profile, line in ((QEMU_7_2, True), (VIRTIO_PCI_RTL, False)):
        guest = Guest(ConsoleDevice(profile))
        guest.actor.io_read(19, 1)
        guest.actor.io_write(16, 2, 1)
        assert guest.actor.intx_line is line


# --- balloon


def test_inflating_releases_pages_and_ignores_a_cut_number() -> None:
    """VBAL-05, VBAL-12."""
    guest = Guest(BalloonDevice(QEMU_7_2))
    guest.give(0, pack("<II", 0x11, 0x12)[:6], pack("<II", 0x11, 0x12)[6:] + b"\x01")
    guest.give(1, pack("<I", 0x11))
    assert guest.far.released == [0x11, 0x12]
    assert (guest.used(0), guest.used(1)) == ([0], [0])


def test_statistics_buffer_is_held_and_an_earlier_one_goes_back() -> None:
    """VBAL-08, VBAL-13."""
    guest = Guest(BalloonDevice(QEMU_7_2))
    guest.give(2, bytes(10))
    assert guest.used(2) == []
    guest.give(2, bytes(20))
    assert guest.used(2) == [0]


def test_balloon_target_interrupts_and_actual_is_the_drivers() -> None:
    """VBAL-04, VBAL-07."""
    device = BalloonDevice(QEMU_7_2)
    guest = Guest(device)
    device.set_target(256)
    guest.actor.media_changed()
    assert (guest.actor.io_read(20, 4), guest.actor.io_read(19, 1)) == (256, 3)
    guest.actor.io_write(20, 4, 7)
    for place, byte in enumerate(b"\x34\x12"):
        guest.actor.io_write(24 + place, 1, byte)
    assert (guest.actor.io_read(20, 4), guest.actor.io_read(24, 4)) == (256, 0x1234)


# --- entropy


def test_entropy_fills_what_is_writable_and_says_how_much() -> None:
    """VRNG-03, VRNG-05."""
    guest = Guest(EntropyDevice(QEMU_7_2))
    guest.give(0, b"readable")
    assert guest.used(0) == []
    guest.give(0, 16, 16)
    assert guest.used(0) == [0, 32]
    assert guest.ram.read(guest.buffer(0, 1), 32) == bytes(range(32))
