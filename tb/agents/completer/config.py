"""What the completer agent is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tb.guest.host_bus import HostMemory
from tb.harness.link import PinLink


@dataclass(slots=True)
class CompleterConfig:
    """How the host's memory behaves. `random` decides within the limits, so that a seed gives the same run.

    A completion starts `delay` clocks (least, most) after its request, each further part of it `part_delay`
    after the one before; so completions of different tags overtake each other when the range is wide. Parts
    end on multiples of `boundary` bytes (the read completion boundary, 64 or 128) and carry at most
    `max_payload` bytes; at a boundary where it need not, a part ends with a chance of `split_chance`
    (0..1).
    """

    link: PinLink
    memory: HostMemory
    random: random.Random = field(default_factory=lambda: random.Random(1))
    completer_id: int = 0x0000
    delay: tuple[int, int] = (0, 0)
    part_delay: tuple[int, int] = (0, 0)
    boundary: int = 64
    max_payload: int = 128
    split_chance: float = 0.0
    on_unanswered: Callable[[int, bool], None] = lambda _tag, _late: None
    """Told the tag of a read that gets no answer or, if true, one that is too late.

    The one thing that nobody can see on the pins.
    """
