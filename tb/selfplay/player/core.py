"""What the parts of the function share, and the disk whose configuration may show late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tb.models.devices.block import BlockDevice
from tb.models.function import FunctionModel
from tb.models.profile import Profile
from tb.models.virtqueue import F_EVENT_IDX, F_INDIRECT_DESC, F_NOTIFY_ON_EMPTY
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock
from tb.selfplay.lies import Liar
from tb.selfplay.player.disk import DiskPort
from tb.selfplay.player.interrupts import Interrupter
from tb.selfplay.player.port import Port


class PlayedDisk(BlockDevice):
    """A block device that can go on showing a configuration it had."""

    def show(self, content: bytes | None) -> None:
        """Reads give `content` until the configuration changes; None: what it is now."""
        self._config = content


@dataclass(slots=True)
class Core:
    """The function's parts that its queues need; `on_broken` is told when a queue stops the whole device."""

    clock: Clock
    settings: Settings
    liar: Liar
    model: FunctionModel
    device: PlayedDisk
    port: Port
    interrupts: Interrupter
    disk: DiskPort
    on_broken: Callable[[], None] = lambda: None

    @property
    def profile(self) -> Profile:
        return self.model.profile

    def _has(self, feature: int) -> bool:
        return bool(self.model.registers.features >> feature & 1)

    @property
    def event_idx(self) -> bool:
        return self._has(F_EVENT_IDX)

    @property
    def notify_on_empty(self) -> bool:
        return self._has(F_NOTIFY_ON_EMPTY)

    @property
    def indirect(self) -> bool:
        return self._has(F_INDIRECT_DESC)
