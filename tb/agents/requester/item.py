"""One access as a sequence item: the request and, in the end, its answer."""

from __future__ import annotations

from cocotb.triggers import Event
from pyuvm import uvm_sequence_item

from tb.pcie.tlp import CompletionStatus, Tlp, first_address


class AccessItem(uvm_sequence_item):
    """A request for the driver, which adds tag and requester id.

    `sent_ns` is when it was handed to the pins. `completed` is set once the last completion is there, at once
    for a posted request. Then `last` is that completion, None when none came; `data` holds a read's DWs, of
    all completions, as they lay on the wire.
    """

    def __init__(self, request: Tlp, *, keep_ids: bool = False, timeout_ns: int = 0) -> None:
        super().__init__("access")
        self.request = request
        self.keep_ids = keep_ids
        """True: send requester id and tag as they are, for a test that chooses them."""
        self.timeout_ns = timeout_ns
        """How long to wait for the completion; 0: as long as the agent's configuration says."""
        self.sent_ns = 0
        self.completed = Event()
        self.last: Tlp | None = None
        self.data = b""

    @property
    def status(self) -> int | None:
        """Status of the last completion, None when there is none."""
        return None if self.last is None else self.last.status

    @property
    def ok(self) -> bool:
        """True when the function answered with success."""
        return self.last is not None and self.last.status == CompletionStatus.SUCCESS

    def value(self, size: int) -> int:
        """The `size` bytes that were read, as a number; all ones when the function gave no data."""
        lane = first_address(self.request) & 3
        if not self.ok or len(self.data) < lane + size:
            return (1 << 8 * size) - 1
        return int.from_bytes(self.data[lane : lane + size], "little")
