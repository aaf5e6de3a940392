"""What an access does beyond changing a register: the events that register writes return."""

from __future__ import annotations

from dataclasses import dataclass

from tb.models.msix import Message


@dataclass(slots=True, frozen=True)
class Notify:
    """The guest says that ``queue`` has new chains. The queue exists and has an address."""

    queue: int


@dataclass(slots=True, frozen=True)
class DeviceReset:
    """The device is back in its reset state; whatever was in flight is void (VPCI-STAT-04)."""


@dataclass(slots=True, frozen=True)
class QueueMoved:
    """``queue`` lies at ``pfn`` now, at ``was`` before (0: nowhere). ``goes_on``: its ring indices stay."""

    queue: int
    pfn: int
    was: int
    goes_on: bool


@dataclass(slots=True, frozen=True)
class QueueStopped:
    """``queue`` lost its address; the rest of the device goes on."""

    queue: int


@dataclass(slots=True, frozen=True)
class StatusChanged:
    """The status register went from ``was`` to ``status`` (a write of 0 is ``DeviceReset`` instead).

    ``written`` is what the guest wrote, wider than a byte when the access was.
    """

    status: int
    was: int
    written: int


@dataclass(slots=True, frozen=True)
class FeaturesChanged:
    """The accepted features are now ``features``."""

    features: int


@dataclass(slots=True, frozen=True)
class ConfigWritten:
    """The guest wrote ``data`` at ``offset`` of the device configuration."""

    offset: int
    data: bytes


@dataclass(slots=True, frozen=True)
class CommandChanged:
    """The PCI command register went from ``was`` to ``command``."""

    command: int
    was: int


@dataclass(slots=True, frozen=True)
class MessageDue:
    """An MSI-X message goes out now."""

    message: Message


Event = (
    Notify
    | DeviceReset
    | QueueMoved
    | QueueStopped
    | StatusChanged
    | FeaturesChanged
    | ConfigWritten
    | CommandChanged
    | MessageDue
)
Events = tuple[Event, ...]
NOTHING: Events = ()
