"""Supply queues: empty buffers that the device fills when it has something to say."""

from __future__ import annotations

from tb.models.devices.base import Drain
from tb.models.queue_server import QueueServer
from tb.models.virtqueue import Chain, ChainError


class Supply:
    """Fills the supply queues of the device that ``server`` serves."""

    def __init__(self, server: QueueServer) -> None:
        self._server = server
        self._device = server.device
        self._profile = server.profile
        self._queues = [q for q in range(len(server.rings)) if server.device.is_supply(q)]

    def fill_all(self) -> None:
        """Fill waiting buffers with what the device has to say."""
        for queue in self._queues:
            self.fill(queue)

    def fill(self, queue: int) -> None:
        """Fill waiting buffers of one supply queue."""
        device, ring = self._device, self._server.rings[queue]
        while device.wants(queue):
            if ring.stopped or not device.offered(queue, self._available(queue)):
                self._stock(queue, empty=True)
                return
            self._stock(queue, empty=False)
            if not device.declines(queue) and not self._deliver(queue):
                return

    def _stock(self, queue: int, *, empty: bool) -> None:
        """A device that keeps stock asks for kicks when it runs out of it."""
        if self._device.drain_style(queue) is Drain.STOCK:
            self._server.rings[queue].set_kicks(empty)

    def _available(self, queue: int) -> int:
        """Room in ``queue``: in bytes where the device wants them counted, else 1 for any."""
        device, ring, closed = self._device, self._server.rings[queue], self._server.closed
        limit, least = device.room(queue), 1
        if closed:
            least = device.least(queue) if self._profile.stopped_supply == "counts" else 0
            if not least:
                return 0
        elif not limit:
            return int(not ring.empty())
        try:
            available = ring.available_bytes(max(limit, least))
        except ChainError as error:
            self._server.stop(queue, error)
            return 0
        return available if available >= least else 0

    def _deliver(self, queue: int) -> bool:
        """Say one thing, in as many chains as it takes, and interrupt once. False: that was all."""
        server, device = self._server, self._device
        named = device.named_in(self._profile.interrupts_anyway)
        with server.one_interrupt(queue, due=named and device.unfinished(queue)):
            while True:
                chain = self._pop(queue)
                if chain is None:
                    return device.unanswered(queue)
                try:
                    server.finish(queue, server.service(queue, chain))
                except ChainError as error:
                    server.stop(queue, error)
                    return True
                if not device.unfinished(queue):
                    return True

    def _pop(self, queue: int) -> Chain | None:
        try:
            return self._server.pop(queue)
        except ChainError as error:
            self._server.stop(queue, error)
            return None
