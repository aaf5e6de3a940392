"""The virtio console: ports of two queues each, and a pair of control queues (VCON)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Self

from tb.models.devices.base import (
    STATUS_DRIVER_OK,
    DeviceModel,
    DeviceType,
    Effects,
    Gather,
    MediaSend,
    Serve,
)
from tb.models.profile import Profile
from tb.models.virtqueue import Chain

F_MULTIPORT = 1

CONTROL_RX, CONTROL_TX = 2, 3
_CHUNK = 4096  # most bytes taken from a port's input at a time

# cols, rows, max_nr_ports, emerg_wr
_CONFIG = Struct("<HHII")
_CONTROL = Struct("<IHH")


class Control(IntEnum):
    """Events of a control message."""

    DEVICE_READY = 0
    PORT_ADD = 1
    PORT_REMOVE = 2
    PORT_READY = 3
    CONSOLE_PORT = 4
    RESIZE = 5
    PORT_OPEN = 6
    PORT_NAME = 7


@dataclass(slots=True)
class Port:
    """One port that exists: its number, name, the state of both ends, and input not yet delivered.

    ``listening``: there is somebody at the host's end who may send input at any time.
    """

    number: int
    name: str = ""
    is_console: bool = False
    host_connected: bool = False
    guest_connected: bool = False
    listening: bool = False
    incoming: bytearray = field(default_factory=bytearray)
    chunk: int = 0


def receive_queue(port: int) -> int:
    """The queue that carries input of ``port`` to the guest; the next one carries its output."""
    return 0 if port == 0 else 2 + 2 * port


class ConsoleDevice(DeviceModel):
    """A console that may have ``max_ports`` ports and has ``ports``."""

    type = DeviceType.CONSOLE

    def __init__(
        self,
        profile: Profile,
        *,
        ports: tuple[Port, ...] = (),
        max_ports: int = 1,
        queue_size: int = 128,
        control_queue_size: int = 32,
        vectors: int = 2,
    ) -> None:
        multiport = profile.console_features >> F_MULTIPORT & 1
        control = (control_queue_size,) * 2 if multiport else ()
        self.queue_sizes = (queue_size, queue_size, *control) + (queue_size,) * (2 * (max_ports - 1))
        self.vectors = vectors
        self.host_features = profile.ring_features | profile.console_features
        self.config_length = profile.console_config_length
        self.max_ports = max_ports
        self.ports: dict[int, Port] = {}
        self._by_queue: dict[int, int] = {}
        for port in ports:
            self.add_port(port)
        self._messages: list[bytes] = []
        self._closed: list[int] = []
        self._emergency = b""
        super().__init__(profile)

    def copy(self) -> Self:
        return deepcopy(self)

    def add_port(self, port: Port) -> None:
        """Give the console one more port, before the guest looks."""
        first = receive_queue(port.number)
        self.ports[port.number] = port
        self._by_queue[first] = self._by_queue[first + 1] = port.number

    @property
    def multiport(self) -> bool:
        return bool(self.features >> F_MULTIPORT & 1)

    # --- configuration

    def build_config(self) -> bytes:
        return _CONFIG.pack(0, 0, self.max_ports, 0)

    def take_config(self, content: bytes) -> None:
        """An emergency write is one character of output on port 0 (VCON-04)."""
        *_, emergency = _CONFIG.unpack(content.ljust(_CONFIG.size, b"\0"))
        self._last_read = content[:8] + bytes(len(content) - 8)
        if emergency and 0 in self.ports:
            self._emergency += bytes((emergency & 0xFF,))

    def take_output(self) -> tuple[MediaSend, ...]:
        output, self._emergency = self._emergency, b""
        return (MediaSend(output, 0),) if output else ()

    # --- the host's end of a port

    def connect(self, number: int) -> None:
        """The host opens its end of port ``number``."""
        port = self.ports[number]
        if not port.host_connected:
            port.host_connected = True
            self._tell(number, Control.PORT_OPEN, 1)

    def disconnect(self, number: int) -> None:
        """The host closes its end; input not delivered is lost, output that waits is thrown away."""
        port = self.ports[number]
        if port.host_connected:
            port.host_connected = False
            port.incoming.clear()
            port.chunk = 0
            self._closed.append(receive_queue(number) + 1)
            self._tell(number, Control.PORT_OPEN, 0)

    def take_neglected(self) -> list[int]:
        queues, self._closed = self._closed, []
        return queues

    def receive(self, number: int, data: bytes) -> None:
        """Input from the host's end of port ``number``."""
        self.ports[number].incoming += data

    # --- state

    def status_written(self, status: int) -> None:
        super().status_written(status)
        if not status & STATUS_DRIVER_OK:
            self._forget_guest()
        elif not self.multiport and 0 in self.ports:
            self.ports[0].guest_connected = True

    def reset(self) -> None:
        super().reset()
        self._forget_guest()
        self._messages.clear()

    def _forget_guest(self) -> None:
        for port in self.ports.values():
            port.guest_connected = False
            port.chunk = 0

    # --- queues

    def is_supply(self, queue: int) -> bool:
        return queue % 2 == 0

    def replies_on(self, queue: int) -> int | None:
        return CONTROL_RX if queue == CONTROL_TX else None

    def _port_of(self, queue: int) -> Port | None:
        number = self._by_queue.get(queue)
        return None if number is None else self.ports[number]

    def interrupts_anyway(self, queue: int) -> bool:
        return not self.is_supply(queue) and self.named_in(self.profile.interrupts_anyway)

    def wants(self, queue: int) -> bool:
        if queue == CONTROL_RX:
            return bool(self._messages)
        if not self.is_supply(queue):
            return True
        port = self._port_of(queue)
        if port is None or not port.guest_connected or self.must_wait():
            return False
        return bool(port.incoming) or (port.listening and self.profile.console_looks_ahead)

    def room(self, queue: int) -> int:
        return 0 if queue == CONTROL_RX else _CHUNK

    def offered(self, queue: int, available: int) -> bool:
        """Control messages that find no buffer are lost; port input waits."""
        if queue == CONTROL_RX:
            if not available:
                self._messages.clear()
            return available > 0
        port = self._port_of(queue)
        if port is None:
            return False
        if not available:
            del port.incoming[: port.chunk]
            port.chunk = 0
            return False
        if not port.chunk:
            port.chunk = min(available, _CHUNK, len(port.incoming))
        return port.chunk > 0

    def unfinished(self, queue: int) -> bool:
        port = self._port_of(queue)
        return queue != CONTROL_RX and port is not None and port.chunk > 0

    def serve(self, queue: int, chain: Chain) -> Serve:
        if queue == CONTROL_RX:
            message = self._messages.pop(0)
            return Effects(((0, message[: chain.writable_length]),), len(message))
        if self.is_supply(queue):
            return self._deliver(queue, chain)
        if queue == CONTROL_TX:
            request = yield Gather(0, min(chain.readable_length, _CONTROL.size))
            assert isinstance(request, bytes)
            self._control(request)
            return Effects((), 0)
        port = self._port_of(queue)
        if port is not None and port.host_connected and chain.readable_length:
            output = yield Gather(0, chain.readable_length)
            assert isinstance(output, bytes)
            yield MediaSend(output, port.number)
        return Effects((), 0)

    def _deliver(self, queue: int, chain: Chain) -> Effects:
        port = self._port_of(queue)
        assert port is not None
        data = bytes(port.incoming[: min(port.chunk, chain.writable_length)])
        del port.incoming[: len(data)]
        port.chunk -= len(data)
        return Effects(((0, data),), len(data))

    # --- control

    def _tell(self, number: int, event: Control, value: int) -> None:
        self._messages.append(_CONTROL.pack(number, event, value))

    def _control(self, message: bytes) -> None:
        """A message from the guest; short ones, unknown events and unknown ports are ignored (VCON-08)."""
        if len(message) < _CONTROL.size:
            return
        number, event, value = _CONTROL.unpack_from(message)
        if event == Control.DEVICE_READY:
            for each in self.ports.values() if value else ():
                self._tell(each.number, Control.PORT_ADD, 1)
            return
        port = self.ports.get(number)
        if port is None:
            return
        if event == Control.PORT_READY and value:
            self._introduce(port)
        elif event == Control.PORT_OPEN:
            port.guest_connected = bool(value)

    def _introduce(self, port: Port) -> None:
        """What a guest is told about a port that it has set up."""
        if port.is_console:
            self._tell(port.number, Control.CONSOLE_PORT, 1)
        if port.name:
            header = _CONTROL.pack(port.number, Control.PORT_NAME, 1)
            self._messages.append(header + port.name.encode() + b"\0")
        if port.host_connected:
            self._tell(port.number, Control.PORT_OPEN, 1)
