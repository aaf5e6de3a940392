"""Which register states the function may be in: a write acts between acceptance and completion.

The function executes requests in the order in which it accepts them, so the states it may be in are the
suffix of a list: the state after the last request known to be executed, and the states after each one
accepted since.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tb.models.config_space import CAPABILITY_PCIE, COMMAND_INTX_DISABLE, COMMAND_PARITY_RESPONSE
from tb.models.function import FunctionModel
from tb.models.registers import STATUS_DRIVER_OK

EXTENDED_TAGS = 1 << 8
"""Of Device Control: tags of 8 bits may be used."""
NO_VECTOR = 0xFFFF
NO_SNOOP, RELAXED_ORDERING = 1, 2


@dataclass(slots=True, frozen=True)
class Entry:
    """One MSI-X table entry: message address, message data, its mask bit."""

    address: int = 0
    data: int = 0
    masked: bool = True


@dataclass(slots=True, frozen=True)
class Snapshot:
    """The registers that decide what the function may send.

    `generation` counts virtio resets; `vectors` are those of the queues in order; sizes are in bytes;
    `attributes` are those a packet may have: `RELAXED_ORDERING`, `NO_SNOOP`.
    """

    generation: int = 0
    bus_master: bool = False
    max_payload: int = 128
    tags: int = 32
    max_read_request: int = 512
    attributes: int = 0
    parity_response: bool = False
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


def config_snapshot(model: FunctionModel, before: Snapshot) -> Snapshot:
    """`before` with what configuration space holds now."""
    payload, request, tags, attributes = 128, 512, 32, 0
    express = model.config.capabilities.get(CAPABILITY_PCIE)
    if express is not None:
        control = model.config.read(express + 8, 2)
        largest = 128 << (model.config.read(express + 4, 1) & 7)
        payload = min(128 << (control >> 5 & 7), largest)
        request = min(128 << (control >> 12 & 7), 4096)
        tags = 256 if control & EXTENDED_TAGS else 32
        attributes = (control >> 4 & 1) * RELAXED_ORDERING | (control >> 11 & 1) * NO_SNOOP
    return replace(
        before,
        bus_master=model.may_dma,
        max_payload=payload,
        max_read_request=request,
        tags=tags,
        attributes=attributes,
        parity_response=bool(model.config.command & COMMAND_PARITY_RESPONSE),
        intx_disable=bool(model.config.command & COMMAND_INTX_DISABLE),
        msix_enable=model.msix.enabled,
        function_mask=model.msix.function_masked,
        driver_ok=bool(model.registers.status & STATUS_DRIVER_OK),
    )


def first_snapshot(model: FunctionModel) -> Snapshot:
    """The registers after a cold reset."""
    queues = len(model.device.queue_sizes)
    return config_snapshot(model, Snapshot(vectors=(NO_VECTOR,) * queues, entries=table_entries(model)))


def register_snapshot(model: FunctionModel, before: Snapshot, *, resets: int) -> Snapshot:
    """`before` with what the legacy registers hold now, after so many virtio `resets`."""
    registers = model.registers
    vectors = registers.vectors
    return replace(
        before,
        generation=before.generation + resets,
        bus_master=model.may_dma,
        config_vector=registers.config_vector,
        vectors=tuple(vectors.get(queue, NO_VECTOR) for queue in range(len(before.vectors))),
        driver_ok=bool(registers.status & STATUS_DRIVER_OK),
        features=registers.features,
    )


def table_entries(model: FunctionModel) -> tuple[Entry, ...]:
    """The MSI-X table."""
    entries = []
    for vector in range(model.msix.entries):
        low, high, data, control = model.msix.entry(vector)
        entries.append(Entry(high << 32 | low, data, bool(control & 1)))
    return tuple(entries)
