"""One access as a sequence item: the request and, in the end, its answer."""

from __future__ import annotations

from cocotb.triggers import Event
from pyuvm import uvm_sequence_item

from tb.pcie.tlp import CompletionStatus, Tlp, first_address


class AccessItem(uvm_sequence_item):
    """A request for the driver, which adds tag and requester id.

    `completed` is set once the last completion is there, at once for a posted request. Then `status` is a
    `CompletionStatus`, or None when no completion came; `data` holds a read's DWs as they lay on the wire.
    """

    def __init__(self, request: Tlp, *, keep_ids: bool = False) -> None:
        super().__init__("access")
        self.request = request
        self.keep_ids = keep_ids
        """True: send requester id and tag as they are, for a test that chooses them."""
        self.completed = Event()
        self.status: int | None = None
        self.data = b""

    @property
    def ok(self) -> bool:
        """True when the function answered with success."""
        return self.status == CompletionStatus.SUCCESS

    def value(self, size: int) -> int:
        """The `size` bytes that were read, as a number; all ones when the function gave no data."""
        lane = first_address(self.request) & 3
        if not self.ok or len(self.data) < lane + size:
            return (1 << 8 * size) - 1
        return int.from_bytes(self.data[lane : lane + size], "little")
