"""The monitor of the media agent: the disk's port as facts for the judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyuvm import uvm_analysis_port, uvm_monitor

from tb.harness.link import MediaAnswered, MediaRequest, MediaSeen, MediaWritten, PinLink
from tb.models.judge.media import (
    BlockRequest,
    BlockResponse,
    BlockWriteData,
    CapacityChanged,
    MediaEvent,
)


@dataclass(slots=True, frozen=True)
class MediaObservation:
    """One media event with its time, and how much of that the host has held the function up."""

    time_ns: int
    event: MediaEvent
    held_ns: int = 0


class MediaMonitor(uvm_monitor):
    """Publishes a `MediaObservation` on `ap` per request, write data, response and change of capacity."""

    link: PinLink

    def build_phase(self) -> None:
        self.ap = uvm_analysis_port("ap", self)
        self._forms: dict[type, Callable[..., MediaEvent]] = {
            MediaRequest: lambda seen: BlockRequest(seen.op, seen.sector, seen.count),
            MediaWritten: lambda seen: BlockWriteData(seen.data),
            MediaAnswered: lambda seen: BlockResponse(seen.ok, seen.data),
        }

    def connect_phase(self) -> None:
        self.link.observe_media(self._seen)

    async def run_phase(self) -> None:
        """Wakes only when the capacity on the pins changes, from the end of the power-on reset on."""
        control = self.link.pins.control
        await control.rst_n.value_change
        capacity = control.blk_capacity
        while True:
            await capacity.value_change
            self.link.drain()
            event = CapacityChanged(int(capacity.value))
            memory = self.link.memory
            self.ap.write(MediaObservation(memory.time_ns, event, memory.held_ns))

    def _seen(self, seen: MediaSeen) -> None:
        self.ap.write(MediaObservation(seen.time_ns, self._forms[type(seen)](seen), seen.held_ns))
