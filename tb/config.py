"""The one configuration object of an environment, made by a test and passed down by name."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tb.agents.media.config import DiskBackend
from tb.guest.host_bus import HostMemory
from tb.harness.shared_memory import Stream
from tb.models.devices.base import DeviceModel
from tb.models.profile import Profile
from tb.run_guard import RunLimits

Range = tuple[int, int]


@dataclass(slots=True, frozen=True)
class Stall:
    """A stream pauses with a chance of `per_256`/256 per clock, for 1 to `longest` clocks."""

    per_256: int
    longest: int = 1


@dataclass(slots=True, frozen=True)
class Traffic:
    """How the host and the disk treat the function. Delays are (least, most) clocks, sizes bytes.

    `stalls` belongs to the streams: a pause of ready where the function drives, a gap in valid where the host
    does. `split_chance` is the chance that a completion ends at a boundary where it need not.
    """

    completion_delay: Range = (0, 0)
    part_delay: Range = (0, 0)
    boundary: int = 64
    max_payload: int = 128
    split_chance: float = 0.0
    media_delay: Range = (0, 0)
    stalls: tuple[tuple[Stream, Stall], ...] = ()


_BACK_PRESSURE = tuple((stream, Stall(64, 6)) for stream in Stream)
_FAR = (100, 400)

PACES = {
    "fast": Traffic(),
    "slow": Traffic(completion_delay=_FAR, part_delay=(0, 60), media_delay=(300, 1500)),
    "split": Traffic(split_chance=0.6, part_delay=(0, 20)),
    "reorder": Traffic(completion_delay=(0, 250)),
    "throttled": Traffic(stalls=_BACK_PRESSURE),
    "wild": Traffic((0, 150), (0, 40), 64, 128, 0.4, (0, 250), _BACK_PRESSURE),
}
"""Answers at once; late; in pieces; out of order between tags; with valid and ready taken away; all of it."""


@dataclass(slots=True)
class EnvConfig:
    """What an environment is built from. `seed` drives every choice the agents make."""

    device: DeviceModel
    profile: Profile
    memory: HostMemory
    disk: DiskBackend
    seed: int = 1
    traffic: Traffic = Traffic()
    requester_id: int = 0x0000
    target_id: int = 0x0100
    access_timeout_ns: int = 10_000_000
    max_outstanding: int = 32
    results_dir: str = "."
    limits: RunLimits = field(default_factory=RunLimits)

    def derived(self, name: str) -> random.Random:
        """A generator for one agent, so that one agent's choices do not shift another's."""
        return random.Random(f"{self.seed}/{name}")
