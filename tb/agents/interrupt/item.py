"""One interrupt event on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from tb.guest.host_bus import Msi


@dataclass(slots=True, frozen=True)
class InterruptSeen:
    """An MSI-X message, or a change of the INTx line when `message` is None."""

    time_ns: int
    message: Msi | None = None
    asserted: bool = False
