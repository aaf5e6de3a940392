"""The register block behind every kind of access (VPCI-REG, VPCI-STAT, VPCI-INT)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.models.devices.block import BlockDevice
from tb.models.events import DeviceReset, Notify
from tb.models.function import FunctionModel
from tb.models.profile import BHYVE, QEMU_7_2, QEMU_2011, VIRTIO_PCI_RTL, Profile
from tb.models.registers import (
    CONFIG_VECTOR,
    GUEST_FEATURES,
    HOST_FEATURES,
    ISR,
    QUEUE_NOTIFY,
    QUEUE_PFN,
    QUEUE_SELECT,
    QUEUE_SIZE,
    QUEUE_VECTOR,
    STATUS,
)

COMMAND, MSIX_CONTROL = 0x04, 0x42
RUNNING = 0x0007
ENABLED, MASKED = 0x8000, 0x4000
NO_VECTOR = 0xFFFF


def function(profile: Profile = VIRTIO_PCI_RTL, *, msix: bool = False) -> FunctionModel:
    """A block function with decoding and bus master on."""
    model = FunctionModel(profile, BlockDevice(profile, capacity=2048, serial=b"disk"))
    model.config_write(COMMAND, 2, RUNNING)
    if msix:
        model.config_write(MSIX_CONTROL, 2, ENABLED)
    return model


def test_one_byte_status_read_keeps_the_isr() -> None:
    """VPCI-REG-11."""
    model = function()
    model.queue_interrupt(0)
    assert model.io_read(STATUS, 1) == 0
    assert model.registers.isr == 1
    assert model.io_read(ISR, 1) == 1
    assert (model.registers.isr, model.intx_line) == (0, False)


def test_dword_read_of_0x10_clears_the_isr_with_byte_enables_only() -> None:
    """VPCI-REG-12."""
    model = function()
    model.queue_interrupt(0)
    assert model.io_read_enabled(0x10, 0b0111) >> 24 == 0
    assert model.registers.isr == 1
    assert model.io_read_enabled(0x10, 0b1111) >> 24 == 1
    assert model.registers.isr == 0
    other = function(QEMU_7_2)
    other.queue_interrupt(0)
    assert other.io_read(0x10, 4) == 0xFFFFFFFF
    assert other.registers.isr == 1


def test_partial_writes_merge_under_byte_enables() -> None:
    model = function()
    model.io_write(QUEUE_SELECT, 1, 0x34)
    model.io_write(QUEUE_SELECT + 1, 1, 0x12)
    assert model.io_read(QUEUE_SELECT, 2) == 0x1234


def test_write_across_notify_and_status_reaches_both_and_nothing_else() -> None:
    """VPCI-REG-16."""
    model = function()
    model.io_write(QUEUE_PFN, 4, 0x20)
    assert model.io_write(0x11, 2, 0x0300) != ()
    assert model.io_read(STATUS, 1) == 3
    assert model.io_write(QUEUE_NOTIFY, 1, 0) == (Notify(0),)


def test_read_only_registers_ignore_writes() -> None:
    """VPCI-REG-13."""
    for profile in (VIRTIO_PCI_RTL, QEMU_7_2, QEMU_2011, BHYVE):
        model = function(profile)
        for register, size in ((HOST_FEATURES, 4), (QUEUE_SIZE, 2), (ISR, 1)):
            before = model.io_read(register, size)
            assert model.io_write(register, size, 0x5A5A5A5A & (1 << 8 * size) - 1) == ()
            assert model.io_read(register, size) == before


def test_unnatural_width_by_profile() -> None:
    """VPCI-REG-10."""
    cut, uncut, exact = function(QEMU_7_2), function(QEMU_2011), function(BHYVE)
    for model in (cut, uncut, exact):
        model.io_write(QUEUE_PFN, 4, 0x12345678)
    assert cut.io_read(QUEUE_PFN, 1) == 0x78
    assert cut.io_read(QUEUE_PFN - 1, 4) == 0xFF5678FF
    assert uncut.io_read(QUEUE_PFN - 1, 4) == 0xFFFFFFFF
    assert exact.io_read(QUEUE_PFN, 1) == 0xFF
    exact.io_write(QUEUE_PFN, 1, 1)
    assert exact.io_read(QUEUE_PFN, 4) == 0x12345678


def test_config_base_follows_msix_enable_alone() -> None:
    """VPCI-REG-03, VPCI-REG-04."""
    model = function()
    assert model.io_read(20, 4) == 2048
    model.config_write(MSIX_CONTROL, 2, MASKED)
    assert model.io_read(20, 4) == 2048
    model.config_write(MSIX_CONTROL, 2, ENABLED | MASKED)
    assert (model.io_read(20, 4), model.io_read(24, 4)) == (0xFFFFFFFF, 2048)
    model.config_write(MSIX_CONTROL, 2, 0)
    assert model.io_read(20, 4) == 2048


def test_reads_past_device_config_give_ones() -> None:
    """VPCI-REG-14, VPCI-REG-15."""
    model = function()
    assert model.io_read(20 + 24, 1) == 0xFF
    straddling = function(QEMU_7_2)
    assert straddling.io_read(20 + 56, 1) == 1
    assert straddling.io_read(20 + 56, 4) == 0xFFFFFFFF


def test_io_decode_off_reads_ones_without_side_effect() -> None:
    """VPCI-REG-23."""
    model = function()
    model.queue_interrupt(0)
    model.config_write(COMMAND, 2, 0x0006)
    assert model.io_read(ISR, 1) == 0xFF
    assert model.registers.isr == 1
    assert model.io_write(STATUS, 1, 0) == ()


def test_missing_queue_reads_absent_and_aliases_nothing() -> None:
    """VPCI-REG-21, BAD-REG-01, BAD-REG-02."""
    model = function(msix=True)
    model.io_write(QUEUE_SELECT, 2, 0xFFFF)
    assert [model.io_read(r, s) for r, s in ((QUEUE_SIZE, 2), (QUEUE_PFN, 4))] == [0, 0]
    assert model.io_write(QUEUE_PFN, 4, 0x20) == ()
    assert model.io_write(QUEUE_PFN, 4, 0) == ()
    model.io_write(QUEUE_VECTOR, 2, 1)
    assert model.io_read(QUEUE_VECTOR, 2) == NO_VECTOR
    model.io_write(QUEUE_SELECT, 2, 0)
    assert (model.io_read(QUEUE_PFN, 4), model.io_read(QUEUE_VECTOR, 2)) == (0, NO_VECTOR)


def test_queue_select_limit_by_profile() -> None:
    model = function(QEMU_7_2)
    model.io_write(QUEUE_SELECT, 2, 1023)
    model.io_write(QUEUE_SELECT, 2, 1024)
    assert model.io_read(QUEUE_SELECT, 2) == 1023


def test_notify_counts_for_a_queue_with_an_address_only() -> None:
    """VPCI-REG-20, VPCI-Q-16."""
    model = function()
    assert model.io_write(QUEUE_NOTIFY, 2, 0) == ()
    model.io_write(QUEUE_PFN, 4, 0x20)
    assert model.io_write(QUEUE_NOTIFY, 2, 0) == (Notify(0),)
    assert model.io_write(QUEUE_NOTIFY, 2, 1) == ()
    assert model.io_write(QUEUE_NOTIFY, 2, 0xFFFF) == ()


def test_pfn_zero_by_profile() -> None:
    """DIS-1."""
    for profile in (VIRTIO_PCI_RTL, QEMU_7_2):
        model = function(profile)
        model.io_write(STATUS, 1, 7)
        assert model.io_write(QUEUE_PFN, 4, 0) == (DeviceReset(),)
        assert model.io_read(STATUS, 1) == 0
    at_zero = function(BHYVE)
    at_zero.io_write(QUEUE_PFN, 4, 0)
    assert at_zero.io_write(QUEUE_NOTIFY, 2, 0) == (Notify(0),)
    stopping = function(replace(VIRTIO_PCI_RTL, pfn_zero="stop_queue"))
    stopping.io_write(STATUS, 1, 7)
    stopping.io_write(QUEUE_PFN, 4, 5)
    stopping.io_write(QUEUE_PFN, 4, 0)
    assert (stopping.io_read(STATUS, 1), stopping.io_write(QUEUE_NOTIFY, 2, 0)) == (7, ())


def test_live_queue_keeps_its_address_where_the_profile_says() -> None:
    """VPCI-Q-11."""
    for profile, kept in ((VIRTIO_PCI_RTL, 0x20), (QEMU_7_2, 0x30)):
        model = function(profile)
        model.io_write(QUEUE_PFN, 4, 0x20)
        model.io_write(QUEUE_PFN, 4, 0x30)
        assert model.io_read(QUEUE_PFN, 4) == kept


def test_features_are_masked_and_locked_by_the_first_kick() -> None:
    """VPCI-STAT-17, VPCI-STAT-25."""
    model = function()
    model.io_write(GUEST_FEATURES, 4, 0xFFFFFFFF)
    offered = model.io_read(HOST_FEATURES, 4)
    assert model.io_read(GUEST_FEATURES, 4) == offered
    model.io_write(QUEUE_PFN, 4, 0x20)
    model.io_write(QUEUE_NOTIFY, 2, 0)
    model.io_write(GUEST_FEATURES, 4, 0)
    assert model.io_read(GUEST_FEATURES, 4) == offered
    model.io_write(STATUS, 1, 0)
    model.io_write(GUEST_FEATURES, 4, 1 << 29)
    assert model.io_read(GUEST_FEATURES, 4) == 1 << 29


def test_bit_30_by_profile() -> None:
    """VPCI-STAT-20."""
    trap = function(QEMU_7_2)
    trap.io_write(GUEST_FEATURES, 4, 0xFFFFFFFF)
    assert trap.io_read(GUEST_FEATURES, 4) == 0
    assert not function().io_read(HOST_FEATURES, 4) >> 30 & 1


def test_status_keeps_any_byte_and_zero_resets() -> None:
    """VPCI-STAT-03, VPCI-STAT-13."""
    model = function(msix=True)
    for value in (0xFF, 0x40, 0x04, 0x01):
        model.io_write(STATUS, 1, value)
        assert model.io_read(STATUS, 1) == value
    model.io_write(CONFIG_VECTOR, 2, 1)
    model.queue_interrupt(0)
    assert model.io_write(STATUS, 1, 0) == (DeviceReset(),)
    assert model.io_read(CONFIG_VECTOR, 2) == NO_VECTOR
    assert model.io_read(ISR, 1) == 0


def test_reset_keeps_what_pci_owns() -> None:
    """VPCI-STAT-07."""
    model = function(msix=True)
    model.mem_write(0, 4, 0x1000)
    model.io_write(STATUS, 1, 0)
    assert model.config_read(COMMAND, 2) == RUNNING
    assert model.config_read(MSIX_CONTROL, 2) & ENABLED
    assert model.mem_read(0, 4) == 0x1000


def test_status_three_sets_bus_master_where_the_profile_says() -> None:
    """VPCI-STAT-27: exactly 3, whatever the width."""
    for profile, written, width, on in (
        (QEMU_7_2, 3, 1, True),
        (QEMU_7_2, 0x103, 2, False),
        (VIRTIO_PCI_RTL, 3, 1, False),
    ):
        model = function(profile)
        model.config_write(COMMAND, 2, 0x0003)
        model.io_write(STATUS, width, written)
        assert model.bus_master is on


def test_clearing_bus_master_by_profile() -> None:
    """VPCI-STAT-28."""
    for profile, status in ((VIRTIO_PCI_RTL, 7), (QEMU_7_2, 3), (QEMU_2011, 3), (BHYVE, 7)):
        model = function(profile)
        model.io_write(STATUS, 1, 7)
        model.config_write(COMMAND, 2, 0x0003)
        assert model.io_read(STATUS, 1) == status


def test_driver_that_never_sets_bus_master_is_tolerated_once_seen() -> None:
    model = function(QEMU_2011)
    model.config_write(COMMAND, 2, 0x0003)
    model.io_write(STATUS, 1, 7)
    model.config_write(COMMAND, 2, 0x0403)
    assert model.io_read(STATUS, 1) == 7


def test_isr_under_msix_by_profile() -> None:
    """DIS-2, DIS-3."""
    for profile, queue, config in ((VIRTIO_PCI_RTL, 1, 3), (BHYVE, 0, 0)):
        model = function(profile, msix=True)
        model.io_write(STATUS, 1, 7)
        model.queue_interrupt(0)
        assert model.io_read(ISR, 1) == queue
        model.config_interrupt()
        assert model.io_read(ISR, 1) == config


def test_config_change_waits_for_driver_ok() -> None:
    """DIS-8."""
    model = function()
    assert model.config_interrupt() is None
    assert (model.registers.isr, model.intx_line) == (0, False)
    model.io_write(STATUS, 1, 4)
    model.config_interrupt()
    assert (model.registers.isr, model.intx_line) == (3, True)


def test_intx_disable_gates_the_line_not_the_status() -> None:
    """PCI-CFG-12, PCI-CFG-13."""
    model = function()
    model.queue_interrupt(0)
    model.config_write(COMMAND, 2, RUNNING | 0x400)
    assert (model.intx_line, model.config_read(0x06, 2) & 8) == (False, 8)
    model.config_write(COMMAND, 2, RUNNING)
    assert model.intx_line


def test_enabling_msix_drops_intx_and_disabling_does_not_raise_it() -> None:
    """PCI-INT-03, VPCI-INT-07."""
    for profile, back in (
        (VIRTIO_PCI_RTL, False),
        (replace(VIRTIO_PCI_RTL, msix_disable_raises_intx=True), True),
    ):
        model = function(profile)
        model.queue_interrupt(0)
        model.config_write(MSIX_CONTROL, 2, ENABLED)
        assert not model.intx_line
        model.config_write(MSIX_CONTROL, 2, 0)
        assert model.intx_line is back


@pytest.mark.parametrize(
    ("profile", "stored"), [(VIRTIO_PCI_RTL, NO_VECTOR), (QEMU_7_2, NO_VECTOR), (BHYVE, 3)]
)
def test_vector_past_the_table(profile: Profile, stored: int) -> None:
    """VPCI-INT-10."""
    model = function(profile, msix=True)
    model.io_write(CONFIG_VECTOR, 2, 2)
    assert model.io_read(CONFIG_VECTOR, 2) == 2
    model.io_write(CONFIG_VECTOR, 2, 3)
    assert model.io_read(CONFIG_VECTOR, 2) == stored


def test_vectors_survive_an_msix_toggle() -> None:
    """VPCI-REG-06."""
    model = function(msix=True)
    model.io_write(QUEUE_VECTOR, 2, 1)
    model.config_write(MSIX_CONTROL, 2, 0)
    model.config_write(MSIX_CONTROL, 2, ENABLED)
    assert model.io_read(QUEUE_VECTOR, 2) == 1


def test_copy_is_independent() -> None:
    model = function(msix=True)
    model.io_write(QUEUE_VECTOR, 2, 1)
    twin = model.copy()
    twin.io_write(QUEUE_PFN, 4, 9)
    twin.io_write(QUEUE_VECTOR, 2, 2)
    twin.mem_write(0, 4, 0x4444)
    twin.config_write(COMMAND, 2, 0)
    assert model.io_read(QUEUE_PFN, 4) == 0
    assert model.io_read(QUEUE_VECTOR, 2) == 1
    assert model.mem_read(0, 4) == 0
    assert model.config_read(COMMAND, 2) == RUNNING
