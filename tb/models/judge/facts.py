"""The board of facts: what the judges of one function know, each fact with one writer, for all to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tb.models.devices.base import DeviceModel
from tb.models.function import FunctionModel
from tb.models.judge.record import Record
from tb.models.judge.snapshots import Snapshots, first_snapshot
from tb.models.profile import Profile
from tb.pcie.tlp import Tlp

Deliver = Callable[[bytes | None], None]


@runtime_checkable
class TakesParts(Protocol):
    """A taker of bytes that may use those of a read which does not come to its end."""

    def part(self, data: bytes) -> None:
        """The first bytes of the read have come, and perhaps no more will."""
        ...


class Reader(Protocol):
    """Whose read it is."""

    def excuse(self) -> None:
        """The function may have to do without the answer: nothing is owed any more."""
        ...


@dataclass(slots=True)
class Outstanding:
    """A memory read of the function that is not completely answered yet.

    `deliver` takes the bytes from the first to the last enabled one, or None when the read failed; `reader`
    is whose they are. `unanswered` is set when the host will not complete it, or not in time; `late` when
    it will in the end; `failed` once it cannot succeed any more.
    """

    tlp: Tlp
    address: int
    count: int
    deliver: Deliver
    time_ns: int = 0
    reader: Reader | None = None
    data: bytearray = field(default_factory=bytearray)
    unanswered: bool = False
    late: bool = False
    failed: bool = False

    def fail(self) -> None:
        """The read has failed; its first bytes have come all the same."""
        if not self.failed:
            self.salvage()
            self.failed = True
            self.deliver(None)

    def salvage(self) -> None:
        """The read may end here: its first bytes have come all the same."""
        if self.data and not self.failed and isinstance(self.deliver, TakesParts):
            self.deliver.part(bytes(self.data))


class Neighbour(Protocol):
    """A queue, as far as others than its own judges look at it."""

    @property
    def deciding(self) -> bool: ...

    @property
    def resting(self) -> bool: ...

    def halt(self, rule: str, why: str) -> None: ...

    def let_off(self) -> None: ...

    def passed_over(self, taker: int, chains: int) -> None: ...


class Facts:
    """Everything that more than one judge needs.

    `model` follows what the guest does (written by the accesses), `snapshots` are the register states the
    function may be in, `function_ids` the ids it may go by, `reads` its outstanding memory reads by tag and
    `reads_ended_ns` when one of them ended last (written by `Reads`), `queues` those whose DMA may appear and
    `resetting` whether a reset waits for its completion (written by the DMA), `media_owes` whether the media
    side owes an answer (written by the disk), `moved_ns` when the function's DMA moved last or was given
    something to move on (`own_ns`).
    """

    __slots__ = (
        "device",
        "function_ids",
        "media_owes",
        "model",
        "moved_ns",
        "profile",
        "queues",
        "reads",
        "reads_ended_ns",
        "record",
        "resetting",
        "snapshots",
    )

    def __init__(self, record: Record, profile: Profile, device: DeviceModel) -> None:
        self.record = record
        self.profile = profile
        self.device = device
        self.model = FunctionModel(profile, device)
        self.model.cold_reset()
        self.snapshots = Snapshots(first_snapshot(self.model))
        self.function_ids: tuple[int, ...] = (0,)
        self.reads: dict[int, Outstanding] = {}
        self.reads_ended_ns = 0
        self.queues: list[Neighbour] = []
        self.media_owes = False
        self.moved_ns = record.own_ns
        self.resetting = False

    def moved(self) -> None:
        """The DMA side did something, or was given something to do."""
        self.moved_ns = self.record.own_ns

    @property
    def features(self) -> int:
        """The features accepted now."""
        return self.model.registers.features

    @property
    def reads_awaited(self) -> bool:
        """Whether the host owes an answer that the function may still count on."""
        return any(not read.unanswered for read in self.reads.values())

    @property
    def reads_missing(self) -> bool:
        """Whether a read may end, or have ended, by the function's own completion timeout."""
        return any(read.unanswered for read in self.reads.values())

    @property
    def answers_awaited(self) -> bool:
        """Whether the DMA side may stand still because host or media owe it an answer.

        An answer that never comes holds it up until the function's own timeout.
        """
        if self.media_owes:
            return True
        profile = self.profile
        given_up = profile.completion_timeout_ns + profile.completion_timeout_margin_ns
        since = self.record.time_ns - given_up - profile.dma_latency_ns
        return any(not read.unanswered or read.time_ns > since for read in self.reads.values())

    @property
    def at_rest(self) -> bool:
        """Whether no queue has a reason to read anything."""
        return all(queue.resting for queue in self.queues)

    @property
    def undecided(self) -> bool:
        """Whether a queue has published elements and the interrupt is not decided yet."""
        return any(queue.deciding for queue in self.queues)

    @property
    def may_send(self) -> bool:
        """Whether bus master is on for certain, so that a queue at rest has a reason of its own."""
        return all(state.bus_master for state in self.snapshots.states)
