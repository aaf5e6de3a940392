"""What every virtio device model offers, and the words in which it asks for data and states its effects.

A device is a function from a request (a chain) to effects. ``serve`` is a generator: it yields operations
(bytes it wants from the chain, work for its media) and returns ``Effects``. The judge answers them from
what it has observed, the actor from memory and a media object; neither knows the device.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Literal, Self

from tb.models.profile import Profile
from tb.models.virtqueue import Chain

STATUS_DRIVER_OK = 4


class DeviceType(IntEnum):
    """Virtio device types, the value of the PCI Subsystem ID (VPCI-DISC-04)."""

    NET = 1
    BLOCK = 2
    CONSOLE = 3
    ENTROPY = 4
    BALLOON = 5


@dataclass(slots=True, frozen=True)
class Gather:
    """Asks for ``length`` bytes of the chain's readable stream from ``offset`` on; answered with bytes."""

    offset: int
    length: int


@dataclass(slots=True, frozen=True)
class MediaRead:
    """Asks the disk for ``count`` sectors of 512 bytes; answered with a ``MediaResult`` carrying data."""

    sector: int
    count: int


@dataclass(slots=True, frozen=True)
class MediaWrite:
    """Gives the disk whole sectors; answered with a ``MediaResult``."""

    sector: int
    data: bytes


@dataclass(slots=True, frozen=True)
class MediaFlush:
    """Asks the disk to make everything written stable; answered with a ``MediaResult``.

    ``rule`` is what a request breaks that is answered without it.
    """

    rule: ClassVar[str] = "VBLK-17"


@dataclass(slots=True, frozen=True)
class MediaSend:
    """Sends a frame or console output on ``port``; answered with a ``MediaResult``."""

    data: bytes
    port: int = 0


@dataclass(slots=True, frozen=True)
class MediaTake:
    """Asks the media for up to ``length`` bytes (entropy); answered with a ``MediaResult`` carrying data."""

    length: int
    port: int = 0


@dataclass(slots=True, frozen=True)
class MediaResult:
    """What the media answered: ``ok`` False is a media error, then ``data`` is empty."""

    ok: bool
    data: bytes = b""


@dataclass(slots=True, frozen=True)
class NextChain:
    """Asks for one more chain of the queue being served; answered with a ``Chain``, None for no more."""


@dataclass(slots=True, frozen=True)
class MediaRelease:
    """Gives the guest page with this number back to the host (balloon); answered with a ``MediaResult``."""

    page: int


Operation = Gather | MediaRead | MediaWrite | MediaFlush | MediaSend | MediaTake | MediaRelease | NextChain
Result = bytes | MediaResult | Chain | None


@dataclass(slots=True, frozen=True)
class Effects:
    """What serving a chain does to guest memory.

    ``writes``: (offset in the chain's writable stream, bytes), of which the last completes the request (its
    status) and the others may come in any order; ``used_length``: the used element's length;
    ``also``: further chains of the same queue, published with the same used index.
    ``rule``: the requirement that makes it end so, where that is more than the device's framing.
    ``disposal``: the chain itself is used, or returned to the available ring, or held back by the device.
    """

    writes: tuple[tuple[int, bytes], ...]
    used_length: int
    also: tuple[tuple[Chain, Effects], ...] = ()
    disposal: Literal["used", "returned", "held"] = "used"
    rule: str = ""


class Drain(IntEnum):
    """How a device drains a queue."""

    PLAIN = 0  # one chain after another
    QUIET = 1  # asks for no kicks while it drains
    STOCK = 2  # a supply queue: asks for no kicks while it has buffers in stock


Serve = Generator[Operation, Result, Effects]


class DeviceModel:
    """Base of the device models. Subclasses have the queues, the configuration and the serving.

    Attributes:
        type: virtio device type.
        queue_sizes: entries of each queue, 0 for a queue that is absent.
        host_features: the 32 feature bits offered.
        vectors: MSI-X table entries, 0 for a function without MSI-X.
        config_length: bytes of device configuration; reads past it give ones (VPCI-REG-14).
        writeback: the media may hold writes back until a flush.
    """

    type: DeviceType
    queue_sizes: Sequence[int]
    host_features: int
    vectors: int
    config_length: int = 0
    writeback: bool = False

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.features = 0
        self.status = 0
        self._config: bytes | None = None
        self._last_read = bytes(self.config_length)
        self._config_changes = 0

    def copy(self) -> Self:
        """A copy whose state changes independently."""
        return copy(self)

    # --- configuration

    def config_bytes(self) -> bytes:
        """The device configuration as the guest reads it now."""
        if self._config is None:
            self._config = self.build_config()[: self.config_length]
        self._last_read = self._config
        return self._config

    def write_config(self, offset: int, data: bytes) -> None:
        """A guest write that lies wholly inside the configuration; read-only fields ignore it."""
        base = self._last_read if self.profile.config_write_takes == "last_read" else self.config_bytes()
        content = base[:offset] + data + base[offset + len(data) :]
        self._last_read = content
        self.take_config(content)
        self._config = None

    def build_config(self) -> bytes:
        """The configuration structure from the device's state, at least ``config_length`` bytes."""
        return b""

    def take_config(self, content: bytes) -> None:
        """Take over the driver-writable fields of the whole configuration ``content``."""

    def config_changed(self) -> None:
        """The device itself changed its configuration: tell the guest (VPCI-STAT-24)."""
        self._config = None
        self._config_changes += 1

    def take_config_changes(self) -> int:
        """Number of configuration changes to tell the guest about since the last call."""
        changes, self._config_changes = self._config_changes, 0
        return changes

    def replies_on(self, queue: int) -> int | None:
        """The supply queue that requests of ``queue`` are answered on before they are given back, if any."""
        return None

    def take_neglected(self) -> list[int]:
        """Request queues to look into although the guest has not notified them, since the last call."""
        return []

    def take_output(self) -> tuple[MediaSend, ...]:
        """What configuration writes have sent to the media since the last call."""
        return ()

    # --- driver's doing

    def features_accepted(self, features: int) -> None:
        """The guest's features are now ``features`` (already masked with what is offered)."""
        self.features = features

    def status_written(self, status: int) -> None:
        """The status register has changed to ``status`` (never 0: that is ``reset``)."""
        self.status = status

    def bad_features(self) -> int:
        """Features assumed for a driver that acknowledges bit 30 (VPCI-STAT-20)."""
        return 0

    def reset(self) -> None:
        """Back to the state after power-up, as far as a virtio reset reaches."""
        self.features = 0
        self.status = 0
        self._config = None

    # --- queues

    def must_wait(self) -> bool:
        """Whether the data queues wait for DRIVER_OK (VPCI-STAT-11)."""
        return self.named_in(self.profile.waits_for_driver_ok) and not self.status & STATUS_DRIVER_OK

    def named_in(self, devices: Sequence[str]) -> bool:
        """Whether a profile's list of devices has this type."""
        return self.type.name.lower() in devices

    def is_supply(self, queue: int) -> bool:
        """Whether ``queue`` holds empty buffers that the device fills when it has something to say."""
        return False

    def notified(self, queue: int) -> None:
        """The guest has notified ``queue``."""

    def wants(self, queue: int) -> bool:
        """Whether the device would serve a chain of ``queue`` now."""
        return True

    def room(self, queue: int) -> int:
        """Of a supply queue: up to how many waiting bytes the device must know of; 0 for none."""
        return 0

    def offered(self, queue: int, available: int) -> bool:
        """Of a supply queue: there is room (``room`` bytes counted, else 1). False: not enough to begin."""
        return True

    def declines(self, queue: int) -> bool:
        """Of a supply queue with room: True when what was to be said is dropped instead."""
        return False

    def unanswered(self, queue: int) -> bool:
        """Of a supply queue: what was offered found no chain after all. True: go on with what comes next."""
        self.offered(queue, 0)
        return False

    def least(self, queue: int) -> int:
        """Of a supply queue of a stopped device that counts all the same: bytes it needs; 0: it does not."""
        return 0

    def discards(self, queue: int) -> bool:
        """Whether chains of ``queue`` are given back unread now."""
        return False

    def unfinished(self, queue: int) -> bool:
        """Of a supply queue: what the device has begun to say goes on in the next chain."""
        return False

    def drain_style(self, queue: int) -> Drain:
        """How ``queue`` is drained, where the profile's ``used_flags`` lets it show."""
        return Drain.PLAIN

    def interrupts_anyway(self, queue: int) -> bool:
        """Whether draining ``queue`` interrupts even when no chain was there."""
        return False

    def failure(self, chain: Chain) -> Effects:
        """What tells the guest that ``chain`` could not be served, where it is given back all the same."""
        del chain
        return Effects((), 0)

    def serve(self, queue: int, chain: Chain) -> Serve:
        """Serve one chain. Raises ``ChainError`` when the queue must stop instead."""
        raise NotImplementedError(f"{type(self).__name__} has no queue {queue}")
