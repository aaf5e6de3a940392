"""What the judges of one function share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tb.models.devices.base import DeviceModel, DeviceType
from tb.models.judge.interrupts import Interrupts
from tb.models.judge.record import Record
from tb.models.profile import Profile
from tb.models.virtqueue import F_EVENT_IDX, F_INDIRECT_DESC, F_NOTIFY_ON_EMPTY

_DATA_RULES = {
    DeviceType.BLOCK: "VBLK-06",
    DeviceType.NET: "VNET-13",
    DeviceType.CONSOLE: "VCON-11",
    DeviceType.ENTROPY: "VRNG-06",
    DeviceType.BALLOON: "VBAL-08",
}


@dataclass(slots=True)
class Court:
    """Record, profile, device model and interrupts; `features` gives the features accepted now,
    `reads_outstanding` tells whether the host owes the function an answer."""

    record: Record
    profile: Profile
    device: DeviceModel
    interrupts: Interrupts
    features: Callable[[], int]
    reads_outstanding: Callable[[], bool]

    def now(self) -> Court:
        """A court for one queue: what `freeze` does to it stays with that queue."""
        return replace(self)

    def freeze(self, features: int) -> None:
        """A reset has cleared the features; the queue it ended goes on with what it had."""
        self.features = lambda: features

    @property
    def event_idx(self) -> bool:
        return bool(self.features() >> F_EVENT_IDX & 1)

    @property
    def notify_on_empty(self) -> bool:
        return bool(self.features() >> F_NOTIFY_ON_EMPTY & 1)

    @property
    def indirect(self) -> bool:
        return bool(self.features() >> F_INDIRECT_DESC & 1)

    @property
    def data_rule(self) -> str:
        """The requirement that wrong bytes in a buffer break."""
        return _DATA_RULES[self.device.type]
