"""Guest code as a UVM sequence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyuvm import uvm_sequence

from tb.targets.rtl import RtlBus

Scenario = Callable[[RtlBus], Awaitable[None]]


class GuestSequence(uvm_sequence):
    """A sequence whose body is guest code: every access it makes is an item of this sequence."""

    def __init__(self, name: str, scenario: Scenario, bus_of: Callable[[uvm_sequence], RtlBus]) -> None:
        super().__init__(name)
        self._scenario = scenario
        self.bus = bus_of(self)

    async def body(self) -> None:
        """Run the guest until it returns."""
        await self._scenario(self.bus)
