"""The MSI-X table and its pending bits (PCI-MSIX), and configuration space (PCI-CFG, PCI-BAR)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.devices.balloon import BalloonDevice
from tb.models.devices.base import DeviceModel
from tb.models.devices.block import BlockDevice
from tb.models.devices.entropy import EntropyDevice
from tb.models.events import CommandChanged, MessageDue
from tb.models.function import FunctionModel
from tb.models.msix import Message
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL, Profile

COMMAND, STATUS, MSIX_CONTROL = 0x04, 0x06, 0x42
ENABLED, MASKED = 0x8000, 0x4000
CONFIG_VECTOR, QUEUE_VECTOR = 0x14, 0x16
TWO = Message(1, 0xFEE01000, 0x4321)


def function(profile: Profile = VIRTIO_PCI_RTL, command: int = 7) -> FunctionModel:
    """MSI-X on, entry 1 programmed and unmasked, queue 0 on vector 1."""
    model = FunctionModel(profile, BlockDevice(profile, capacity=8))
    model.config_write(COMMAND, 2, command)
    model.config_write(MSIX_CONTROL, 2, ENABLED)
    for offset, value in ((0x10, TWO.address), (0x18, TWO.data), (0x1C, 0)):
        model.mem_write(offset, 4, value)
    model.io_write(QUEUE_VECTOR, 2, 1)
    return model


def test_unmasked_event_is_one_message() -> None:
    model = function()
    assert model.queue_interrupt(0) == TWO
    assert model.mem_read(0x800, 4) == 0


def test_masked_event_pends_and_unmasking_sends_it_once_as_it_is_then() -> None:
    """PCI-MSIX-07, PCI-MSIX-08, PCI-MSIX-16."""
    model = function()
    model.mem_write(0x1C, 4, 1)
    assert model.queue_interrupt(0) is None
    assert model.queue_interrupt(0) is None
    assert model.mem_read(0x800, 8) == 2
    model.mem_write(0x18, 4, 0x5555)
    assert model.mem_write(0x1C, 4, 0) == (MessageDue(Message(1, TWO.address, 0x5555)),)
    assert model.mem_read(0x800, 8) == 0


def test_function_mask_pends_and_leaves_vector_masks() -> None:
    """PCI-MSIX-09."""
    model = function()
    model.config_write(MSIX_CONTROL, 2, ENABLED | MASKED)
    assert model.queue_interrupt(0) is None
    assert model.mem_read(0x1C, 4) == 0
    assert model.config_write(MSIX_CONTROL, 2, ENABLED) == (MessageDue(TWO),)


def test_disabled_msix_sends_and_pends_nothing_and_keeps_what_pended() -> None:
    """PCI-MSIX-10."""
    model = function()
    model.mem_write(0x1C, 4, 1)
    model.queue_interrupt(0)
    model.config_write(MSIX_CONTROL, 2, 0)
    assert model.mem_write(0x1C, 4, 0) == ()
    assert model.mem_read(0x800, 4) == 2
    assert model.config_write(MSIX_CONTROL, 2, ENABLED) == (MessageDue(TWO),)


def test_virtio_reset_clears_pending_bits_and_keeps_the_table() -> None:
    """VPCI-STAT-08, PCI-MSIX-19."""
    model = function()
    model.mem_write(0x1C, 4, 1)
    model.queue_interrupt(0)
    model.io_write(0x12, 1, 0)
    assert (model.mem_read(0x800, 4), model.mem_read(0x18, 4)) == (0, TWO.data)


def test_without_bus_master_messages_pend_or_are_lost() -> None:
    """PCI-MSIX-22."""
    model = function(command=7)
    model.config_write(COMMAND, 2, 3)
    assert model.queue_interrupt(0) is None
    assert model.config_write(COMMAND, 2, 7) == (CommandChanged(7, 3), MessageDue(TWO))


@pytest.mark.parametrize(("releases", "pending"), [(True, 0), (False, 2)])
def test_pending_message_of_a_vector_nobody_names(releases: bool, pending: int) -> None:
    """VPCI-INT-18."""
    model = function(replace(VIRTIO_PCI_RTL, vector_release_clears_pending=releases))
    model.mem_write(0x1C, 4, 1)
    model.queue_interrupt(0)
    model.io_write(QUEUE_VECTOR, 2, 0xFFFF)
    assert model.mem_read(0x800, 4) == pending


def test_events_share_a_vector() -> None:
    """VPCI-INT-08."""
    model = function()
    model.io_write(CONFIG_VECTOR, 2, 1)
    model.io_write(0x12, 1, 4)
    assert model.config_interrupt() == TWO
    assert model.queue_interrupt(0) == TWO


def test_partial_accesses_to_the_table() -> None:
    """PCI-MSIX-05."""
    for profile, read in ((VIRTIO_PCI_RTL, 0x10), (QEMU_7_2, 0)):
        model = function(profile)
        model.mem_write(0x10, 2, 0xFFFF)
        assert model.mem_read(0x10, 8) == TWO.address
        assert model.mem_read(0x11, 1) == read
    assert function(QEMU_7_2).mem_read(0x0F, 8) == TWO.address << 8


def test_reserved_table_bits_stay_zero_where_the_profile_says() -> None:
    """PCI-MSIX-03."""
    for profile, low, control in ((VIRTIO_PCI_RTL, 0xFFFFFFFC, 1), (QEMU_7_2, 0xFFFFFFFF, 0xFFFFFFFF)):
        model = function(profile)
        model.mem_write(0, 4, 0xFFFFFFFF)
        model.mem_write(12, 4, 0xFFFFFFFF)
        assert (model.mem_read(0, 4), model.mem_read(12, 4)) == (low, control)


def test_past_the_table_reads_zero_and_pba_ignores_writes() -> None:
    """PCI-MSIX-04, PCI-MSIX-12."""
    model = function()
    model.mem_write(0x30, 4, 0xFFFFFFFF)
    model.mem_write(0x800, 4, 0xFFFFFFFF)
    model.mem_write(0xFFC, 4, 0xFFFFFFFF)
    assert [model.mem_read(place, 4) for place in (0x30, 0x7FC, 0x800, 0xFFC)] == [0, 0, 0, 0]


def test_memory_decode_off() -> None:
    model = function(command=5)
    assert model.mem_read(0, 4) == 0xFFFFFFFF
    assert function(QEMU_7_2, command=5).mem_read(0, 4) == 0


# --- configuration space


def devices(profile: Profile) -> list[DeviceModel]:
    return [BlockDevice(profile, capacity=8), EntropyDevice(profile), BalloonDevice(profile)]


@pytest.mark.parametrize("profile", [VIRTIO_PCI_RTL, QEMU_7_2])
def test_identity_and_bar_sizes(profile: Profile) -> None:
    """VPCI-DISC-01..04, PCI-BAR-01."""
    block, entropy, balloon = (FunctionModel(profile, device) for device in devices(profile))
    assert [f.config_read(0, 4) for f in (block, entropy, balloon)] == [0x10011AF4, 0x10051AF4, 0x10021AF4]
    assert [f.config_read(0x2E, 2) for f in (block, entropy, balloon)] == [2, 4, 5]
    assert block.config_read(8, 1) == 0
    for model in (block, entropy, balloon):
        model.config_write(0x10, 4, 0xFFFFFFFF)
        size = 0x1_0000_0000 - (model.config_read(0x10, 4) & ~3)
        assert size == model.config.bar0_size
        assert size >= 20 + model.device.config_length
        model.config_write(0x14, 4, 0xFFFFFFFF)
        assert model.config_read(0x14, 4) == (0xFFFFF000 if model.device.vectors else 0)


def test_capability_list_ends_and_names_each_once() -> None:
    """PCI-CFG-10."""
    for profile, ids in ((VIRTIO_PCI_RTL, [0x11, 0x10]), (QEMU_7_2, [0x11])):
        model = FunctionModel(profile, BlockDevice(profile, capacity=8))
        place, found = model.config_read(0x34, 1), []
        while place:
            found.append(model.config_read(place, 1))
            place = model.config_read(place + 1, 1)
        assert found == ids
        assert model.config_read(STATUS, 2) & 0x10
    without = FunctionModel(QEMU_7_2, BalloonDevice(QEMU_7_2))
    assert (without.config_read(0x34, 1), without.config_read(STATUS, 2)) == (0, 0)


def test_error_bits_are_cleared_by_ones_only() -> None:
    """PCI-CFG-05, PCI-CFG-06."""
    model = function()
    model.config.set_bits(STATUS, 0x2800)
    model.config_write(COMMAND, 4, 0x0000_0007)
    assert model.config_read(STATUS, 2) & 0xFF00 == 0x2800
    model.config_write(STATUS, 2, 0x0800)
    assert model.config_read(STATUS, 2) & 0xFF00 == 0x2000


def test_command_toggle_changes_bit_10_alone() -> None:
    """PCI-CFG-08."""
    model = function()
    model.config_write(COMMAND, 2, 7 ^ 0x400)
    assert model.config_read(COMMAND, 2) == 7 ^ 0x400


def test_byte_enables_reach_their_bytes_only() -> None:
    """PCI-CFG-02, PCI-MSIX-15."""
    model = function()
    model.config_write_enabled(0x40, 0b1000, 0x0000_0000)
    assert not model.msix.enabled
    model.config_write_enabled(0x40, 0b0111, 0xFFFF_FFFF)
    assert model.config_read(0x40, 4) == 0x00025011
    assert model.config_read_enabled(0x00, 0b0010) == 0x1A00


def test_cold_reset_restores_everything_but_scratch() -> None:
    model = function(QEMU_7_2)
    model.config_write(0x80, 4, 0x12345678)
    model.config_write(0x10, 4, 0xC000)
    model.queue_interrupt(0)
    model.cold_reset()
    assert model.config_read(COMMAND, 2) == 0
    assert (model.config_read(0x10, 4), model.config_read(0x80, 4)) == (1, 0x12345678)
    assert (model.msix.entry(1), model.msix.enabled) == ((0, 0, 0, 1), False)
