"""The driver of the media agent: a disk that serves the function's requests, one at a time."""

from __future__ import annotations

from pyuvm import uvm_driver

from tb.agents.media.config import MediaConfig
from tb.agents.media.item import FLUSH, READ, WRITE, CapacityItem, MediaFaultItem
from tb.harness.link import MediaAnswered, MediaRequest, MediaSeen, ResetSeen

SECTOR = 512


class MediaDriver(uvm_driver):
    """Answers reads and flushes when they are asked, writes when their data have come."""

    config: MediaConfig

    def build_phase(self) -> None:
        self._faults: list[MediaFaultItem] = []
        self._open: MediaRequest | None = None
        self._has_data = False
        self.answered = 0
        """Requests that the disk has answered."""

    def connect_phase(self) -> None:
        link = self.config.link
        link.receive_media(self._seen)
        link.reset_listeners.append(self._reset)

    @property
    def waiting(self) -> list[str]:
        """The open request and what it waits for, as a clause; empty when the disk has nothing to do."""
        request = self._open
        if request is None:
            return []
        name = {READ: "read", WRITE: "write", FLUSH: "flush"}.get(request.op, f"request {request.op}")
        lacks = "its data on blk_wdata"
        if request.op != WRITE or self._has_data:
            lacks = "its answer to be taken on blk_rsp"
        place = f"sector {request.sector}, {request.count} sectors"
        return [f"the disk's {name} ({place}) of {request.time_ns:,} ns for {lacks}"]

    def start_of_simulation_phase(self) -> None:
        """The disk's size and serial number lie on the pins before the function leaves reset."""
        control = self.config.link.pins.control
        control.blk_capacity.value = self.config.disk.sectors
        control.blk_serial.value = int.from_bytes(self.config.disk.serial.ljust(20, b"\0")[:20], "little")

    async def run_phase(self) -> None:
        while True:
            item = await self.seq_item_port.get_next_item()
            if isinstance(item, CapacityItem):
                self.config.disk.sectors = item.sectors
                self.config.link.pins.control.blk_capacity.value = item.sectors
            else:
                self._faults.append(item)
            self.seq_item_port.item_done()

    def forget_faults(self) -> None:
        """No request from now on is made to fail."""
        self._faults.clear()

    def _seen(self, seen: MediaSeen) -> None:
        if isinstance(seen, MediaAnswered):
            self._open = None
            self.answered += 1
        elif isinstance(seen, MediaRequest):
            self._request(seen)
        elif self._open is not None and not self._has_data:
            self._has_data = True
            self._serve(self._open, seen.data[: self._open.count * SECTOR])

    def _request(self, seen: MediaRequest) -> None:
        """Take a request. One at a time: another one before the answer is the function's fault, and lost."""
        if self._open is not None:
            return
        self._open, self._has_data = seen, False
        if seen.op != WRITE:
            self._serve(seen, b"")

    def _reset(self, _seen: ResetSeen) -> None:
        """The function forgets what it asked for, and so does the disk."""
        self._open = None

    def _serve(self, request: MediaRequest, written: bytes) -> None:
        """Do the request on the disk and send its response."""
        disk = self.config.disk
        data: bytes | None = b""
        if any(fault.takes(request.op, request.sector, request.count) for fault in self._faults):
            data = None
            self._faults = [fault for fault in self._faults if not fault.spent]
        elif request.op == READ:
            data = disk.read(request.sector, request.count)
        elif request.op == WRITE:
            data = b"" if self._write(request, written) else None
        elif request.op != FLUSH or not disk.flush():
            data = None
        self._answer(data)

    def _write(self, request: MediaRequest, written: bytes) -> bool:
        """Store the data. Fewer than announced are a write that the function gave up: it changes nothing."""
        if len(written) < request.count * SECTOR:
            return False
        return self.config.disk.write(request.sector, written)

    def _answer(self, data: bytes | None) -> None:
        config = self.config
        start = 0
        if config.delay[1]:
            start = config.link.memory.cycle + config.random.randint(*config.delay)
        config.link.send_media_response(data is not None, data or b"", start)
