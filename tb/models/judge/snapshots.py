"""Which register states the function may be in: a write acts between acceptance and completion.

The function executes requests in the order in which it accepts them, so the states it may be in are the
suffix of a list: the state after the last request known to be executed, and the states after each one
accepted since.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NO_VECTOR = 0xFFFF


@dataclass(slots=True, frozen=True)
class Entry:
    """One MSI-X table entry: message address, message data, its mask bit."""

    address: int = 0
    data: int = 0
    masked: bool = True


@dataclass(slots=True, frozen=True)
class Snapshot:
    """The registers that decide what the function may send.

    `generation` counts virtio resets; `vectors` are those of the queues in order; sizes are in bytes.
    """

    generation: int = 0
    bus_master: bool = False
    max_payload: int = 128
    max_read_request: int = 512
    intx_disable: bool = False
    msix_enable: bool = False
    function_mask: bool = False
    entries: tuple[Entry, ...] = ()
    config_vector: int = NO_VECTOR
    vectors: tuple[int, ...] = ()
    driver_ok: bool = False
    features: int = 0

    def sends(self, vector: int) -> bool:
        """Whether an interrupt of `vector` leaves as a message now (PCI-MSIX-07, PCI-CFG-14)."""
        return (
            self.msix_enable
            and self.bus_master
            and not self.function_mask
            and vector < len(self.entries)
            and not self.entries[vector].masked
        )


class Snapshots:
    """The states the function may be in, oldest first; `latest` has every accepted write applied."""

    __slots__ = ("_orders", "latest", "states")

    def __init__(self, first: Snapshot) -> None:
        self.states = [first]
        self._orders = [-1]
        self.latest = first

    def push(self, order: int, state: Snapshot) -> None:
        """The request numbered `order` was accepted; executing it leads to `state`."""
        self.states.append(state)
        self._orders.append(order)
        self.latest = state

    def settle(self, order: int) -> None:
        """Every request up to `order` is executed."""
        orders = self._orders
        if len(orders) == 1:
            return
        drop = 0
        while drop + 1 < len(orders) and orders[drop + 1] <= order:
            drop += 1
        if drop:
            del orders[:drop]
            del self.states[:drop]

    def any(self, holds: Callable[[Snapshot], bool]) -> bool:
        """Whether `holds` of at least one state the function may be in."""
        return any(holds(state) for state in self.states)
