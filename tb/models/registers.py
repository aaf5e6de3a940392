"""The legacy register block in BAR0: its state and what reading and writing each register does (VPCI-REG).

Registers are addressed by their offset and always whole here; ``access`` cuts what comes over the bus into
whole registers, as the profile says. Nothing here performs DMA: effects come back as events.
"""

from __future__ import annotations

from collections.abc import Callable

from tb.models.devices.base import DeviceModel
from tb.models.events import (
    NOTHING,
    DeviceReset,
    Events,
    FeaturesChanged,
    Notify,
    QueueMoved,
    QueueStopped,
    StatusChanged,
)
from tb.models.msix import NO_VECTOR, MsixTable
from tb.models.profile import Profile
from tb.models.virtqueue import F_BAD_FEATURE

HOST_FEATURES = 0x00
GUEST_FEATURES = 0x04
QUEUE_PFN = 0x08
QUEUE_SIZE = 0x0C
QUEUE_SELECT = 0x0E
QUEUE_NOTIFY = 0x10
STATUS = 0x12
ISR = 0x13
CONFIG_VECTOR = 0x14
QUEUE_VECTOR = 0x16

CONFIG_WITHOUT_MSIX = 20
CONFIG_WITH_MSIX = 24

STATUS_ACKNOWLEDGE = 1
STATUS_DRIVER = 2
STATUS_DRIVER_OK = 4
STATUS_FEATURES_OK = 8

ISR_QUEUE = 1
ISR_CONFIG = 2

WIDTHS = {
    HOST_FEATURES: 4,
    GUEST_FEATURES: 4,
    QUEUE_PFN: 4,
    QUEUE_SIZE: 2,
    QUEUE_SELECT: 2,
    QUEUE_NOTIFY: 2,
    STATUS: 1,
    ISR: 1,
    CONFIG_VECTOR: 2,
    QUEUE_VECTOR: 2,
}
NAMES = {
    HOST_FEATURES: "HOST_FEATURES",
    GUEST_FEATURES: "GUEST_FEATURES",
    QUEUE_PFN: "QUEUE_PFN",
    QUEUE_SIZE: "QUEUE_SIZE",
    QUEUE_SELECT: "QUEUE_SELECT",
    QUEUE_NOTIFY: "QUEUE_NOTIFY",
    STATUS: "STATUS",
    ISR: "ISR",
    CONFIG_VECTOR: "CONFIG_VECTOR",
    QUEUE_VECTOR: "QUEUE_VECTOR",
}


class LegacyRegisters:
    """State of the register block.

    Attributes:
        status, isr, features, queue_select, pfns, config_vector: the registers by their specification names;
            ``features`` is what was accepted, ``pfns`` has one entry per queue.
        live: queues that have been given an address.
        vectors: queue vectors that are not NO_VECTOR, by queue number.
        features_locked: further feature writes are ignored until reset.
        intx_pending: a cause for INTx is pending (what Interrupt Status shows).
    """

    __slots__ = (
        "_device",
        "_msix",
        "_profile",
        "_readers",
        "_sizes",
        "_writers",
        "config_vector",
        "features",
        "features_locked",
        "intx_pending",
        "isr",
        "live",
        "pfns",
        "queue_select",
        "status",
        "vectors",
    )

    def __init__(self, profile: Profile, device: DeviceModel, msix: MsixTable) -> None:
        self._profile = profile
        self._sizes = tuple(device.queue_sizes)
        self._clear()
        self._wire(device, msix)

    def _wire(self, device: DeviceModel, msix: MsixTable) -> None:
        self._device = device
        self._msix = msix
        self._readers: dict[int, Callable[[], int]] = {
            HOST_FEATURES: lambda: device.host_features,
            GUEST_FEATURES: lambda: self.features,
            QUEUE_PFN: self._read_pfn,
            QUEUE_SIZE: lambda: self.queue_size(self.queue_select),
            QUEUE_SELECT: lambda: self.queue_select,
            QUEUE_NOTIFY: lambda: self._profile.notify_read,
            STATUS: lambda: self.status,
            ISR: self._read_isr,
            CONFIG_VECTOR: lambda: self.config_vector,
            QUEUE_VECTOR: lambda: self.vectors.get(self.queue_select, NO_VECTOR),
        }
        self._writers: dict[int, Callable[[int], Events]] = {
            GUEST_FEATURES: self._write_features,
            QUEUE_PFN: self._write_pfn,
            QUEUE_SELECT: self._write_select,
            QUEUE_NOTIFY: self._write_notify,
            STATUS: self._write_status,
            CONFIG_VECTOR: self._write_config_vector,
            QUEUE_VECTOR: self._write_queue_vector,
        }

    def _clear(self) -> None:
        self.status = 0
        self.isr = 0
        self.features = 0
        self.features_locked = False
        self.queue_select = 0
        self.pfns = [0] * len(self._sizes)
        self.live: frozenset[int] = frozenset()
        self.config_vector = NO_VECTOR
        self.vectors: dict[int, int] = {}
        self.intx_pending = False

    def copy(self, device: DeviceModel, msix: MsixTable) -> LegacyRegisters:
        """An independent copy of the state, wired to these copies of device and MSI-X table."""
        twin = object.__new__(LegacyRegisters)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.pfns = self.pfns[:]
        twin.vectors = dict(self.vectors)
        twin._wire(device, msix)
        return twin

    def reset(self) -> None:
        """Virtio reset (VPCI-STAT-06, VPCI-STAT-08); what PCI owns stays."""
        self._clear()
        self._msix.release_all()
        self._device.reset()

    @property
    def config_base(self) -> int:
        """Where the device configuration starts: it follows MSI-X Enable alone (VPCI-REG-03/-04)."""
        return CONFIG_WITH_MSIX if self._msix.enabled else CONFIG_WITHOUT_MSIX

    def queue_size(self, queue: int) -> int:
        """Entries of ``queue``; 0 when there is no such queue (VPCI-Q-04)."""
        return self._sizes[queue] if queue < len(self._sizes) else 0

    def read(self, register: int) -> int:
        """The whole register at offset ``register``; reading the ISR clears it."""
        return self._readers[register]()

    def write(self, register: int, value: int) -> Events:
        """Write a whole register; read-only ones ignore it (VPCI-REG-13)."""
        writer = self._writers.get(register)
        return writer(value) if writer else NOTHING

    def peek(self, register: int) -> int:
        """The whole register at offset ``register``, without a side effect."""
        return self.isr if register == ISR else self._readers[register]()

    def _read_isr(self) -> int:
        value = self.isr
        self.isr = 0
        self.intx_pending = False
        return value

    def _read_pfn(self) -> int:
        if not self.queue_size(self.queue_select):
            return self._profile.missing_queue_pfn
        return self.pfns[self.queue_select]

    def _write_features(self, value: int) -> Events:
        profile = self._profile
        if self.features_locked or (profile.features_ok_locks and self.status & STATUS_FEATURES_OK):
            return NOTHING
        if value >> F_BAD_FEATURE & 1 and profile.bad_feature == "offered":
            value = self._device.bad_features()
        self.features = value & self._device.host_features if profile.features_masked else value
        self._device.features_accepted(self.features)
        return (FeaturesChanged(self.features),)

    def _write_pfn(self, value: int) -> Events:
        queue = self.queue_select
        exists = self.queue_size(queue) > 0
        if value == 0 and self._profile.pfn_zero != "address_zero":
            return self._write_pfn_zero(queue) if exists or self._profile.pfn_zero_missing_queue else NOTHING
        if not exists:
            return NOTHING
        live = queue in self.live
        if live and self._profile.pfn_rewrite == "ignored":
            return NOTHING
        was = self.pfns[queue]
        self.pfns[queue] = value
        self.live |= {queue}
        return (QueueMoved(queue, value, was, live and self._profile.pfn_rewrite == "moved"),)

    def _write_pfn_zero(self, queue: int) -> Events:
        if self._profile.pfn_zero == "reset_device":
            self.reset()
            return (DeviceReset(),)
        if queue not in self.live:
            return NOTHING
        self.pfns[queue] = 0
        self.live -= {queue}
        return (QueueStopped(queue),)

    def _write_select(self, value: int) -> Events:
        if value < self._profile.queue_select_limit:
            self.queue_select = value
        return NOTHING

    def _write_notify(self, value: int) -> Events:
        if value not in self.live:
            return NOTHING
        if self._profile.features_lock == "first_notify":
            self.features_locked = True
        return (Notify(value),)

    def _write_status(self, value: int) -> Events:
        was = self.status
        self.status = value & 0xFF
        if self.status == 0:
            self.reset()
            return (DeviceReset(),)
        self._device.status_written(self.status)
        return (StatusChanged(self.status, was, value),)

    def clear_driver_ok(self) -> Events:
        """The function itself takes DRIVER_OK back (VPCI-STAT-28)."""
        was = self.status
        self.status &= ~STATUS_DRIVER_OK
        self._device.status_written(self.status)
        return (StatusChanged(self.status, was, self.status),)

    def _write_config_vector(self, value: int) -> Events:
        self.config_vector = self._mapped_vector(self.config_vector, value)
        return NOTHING

    def _write_queue_vector(self, value: int) -> Events:
        queue = self.queue_select
        if not self.queue_size(queue) and self._profile.missing_queue_vector == "none":
            return NOTHING
        vector = self._mapped_vector(self.vectors.get(queue, NO_VECTOR), value)
        if vector == NO_VECTOR:
            self.vectors.pop(queue, None)
        else:
            self.vectors[queue] = vector
        return NOTHING

    def _mapped_vector(self, was: int, value: int) -> int:
        """What a vector register holds after ``value`` was written (VPCI-INT-10, VPCI-INT-18)."""
        table = self._msix
        if was < table.entries:
            table.release(was)
        if value < table.entries:
            table.use(value)
            return value
        return value & 0xFFFF if self._profile.vector_out_of_range == "stored" else NO_VECTOR
