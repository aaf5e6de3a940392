"""The one place where packets enter and leave Python.

`PinLink` wakes once for everything that waits, decodes each packet once, and hands it on in wire order:
first to the observers (monitors), then to the receivers (drivers).
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tb.harness.faults import PinFault, pin_fault
from tb.harness.pins import Pins
from tb.harness.shared_memory import FAULT, MEDIA, PACKET, RecordKind, SharedMemory, Stream
from tb.pcie.tlp import Channel, Tlp, TlpError, decode, encode

_CHANNEL_OF = {
    Stream.RX_REQ: Channel.RX_REQ,
    Stream.TX_CPL: Channel.TX_CPL,
    Stream.TX_REQ: Channel.TX_REQ,
    Stream.RX_CPL: Channel.RX_CPL,
}
_KEPT_RESPONSES = 4


@dataclass(slots=True)
class Observation:
    """One packet as the pins carried it.

    `held_ns` is how much of `time_ns` was not the function's own, `waited_ns` how much of its own time a
    request of the host waited to be taken. `tlp` is None where the header could
    not be read; `error` says why.
    """

    time_ns: int
    channel: Channel
    tlp: Tlp | None
    error: TlpError | None = None
    held_ns: int = 0
    waited_ns: int = 0


@dataclass(slots=True, frozen=True)
class MediaRequest:
    """The function's request on the block media port: op 0 read, 1 write, 2 flush; sectors of 512 bytes."""

    time_ns: int
    op: int
    sector: int
    count: int
    held_ns: int = 0


@dataclass(slots=True, frozen=True)
class MediaWritten:
    """The data of the open write request have passed, in whole beats; too few when it was given up."""

    time_ns: int
    data: bytes
    held_ns: int = 0


@dataclass(slots=True, frozen=True)
class MediaAnswered:
    """The response was taken; a read's `data` follow."""

    time_ns: int
    ok: bool
    data: bytes
    held_ns: int = 0


@dataclass(slots=True, frozen=True)
class ResetSeen:
    """The function's reset was asserted."""

    time_ns: int


MediaSeen = MediaRequest | MediaWritten | MediaAnswered
PacketListener = Callable[[Observation], None]
MediaListener = Callable[[MediaSeen], None]
FaultListener = Callable[[PinFault], None]
ResetListener = Callable[[ResetSeen], None]


class PinLink:
    """Packets between Python and the pins of `top` (a cocotb handle of `tb_top`).

    The shared memory is there from the first time step on: call `open` then, before anything is sent.
    """

    memory: SharedMemory

    def __init__(self, top: Any) -> None:
        self.pins = Pins(top)
        self._packets: dict[int, tuple[Channel, list[PacketListener], list[PacketListener]]] = {
            stream: (channel, [], []) for stream, channel in _CHANNEL_OF.items()
        }
        self._by_channel = {channel: stream for stream, channel in _CHANNEL_OF.items()}
        self._media: tuple[list[MediaListener], list[MediaListener]] = ([], [])
        self.fault_listeners: list[FaultListener] = []
        self.reset_listeners: list[ResetListener] = []
        self._kept: deque[Any] = deque(maxlen=_KEPT_RESPONSES)
        self._handlers: dict[int, Callable[[int, int], None]] = {
            RecordKind.PACKET: self._packet,
            RecordKind.FAULT: self._fault,
            RecordKind.RESET: self._reset,
            RecordKind.MEDIA_REQUEST: self._media_request,
            RecordKind.MEDIA_WRITE: self._media_write,
            RecordKind.MEDIA_RESPONSE: self._media_response,
        }
        self.wakes = 0

    def open(self) -> None:
        """Find the shared memory. SharedMemoryError when the simulation has none that fits."""
        self.memory = SharedMemory(int(self.pins.control.shared_memory_address.value))

    def observe(self, channel: Channel, listener: PacketListener) -> None:
        """Call `listener` for every packet of a channel, before any receiver."""
        self._packets[self._by_channel[channel]][1].append(listener)

    def receive(self, channel: Channel, listener: PacketListener) -> None:
        """Call `listener` for every packet of a channel, after the observers."""
        self._packets[self._by_channel[channel]][2].append(listener)

    def observe_media(self, listener: MediaListener) -> None:
        """Call `listener` for everything on the media port, before any receiver."""
        self._media[0].append(listener)

    def receive_media(self, listener: MediaListener) -> None:
        """Call `listener` for everything on the media port, after the observers."""
        self._media[1].append(listener)

    def send_request(self, tlp: Tlp, not_before: int = 0) -> None:
        """Put a packet onto rx_req, in order, from clock `not_before` on."""
        header, payload = encode(tlp)
        self.memory.rx_req.put_packet(Stream.RX_REQ, header, payload, not_before)

    def send_completion(self, tlp: Tlp, not_before: int = 0) -> None:
        """Put a packet onto rx_cpl; the earliest `not_before` goes first, equals keep their order."""
        header, payload = encode(tlp)
        self.memory.rx_cpl.put_packet(Stream.RX_CPL, header, payload, not_before)

    def send_media_response(self, ok: bool, data: bytes, not_before: int = 0) -> None:
        """Answer the open media request; `data` are a read's whole sectors."""
        pointer = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        self._kept.append(data)
        self.memory.media.put_media(not ok, pointer if data else 0, len(data), not_before)

    async def run(self) -> None:
        """Wait for the harness and hand on what it has, for ever."""
        changed = self.pins.control.wake.value_change
        while True:
            await changed
            self.wakes += 1
            self.drain()

    def drain(self) -> None:
        """Hand on everything that has been observed so far."""
        handlers = self._handlers
        for kind, time_ns, offset in self.memory.records():
            handlers[kind](time_ns, offset)

    def _packet(self, time_ns: int, offset: int) -> None:
        buffer = self.memory.buffer
        _, _, _, stream, length, low, high, held_ns, waited_ns = PACKET.unpack_from(buffer, offset)
        start = offset + PACKET.size
        channel, observers, receivers = self._packets[stream]
        try:
            tlp = decode(high << 64 | low, bytes(buffer[start : start + length]))
            seen = Observation(time_ns, channel, tlp, None, held_ns, waited_ns)
        except TlpError as error:
            seen = Observation(time_ns, channel, error.tlp, error, held_ns)
        for listener in observers:
            listener(seen)
        for listener in receivers:
            listener(seen)

    def _fault(self, time_ns: int, offset: int) -> None:
        _, _, _, stream, code, expected, seen = FAULT.unpack_from(self.memory.buffer, offset)
        fault = pin_fault(time_ns, stream, code, expected, seen)
        for listener in self.fault_listeners:
            listener(fault)

    def _reset(self, time_ns: int, offset: int) -> None:
        for listener in self.reset_listeners:
            listener(ResetSeen(time_ns))

    def _media_request(self, time_ns: int, offset: int) -> None:
        _, _, _, op, count, sector, _, _, held_ns = MEDIA.unpack_from(self.memory.buffer, offset)
        self._publish_media(MediaRequest(time_ns, op, sector, count, held_ns))

    def _media_write(self, time_ns: int, offset: int) -> None:
        *_, pointer, length, held_ns = MEDIA.unpack_from(self.memory.buffer, offset)
        self._publish_media(MediaWritten(time_ns, ctypes.string_at(pointer, length), held_ns))

    def _media_response(self, time_ns: int, offset: int) -> None:
        _, _, _, error, _, _, pointer, length, held_ns = MEDIA.unpack_from(self.memory.buffer, offset)
        data = ctypes.string_at(pointer, length) if length else b""
        self._publish_media(MediaAnswered(time_ns, not error, data, held_ns))

    def _publish_media(self, seen: MediaSeen) -> None:
        observers, receivers = self._media
        for listener in observers:
            listener(seen)
        for listener in receivers:
            listener(seen)
