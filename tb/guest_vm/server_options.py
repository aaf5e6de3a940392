"""What the command tells the process that offers the function, and what that process tells it at the end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tb.vfio_user.interrupts import InterruptMode

VARIABLE = "VPCI_GUEST"


@dataclass(slots=True, frozen=True)
class ServerOptions:
    """Paths: the socket to listen on, the disk image to serve, where results and the access log go."""

    socket: str
    disk: str
    results: str
    accesses: str
    interrupts: str = InterruptMode.FUNCTION.value
    client_limit_s: float = 60.0

    @property
    def mode(self) -> InterruptMode:
        return InterruptMode(self.interrupts)

    def to_environment(self) -> dict[str, str]:
        """The variable that hands these options to a process."""
        return {VARIABLE: json.dumps(dataclasses.asdict(self), sort_keys=True)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ServerOptions:
        """This process's options. KeyError when no command has given any."""
        return cls(**json.loads(environment[VARIABLE]))


@dataclass(slots=True)
class ServerResults:
    """What the server saw. `ending` is "" when the server itself broke.

    `accesses` rows: space, register, "read" or "write", count; `clocks` are simulated ones.
    """

    ending: str = ""
    client_left: bool = False
    accesses: list[tuple[str, str, str, int]] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    interrupts: dict[str, int] = field(default_factory=dict)
    protocol_errors: list[str] = field(default_factory=list)
    resets: int = 0
    accesses_scored: int = 0
    dma_scored: int = 0
    interrupts_scored: int = 0
    mismatches: int = 0
    verdicts: list[str] = field(default_factory=list)
    clocks: int = 0

    def save(self, path: Path) -> None:
        """Write them whole or not at all."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(self), indent=1), encoding="utf-8")
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> ServerResults | None:
        """What a server wrote; None when it did not come to that."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**values)
        except (OSError, ValueError, TypeError):
            return None
