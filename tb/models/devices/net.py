"""The virtio network device: frames in, frames out, and a control queue (VNET)."""

from __future__ import annotations

from collections import deque
from copy import copy
from struct import Struct
from typing import Self

from tb.models.devices.base import (
    STATUS_DRIVER_OK,
    DeviceModel,
    DeviceType,
    Drain,
    Effects,
    Gather,
    MediaSend,
    NextChain,
    Serve,
)
from tb.models.devices.net_filter import ReceiveFilter
from tb.models.profile import Profile
from tb.models.virtqueue import Chain, ChainError, RequestError

RECEIVE, TRANSMIT, CONTROL = range(3)

F_CSUM = 0
F_MAC = 5
F_HOST_TSO4 = 11
F_HOST_TSO6 = 12
F_HOST_ECN = 13
F_MRG_RXBUF = 15
F_CTRL_VQ = 17
F_CTRL_VLAN = 19
F_CTRL_MAC_ADDR = 23

STATUS_LINK_UP = 1

HEADER_BYTES = 10
NUM_BUFFERS_BYTES = 2

ACK_OK = 0
ACK_ERROR = 1

CLASS_MAC = 1
MAC_ADDRESS_SET = 1

# mac, status, max_virtqueue_pairs, mtu
_CONFIG = Struct("<6sHHH")
_NUM_BUFFERS = Struct("<H")

# What drivers understood that acknowledged bit 30 instead of negotiating.
_BAD_DRIVER_FEATURES = sum(1 << bit for bit in (F_CSUM, F_MAC, F_HOST_TSO4, F_HOST_TSO6, F_HOST_ECN))


class NetDevice(DeviceModel):
    """A network card with one queue pair; frames from the wire come in with ``receive``."""

    type = DeviceType.NET

    def __init__(
        self,
        profile: Profile,
        *,
        mac: bytes,
        queue_size: int = 256,
        receive_queue_size: int | None = None,
        control_queue_size: int = 64,
        vectors: int = 3,
    ) -> None:
        has_control = profile.net_features >> F_CTRL_VQ & 1
        receive_size = queue_size if receive_queue_size is None else receive_queue_size
        self.queue_sizes = (receive_size, queue_size) + (control_queue_size,) * has_control
        self.vectors = vectors
        self.host_features = profile.ring_features | profile.net_features
        self.config_length = profile.net_config_length
        self.permanent_mac = mac
        self.mac = mac
        self.link_up = True
        self.filter = ReceiveFilter()
        self._merges = False
        self._incoming: deque[bytes] = deque()
        self._stuck = False  # the oldest frame has found no room, or no driver: it waits for a sign
        super().__init__(profile)

    def copy(self) -> Self:
        twin = copy(self)
        twin.filter = self.filter.copy()
        twin._incoming = self._incoming.copy()
        return twin

    # --- configuration

    def build_config(self) -> bytes:
        return _CONFIG.pack(self.mac, STATUS_LINK_UP * self.link_up, 1, 0)

    def take_config(self, content: bytes) -> None:
        """The driver may write the MAC address unless it sets it by command (VNET-05)."""
        if not self.features >> F_CTRL_MAC_ADDR & 1:
            self.mac = content[:6]

    def set_link(self, up: bool) -> None:
        """The cable is plugged or pulled (VNET-29)."""
        if up != self.link_up:
            self.link_up = up
            self.config_changed()
        if up and self.status & STATUS_DRIVER_OK:
            self._try_again()

    # --- state

    def bad_features(self) -> int:
        return _BAD_DRIVER_FEATURES

    def features_accepted(self, features: int) -> None:
        super().features_accepted(features)
        self._merges = bool(features >> F_MRG_RXBUF & 1)
        self.filter.set_vlan_filtering(bool(features >> F_CTRL_VLAN & 1))

    def reset(self) -> None:
        super().reset()
        self.mac = self.permanent_mac
        self.filter.reset()
        if self.profile.net_header_follows == "features":
            self._merges = False

    def status_written(self, status: int) -> None:
        if status & STATUS_DRIVER_OK and self.link_up:
            self._try_again()
        super().status_written(status)

    @property
    def header_length(self) -> int:
        """Bytes before each frame, both ways (VNET-06, VNET-07)."""
        return HEADER_BYTES + NUM_BUFFERS_BYTES * self._merges

    # --- queues

    def receive(self, frame: bytes) -> None:
        """A frame from the wire; it waits until it finds buffers."""
        self._incoming.append(frame)

    @property
    def waiting_frames(self) -> int:
        """Frames from the wire that no buffer has taken yet."""
        return len(self._incoming)

    def _try_again(self) -> None:
        """A sign that there may be room now. A frame that still finds no driver, or no link, is lost."""
        if not self._stuck:
            return
        self._stuck = False
        no_driver = self.must_wait() and self.profile.net_early_frame == "lost"
        if no_driver or not self.link_up:
            self._incoming.popleft()

    def notified(self, queue: int) -> None:
        if queue == RECEIVE:
            self._try_again()

    def _has_frame(self) -> bool:
        """Whether there is a frame to deliver; those that come without a link are lost (VNET-29)."""
        if self._stuck:
            return False
        if not self.link_up:
            self._incoming.clear()
        self._stuck = bool(self._incoming) and self.must_wait()
        return bool(self._incoming) and not self._stuck

    def is_supply(self, queue: int) -> bool:
        return queue == RECEIVE

    def drain_style(self, queue: int) -> Drain:
        return (Drain.STOCK, Drain.QUIET, Drain.PLAIN)[queue]

    def wants(self, queue: int) -> bool:
        if queue == RECEIVE:
            return self._has_frame()
        return queue == CONTROL or not self.must_wait()

    def room(self, queue: int) -> int:
        """With mergeable buffers the whole frame must find room before any of it is delivered."""
        return len(self._incoming[0]) + self.header_length if self._merges else 0

    def offered(self, queue: int, available: int) -> bool:
        fits = available > 0 and available >= self.room(queue)
        self._stuck = not fits
        return fits

    def least(self, queue: int) -> int:
        return len(self._incoming[0]) + self.header_length

    def unanswered(self, queue: int) -> bool:
        """The frame is lost with the chain that turned out bad."""
        self._incoming.popleft()
        return True

    def discards(self, queue: int) -> bool:
        """Without a link nothing is sent; chains go back, read or not (VNET-29)."""
        return queue == TRANSMIT and not self.link_up and self.profile.net_without_link == "returns_unread"

    def declines(self, queue: int) -> bool:
        """A frame that the filter holds back is dropped once there is room for it."""
        if self.filter.passes(self._incoming[0], self.mac):
            return False
        self._incoming.popleft()
        return True

    def serve(self, queue: int, chain: Chain) -> Serve:
        serve = (self._receive, self._transmit, self._command)[queue]
        return serve(chain)

    def _receive(self, chain: Chain) -> Serve:
        frame = self._incoming.popleft()
        if not chain.writable:
            raise ChainError("BAD-NET-02", f"receive buffer {chain.head} has no writable descriptor")
        begin = self.header_length
        room = max(chain.writable_length - begin, 0)
        rest = frame[room:]
        if rest and not self._merges:  # dropped: the buffer goes back (VNET-13)
            return Effects(((0, bytes(begin)), (begin, frame[:room])), 0, disposal="returned")
        also: list[tuple[Chain, Effects]] = []
        while rest:
            following = yield NextChain()
            if not isinstance(following, Chain):
                raise ChainError("VNET-14", "the receive queue ran empty within a frame")
            part, rest = rest[: following.writable_length], rest[following.writable_length :]
            also.append((following, Effects(((0, part),), len(part))))
        writes = [(0, bytes(HEADER_BYTES)), (begin, frame[:room])]
        if self._merges:
            writes.append((HEADER_BYTES, _NUM_BUFFERS.pack(1 + len(also))))
        return Effects(tuple(writes), begin + min(room, len(frame)), tuple(also))

    def _transmit(self, chain: Chain) -> Serve:
        """One frame behind its header; without a link it is dropped (VNET-12)."""
        length = chain.readable_length - self.header_length
        if self.link_up:
            if length > 0:
                frame = yield Gather(self.header_length, length)
                assert isinstance(frame, bytes)
                yield MediaSend(frame)
            elif self.profile.net_short_frame == "stop":
                raise RequestError("VNET-11", f"transmit request {chain.head} has no frame after its header")
        return Effects((), 0)

    def _command(self, chain: Chain) -> Serve:
        """Class, command, data; the answer is the first writable byte (VNET-17, VNET-25)."""
        if chain.readable_length < 2 or not chain.writable_length:
            raise ChainError("BAD-NET-08", f"control request {chain.head} lacks a command or an answer byte")
        request = yield Gather(0, chain.readable_length)
        assert isinstance(request, bytes)
        done = self._execute(request[0], request[1], request[2:])
        return Effects(((0, bytes((ACK_OK if done else ACK_ERROR,))),), 1)

    def _execute(self, group: int, command: int, data: bytes) -> bool:
        if (group, command) == (CLASS_MAC, MAC_ADDRESS_SET):
            if len(data) != len(self.mac):
                return False
            self.mac = data
            self._config = None
            return True
        return self.filter.execute(group, command, data)
