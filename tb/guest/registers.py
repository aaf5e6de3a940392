"""Numbers the guest shares with every legacy virtio-pci function (VPCI-REG-01, VPCI-STAT-01)."""

from __future__ import annotations

from enum import IntEnum, IntFlag

VENDOR_ID = 0x1AF4
DEVICE_IDS = range(0x1000, 0x1040)
LEGACY_REVISION = 0
NO_VECTOR = 0xFFFF
QUEUE_ALIGN = 4096
"""Bytes: the unit of a queue's address and the alignment of its used ring (VPCI-Q-01, VPCI-Q-02)."""


class DeviceKind(IntEnum):
    """Virtio device types: what the PCI subsystem device id holds (VPCI-DISC-04)."""

    NET = 1
    BLOCK = 2
    CONSOLE = 3
    ENTROPY = 4
    BALLOON = 5


class Register(IntEnum):
    """Byte offsets in BAR0."""

    DEVICE_FEATURES = 0x00
    DRIVER_FEATURES = 0x04
    QUEUE_PFN = 0x08
    QUEUE_SIZE = 0x0C
    QUEUE_SELECT = 0x0E
    QUEUE_NOTIFY = 0x10
    DEVICE_STATUS = 0x12
    ISR_STATUS = 0x13
    CONFIG_VECTOR = 0x14
    QUEUE_VECTOR = 0x16


CONFIG_BASE = 0x14
"""Device config starts here while MSI-X is disabled, else at CONFIG_BASE_MSIX (VPCI-REG-03)."""
CONFIG_BASE_MSIX = 0x18


class Status(IntFlag):
    """Device status bits."""

    RESET = 0
    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    NEEDS_RESET = 64
    FAILED = 128


class Isr(IntFlag):
    """ISR status bits."""

    NONE = 0
    QUEUE = 1
    CONFIG = 2


class RingFeature(IntFlag):
    """Feature bits that belong to the transport and the rings."""

    NONE = 0
    NOTIFY_ON_EMPTY = 1 << 24
    ANY_LAYOUT = 1 << 27
    INDIRECT_DESC = 1 << 28
    EVENT_IDX = 1 << 29
    BAD_FEATURE = 1 << 30


class DescriptorFlag(IntFlag):
    """Descriptor flags of a split ring."""

    NONE = 0
    NEXT = 1
    WRITE = 2
    INDIRECT = 4
