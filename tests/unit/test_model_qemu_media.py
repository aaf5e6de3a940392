"""What live fuzzing found about QEMU's other devices: waiting frames, pulled cables, rounds, listeners."""

from __future__ import annotations

from dataclasses import replace
from struct import pack, unpack

import pytest

from tb.models.devices.net import NetDevice
from tb.models.profile import QEMU_7_2, Profile
from tb.models.virtqueue import ChainError, RingLayout
from tb.oracle.machine import LONGEST_FRAME, Machine
from tb.oracle.trace import Row

BUFFERS = 0x20_0000
FRAME = bytes.fromhex("525400123456525400abcdef0800") + bytes(46)


class Driver:
    """A driver that puts one-buffer chains on the rings of a machine's device."""

    def __init__(self, device: str, *ports: str, profile: Profile = QEMU_7_2) -> None:
        header: Row = {
            "device": "x",
            "bar0": 0,
            "bar1": 0,
            "device_args": device,
            "post_args": ["-device", *ports],
        }
        self.machine = Machine(profile, header)
        self.actor = self.machine.actor
        self.actor.config_write(0x04, 2, 7)
        self.layouts: list[RingLayout] = []
        self.offered = [0] * 8
        self.set_up()

    def set_up(self, status: int = 7) -> None:
        """Reset, then every queue on a page of its own."""
        self.actor.io_write(0x12, 1, 0)
        self.actor.io_write(0x12, 1, 3)
        self.actor.io_write(0x04, 4, 2)
        self.offered = [0] * 8
        sizes = list(self.machine.device.queue_sizes)[:8]
        self.layouts = [RingLayout.of(0x100 + 8 * queue, size) for queue, size in enumerate(sizes)]
        for queue, layout in enumerate(self.layouts):
            self.machine.ram.fill(layout.descriptors, layout.end - layout.descriptors, 0)
            self.actor.io_write(0x0E, 2, queue)
            self.actor.io_write(0x08, 4, layout.descriptors >> 12)
        self.actor.io_write(0x12, 1, status)

    def offer(self, queue: int, length: int, *, writable: bool = True, kick: bool = True) -> None:
        ram, layout, index = self.machine.ram, self.layouts[queue], self.offered[queue]
        ram.write(layout.descriptor(index), pack("<QIHH", BUFFERS + 4096 * index, length, 2 * writable, 0))
        ram.write(layout.available_slot(index), pack("<H", index))
        ram.write(layout.available_index, pack("<H", index + 1))
        self.offered[queue] = index + 1
        if kick:
            self.actor.io_write(0x10, 2, queue)

    def used(self, queue: int) -> int:
        return int(unpack("<H", self.machine.ram.read(self.layouts[queue].used_index, 2))[0])

    def isr(self) -> int:
        return self.actor.io_read(0x13, 1)


NET, SERIAL, ENTROPY = "virtio-net-pci", "virtio-serial-pci,max_ports=2", "virtio-rng-pci"


def test_a_frame_without_a_buffer_waits_for_its_queue_to_be_notified() -> None:
    driver = Driver(NET)
    driver.machine.inject_frame(FRAME)
    driver.offer(0, 2048, kick=False)
    driver.actor.io_write(0x10, 2, 2)
    assert driver.used(0) == 0
    driver.actor.io_write(0x10, 2, 0)
    assert driver.used(0) == 1


@pytest.mark.parametrize(("fate", "delivered"), [("lost", 1), ("kept", 2)])
def test_of_waiting_frames_the_first_is_lost_with_driver_ok(fate: str, delivered: int) -> None:
    """VNET-13."""
    driver = Driver(NET, profile=replace(QEMU_7_2, net_early_frame=fate))  # type: ignore[arg-type]
    driver.machine.inject_frame(FRAME)
    driver.machine.inject_frame(FRAME)
    driver.set_up(status=3)
    driver.offer(0, 2048, kick=False)
    driver.offer(0, 2048, kick=False)
    driver.actor.io_write(0x12, 1, 7)
    assert driver.used(0) == delivered


def test_a_frame_is_lost_with_the_chain_that_turns_out_bad() -> None:
    driver = Driver(NET)
    driver.machine.inject_frame(FRAME)
    driver.offer(0, 0)
    driver.set_up()
    driver.offer(0, 2048)
    assert driver.used(0) == 0


def test_a_loop_found_while_counting_room_loses_no_frame() -> None:
    """VRING-DESC-04: the count stops at the descriptor that is one too many, however long that one is."""
    driver = Driver(NET)
    driver.set_up(status=3)
    driver.actor.io_write(0x04, 4, 1 << 15 | 1 << 28)
    driver.actor.io_write(0x12, 1, 7)
    driver.machine.inject_frame(FRAME)
    ram, layout = driver.machine.ram, driver.layouts[0]
    ram.write(layout.descriptor(0), pack("<QIHH", BUFFERS, 32, 4, 0))
    ram.write(BUFFERS, pack("<QIHHQIHH", BUFFERS + 4096, 40, 3, 1, BUFFERS + 8192, 20, 3, 0))
    ram.write(layout.available_index, pack("<H", 1))
    driver.actor.io_write(0x10, 2, 0)
    assert driver.actor.function.broken
    device = driver.machine.device
    assert isinstance(device, NetDevice)
    assert device.waiting_frames == 1


@pytest.mark.parametrize(("features", "delivered"), [(None, 1), (2, 1), (1 << 19, 0)])
def test_tagged_frames_pass_until_vlan_filtering_is_negotiated(features: int | None, delivered: int) -> None:
    """VNET-21: also where no features were written since reset."""
    driver = Driver(NET)
    device = driver.machine.device
    assert isinstance(device, NetDevice)
    driver.actor.io_write(0x12, 1, 0)
    if features is not None:
        driver.actor.io_write(0x04, 4, features)
    device.filter.modes = 0
    tagged = FRAME[:12] + bytes.fromhex("81000005") + FRAME[12:]
    assert device.filter.passes(tagged, FRAME[:6]) == bool(delivered)


@pytest.mark.parametrize(("length", "flags"), [(10, 1), (0, 0)])
def test_a_refused_frame_leaves_kicks_off_and_a_bad_chain_does_not(length: int, flags: int) -> None:
    """VRING-KICK-01: QEMU asks for kicks again only where it has looked for a next frame in vain."""
    driver = Driver(NET)
    driver.offer(1, length, writable=False)
    assert driver.actor.function.broken
    assert driver.machine.ram.read(driver.layouts[1].used_flags, 2) == pack("<H", flags)


@pytest.mark.parametrize(("length", "frames"), [(LONGEST_FRAME, 1), (LONGEST_FRAME + 1, 0)])
def test_a_frame_that_no_datagram_carries_is_given_back_and_lost(length: int, frames: int) -> None:
    driver = Driver(NET)
    driver.offer(1, 10 + length, writable=False)
    assert (driver.used(1), len(driver.machine.wire)) == (1, frames)


@pytest.mark.parametrize(("choice", "used"), [("returns_unread", 2), ("serves", 0)])
def test_without_a_link_chains_go_back_unread_where_the_profile_says(choice: str, used: int) -> None:
    """VNET-29: a bad chain among them does not matter then, nor does DRIVER_OK."""
    driver = Driver(NET, profile=replace(QEMU_7_2, net_without_link=choice))  # type: ignore[arg-type]
    driver.set_up(status=3)
    driver.machine.host_command("set_link", {"up": False})
    driver.offer(1, 0, kick=False)
    driver.offer(1, 100, writable=False)
    assert driver.used(1) == used


def test_entropy_interrupts_once_a_round_even_when_its_chain_is_bad() -> None:
    """The bytes are counted first; the chain is found bad when it is taken (VRING-INT-01)."""
    driver = Driver(ENTROPY)
    ram, layout = driver.machine.ram, driver.layouts[0]
    ram.write(layout.descriptor(0), pack("<QIHH", BUFFERS, 16, 3, 1))
    ram.write(layout.descriptor(1), pack("<QIHH", BUFFERS, 16, 0, 0))
    ram.write(layout.available_index, pack("<H", 1))
    driver.actor.io_write(0x10, 2, 0)
    assert (driver.used(0), driver.isr(), driver.actor.intx_line) == (0, 1, False)


def test_a_control_message_whose_reply_finds_a_bad_buffer_is_not_given_back() -> None:
    """VCON-08: the reply goes out first, and a device that has stopped gives nothing back."""
    driver = Driver(SERIAL, "virtconsole,nr=0")
    driver.offer(2, 0, kick=False)
    driver.machine.ram.write(BUFFERS, pack("<IHH", 0xFFFFFFFF, 0, 1))
    driver.offer(3, 8, writable=False)
    assert (driver.actor.function.broken, driver.used(3)) == (True, 0)


def test_a_listener_makes_a_port_count_its_buffers_and_find_bad_chains() -> None:
    """VCON-05: there is no input, and yet the device stops."""
    for looks, stops in ((True, 1), (False, 0)):
        profile = replace(QEMU_7_2, console_looks_ahead=looks, console_features=0)
        driver = Driver(SERIAL, "virtconsole,nr=0", profile=profile)
        driver.machine.connect()
        ram, layout = driver.machine.ram, driver.layouts[0]
        ram.write(layout.descriptor(0), pack("<QIHH", BUFFERS, 16, 3, 0))
        ram.write(layout.available_index, pack("<H", 1))
        driver.actor.io_write(0x10, 2, 0)
        assert len(driver.actor.stops) == stops


def test_hanging_up_interrupts_for_output_that_is_thrown_away() -> None:
    driver = Driver(SERIAL, "virtserialport,nr=1")
    driver.machine.connect()
    driver.isr()
    driver.machine.disconnect()
    assert driver.isr() == 1


def test_a_console_is_connected_at_the_host_whoever_listens() -> None:
    driver = Driver(SERIAL, "virtconsole,nr=0")
    driver.offer(1, 5, writable=False)
    assert (driver.used(1), bytes(driver.machine.terminal)) == (1, b"")
    driver.machine.connect()
    driver.offer(1, 5, writable=False)
    assert len(driver.machine.terminal) == 5


@pytest.mark.parametrize(("choice", "lost"), [("counts", True), ("waits", False)])
def test_a_stopped_device_loses_frames_there_would_be_room_for(choice: str, lost: bool) -> None:
    """The transmit queue has stopped the device; a frame comes, and the receive queue has a buffer."""
    driver = Driver(NET, profile=replace(QEMU_7_2, stopped_supply=choice))  # type: ignore[arg-type]
    driver.offer(1, 0, writable=False)
    driver.offer(0, 2048)
    driver.machine.inject_frame(FRAME)
    assert driver.used(0) == 0
    assert driver.machine.ram.read(driver.layouts[0].used_flags, 1)[0] == lost


@pytest.mark.parametrize(("limit", "used"), [("all_chains", 0), ("each_chain", 8)])
def test_counting_ahead_finds_more_descriptors_than_the_queue_has(limit: str, used: int) -> None:
    """VRING-DESC-04: eight chains of one descriptor, one of them twice as long."""
    driver = Driver(ENTROPY, profile=replace(QEMU_7_2, survey_limit=limit))  # type: ignore[arg-type]
    ram, layout = driver.machine.ram, driver.layouts[0]
    ram.write(layout.descriptor(0), pack("<QIHH", BUFFERS, 8, 2, 0))
    ram.write(layout.descriptor(1), pack("<QIHH", BUFFERS, 8, 3, 0))
    ram.write(layout.available_slot(5), pack("<H", 1))
    ram.write(layout.available_index, pack("<H", 8))
    driver.actor.io_write(0x10, 2, 0)
    assert driver.used(0) == used


def test_counting_ahead_ends_where_there_is_room_enough() -> None:
    """What is wrong with a chain further on is found when the chain is taken."""
    driver = Driver(NET)
    ram, layout = driver.machine.ram, driver.layouts[0]
    ram.write(layout.descriptor(0), pack("<QIHH", BUFFERS, 2048, 3, 0xFFFF))
    ram.write(layout.available_index, pack("<H", 1))
    ring = driver.actor.rings[0]
    assert ring.available_bytes(100) == 2048
    with pytest.raises(ChainError):
        ring.available_bytes(4096)


def test_a_read_past_the_configuration_does_not_count_as_reading_it() -> None:
    """BAD-REG-25: a write goes into what was read last, which is nothing yet."""
    driver = Driver(NET)
    assert driver.actor.io_read(20 + 9, 1) == 0xFF
    driver.actor.io_write(20 + 2, 2, 0)
    assert driver.actor.io_read(20, 4) == 0
