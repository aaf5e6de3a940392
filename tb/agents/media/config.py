"""What the media agent is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Protocol

from tb.harness.link import PinLink


class DiskBackend(Protocol):
    """Where the sectors are. Sectors have 512 bytes."""

    sectors: int
    serial: bytes

    def read(self, sector: int, count: int) -> bytes | None:
        """`count` sectors, None when they cannot be read."""
        ...

    def write(self, sector: int, data: bytes) -> bool:
        """Store whole sectors; False when they cannot be written."""
        ...

    def flush(self) -> bool:
        """Make everything written last; False when that fails."""
        ...


@dataclass(slots=True)
class MediaConfig:
    """A response comes `delay` clocks (least, most) after its request, or after its data for a write."""

    link: PinLink
    disk: DiskBackend
    random: random.Random = field(default_factory=lambda: random.Random(1))
    delay: tuple[int, int] = (0, 0)
