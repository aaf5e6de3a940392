"""The judge: observed facts go in, verdicts come out. It never looks into the function.

Call it in the order in which things happened on the wire and on the media side, with a time that does not
fall.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tb.models.devices.base import DeviceModel
from tb.models.devices.block import BlockDevice
from tb.models.judge.accesses.accesses import Accesses
from tb.models.judge.accesses.errors import Errors
from tb.models.judge.completions import Completions
from tb.models.judge.disk import Disk
from tb.models.judge.facts import Facts
from tb.models.judge.interrupts.interrupts import Interrupts
from tb.models.judge.media import BlockRequest, BlockResponse, BlockWriteData, CapacityChanged, MediaEvent
from tb.models.judge.outstanding import Reads
from tb.models.judge.queues.dma import Dma
from tb.models.judge.record import Record
from tb.models.judge.requests import Requests
from tb.models.judge.standing import Standing, standing
from tb.models.judge.waiting import waiting
from tb.models.profile import Profile
from tb.models.verdict import Verdict
from tb.pcie.tlp import Channel, Tlp, TlpError, TlpType


class Watch(Protocol):
    """A judge that knows until when something must have happened."""

    def look(self, own_ns: int) -> int:
        """Tell what is overdue at `own_ns`; when to look again: no later than its deadlines ask."""
        ...


_READ = TlpType.MEMORY_READ
_WRITE = TlpType.MEMORY_WRITE


class Judge:
    """Judges one function around `device` that makes the choices of `profile`.

    `on_verdict` gets every verdict as it is found. The device model belongs to the judge alone: it follows
    what the guest does to the function.
    """

    def __init__(
        self, profile: Profile, device: DeviceModel, *, on_verdict: Callable[[Verdict], None]
    ) -> None:
        self._profile = profile
        self._device = device
        self._record = Record(on_verdict)
        self._handlers: dict[Channel, Callable[[Tlp], None]] = {}
        self._start()

    def _start(self) -> None:
        """Everything as after power-up."""
        self._facts = facts = Facts(self._record, self._profile, self._device)
        self._completions = Completions(facts)
        errors = Errors(facts)
        self._requests = Requests(facts)
        self._reads = Reads(facts, errors)
        self._interrupts = Interrupts(facts)
        self._dma = Dma(facts, self._interrupts)
        self._accesses = Accesses(facts, self._completions, self._interrupts, self._dma, errors, self._reads)
        self._disk = Disk(facts, self._dma)
        self._completions.followers = (facts.snapshots, self._accesses, self._interrupts, self._dma)
        self._handlers = {
            Channel.RX_REQ: self._accesses.request,
            Channel.TX_CPL: self._completed,
            Channel.TX_REQ: self._sent,
            Channel.RX_CPL: self._answered,
        }
        self._watches: tuple[Watch, ...] = (self._interrupts, self._completions, self._dma)
        self._due_ns = 0

    # --- time

    def pass_time(self, time_ns: int, held_ns: int = 0) -> None:
        """It is `time_ns`, and nothing has happened since the last fact: tell what is overdue.

        Here and below, `held_ns` is how much of `time_ns` was not the function's own: the host or the media
        held it up at its pins (beats not taken, data with gaps), or DMA and media data moved.
        """
        record = self._record
        record.time_ns = time_ns
        record.own_ns = own_ns = time_ns - held_ns
        record.tlp = None
        if own_ns >= self._due_ns:
            self._due_ns = min(watch.look(own_ns) for watch in self._watches)

    # --- facts

    def tlp(self, time_ns: int, channel: Channel, tlp: Tlp, held_ns: int = 0, waited_ns: int = 0) -> None:
        """A packet was accepted on `channel` at its first beat.

        A request of the host had waited for that for `waited_ns` of the function's own time.
        """
        record = self._record
        if time_ns - held_ns < self._due_ns:
            record.time_ns = time_ns
            record.own_ns = time_ns - held_ns
        else:
            self.pass_time(time_ns, held_ns)
        record.tlp = tlp
        if self._facts.reads:
            self._reads.expire()
        if waited_ns:
            self._accesses.waited(tlp, waited_ns)
        self._handlers[channel](tlp)

    def malformed(self, time_ns: int, channel: Channel, error: TlpError, held_ns: int = 0) -> None:
        """A packet that cannot be decoded, or breaks a rule of its own, was accepted on `channel`."""
        record = self._record
        self.pass_time(time_ns, held_ns)
        record.tlp = error.tlp
        if channel is Channel.RX_REQ or channel is Channel.RX_CPL:
            self._accesses.errors.anything()
            return  # the host's own doing; the function drops it
        record.verdict("BAD-DEV-18", f"A packet on {channel.value} is malformed: {error}")
        if channel is Channel.TX_CPL and error.tlp is not None:
            self._completions.completion(error.tlp)
        elif channel is Channel.TX_REQ and error.tlp is not None and error.tlp.type is _READ:
            self._reads.read(error.tlp, _nothing)

    def media(self, time_ns: int, event: MediaEvent, held_ns: int = 0) -> None:
        """Something happened on the media side."""
        self.pass_time(time_ns, held_ns)
        self._facts.moved()
        self._reads.expire()
        if isinstance(event, BlockRequest):
            self._disk.request(event)
        elif isinstance(event, BlockWriteData):
            self._disk.write_data(event)
        elif isinstance(event, BlockResponse):
            self._disk.response(event)
        else:
            self._capacity(event)

    def _capacity(self, event: CapacityChanged) -> None:
        if not isinstance(self._device, BlockDevice):
            return
        self._device.resize(event.sectors)
        if self._device.take_config_changes():
            self._accesses.registers.device_config.changed()
            self._interrupts.config_cause(self._facts.snapshots.latest.generation)

    def unanswered(self, time_ns: int, tag: int, *, late: bool = False) -> None:
        """The host will not answer the DMA read with `tag`, or only after it may have been given up (`late`).

        From now on the function may stop the queue whose read it is; nothing is owed for that any more.
        """
        self._record.time_ns = time_ns
        self._reads.unanswered(tag, late=late)

    def cold_reset(self, time_ns: int) -> None:
        """The function's reset pin was asserted and released: everything starts anew."""
        self._record.time_ns = time_ns
        self._start()

    def end_of_test(self, time_ns: int, held_ns: int = 0) -> None:
        """Everything has come to rest: report what is still owed."""
        self.pass_time(time_ns, held_ns)
        self._reads.expire()
        self._completions.end_of_test()
        self._reads.end_of_test()
        if self._facts.snapshots.latest.bus_master:
            self._dma.end_of_test()
        self._interrupts.end_of_test()

    # --- counts

    @property
    def accesses_scored(self) -> int:
        """Requests of the host whose answer was judged, posted writes included."""
        return self._record.accesses_scored

    @property
    def dma_scored(self) -> int:
        """Memory reads and writes of the function that were judged, messages not included."""
        return self._record.dma_scored

    @property
    def interrupts_scored(self) -> int:
        """MSI-X and INTx messages that were judged."""
        return self._record.interrupts_scored

    @property
    def mismatches(self) -> int:
        """Verdicts given."""
        return self._record.mismatches

    @property
    def idle(self) -> bool:
        """Whether the function has nothing to do that anybody knows of: a test may end."""
        if self._completions.owing or self._facts.reads_awaited or not self._interrupts.idle:
            return False
        if not self._facts.snapshots.latest.bus_master:
            return True  # its queues rest until it may master the bus again
        return not any(queue.owes for queue in self._dma.live.values())

    @property
    def waiting(self) -> list[str]:
        """A clause for each thing that waits: which request, read, queue or chain, for what, since when."""
        return list(waiting(self._facts, self._completions, self._dma.states()))

    @property
    def standing(self) -> Standing:
        """The situation in few classes; equal for two moments that are alike."""
        return standing(self._facts, self._completions, self._dma.states())

    # --- the four channels

    def _sent(self, tlp: Tlp) -> None:
        """A packet the function sent on `tx_req`."""
        record = self._record
        if not self._requests.form(tlp):
            return
        kind = tlp.type
        if kind is _READ:
            record.dma_scored += 1
            self._facts.moved_ns = record.own_ns
            self._requests.memory(tlp)
            self._reads.read(tlp, *self._dma.read(tlp))
        elif kind is not _WRITE:
            self._interrupts.intx(tlp)
        elif self._interrupts.is_message(tlp):
            self._interrupts.message(tlp)
            self._accesses.registers.device_config.message(tlp)
        else:
            record.dma_scored += 1
            self._facts.moved_ns = record.own_ns
            self._requests.memory(tlp)
            self._dma.write(tlp)

    def _completed(self, tlp: Tlp) -> None:
        """A completion the function sent."""
        self._completions.completion(tlp)
        self._interrupts.completion_judged()

    def _answered(self, tlp: Tlp) -> None:
        """A completion the function got."""
        self._facts.moved()
        self._reads.completion(tlp)


def _nothing(data: bytes | None) -> None:
    """Takes the bytes of a read that was no right one."""
