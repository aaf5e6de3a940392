"""The error bits of configuration space, which the function sets behind the guest's back.

Status is fixed by PCI Express (PCI-CFG-05): Received Master and Target Abort for a read that came back UR or
CA, Detected Parity Error for a poisoned packet, Master Data Parity Error for a poisoned answer while Parity
Error Response is set; the others are never set, for the function neither aborts nor sends error messages.
Which bits of Device Status an error sets is a choice of the profile, by its kind.
"""

from __future__ import annotations

from tb.models.judge.accesses.error_bits import Coming, ErrorBits
from tb.models.judge.facts import Facts
from tb.pcie.tlp import CompletionStatus, Tlp

STATUS_ERRORS = 0xF900_0000
DEVICE_STATUS_ERRORS = 0x000F_0000
_DEVICE_STATUS_SHIFT = 16
_POISONED = 1 << 31
_RECEIVED_MASTER_ABORT = 1 << 29
_RECEIVED_TARGET_ABORT = 1 << 28
_DATA_PARITY = 1 << 24


class Errors:
    """The error bits of Status and of Device Status, and what sets them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.status = ErrorBits(facts.record, STATUS_ERRORS)
        self.device = ErrorBits(facts.record, DEVICE_STATUS_ERRORS)

    def settle(self, order: int) -> None:
        """Every access up to `order` is executed."""
        self.status.settle(order)
        self.device.settle(order)

    # --- requests of the host, which set their bits in their turn

    def unsupported(self, order: int, tlp: Tlp) -> None:
        """The access numbered `order` is one that no register answers; not a poisoned one."""
        self.device.raised(
            order, self._bits("unsupported_posted" if tlp.posted else "unsupported_non_posted")
        )

    def poisoned(self, order: int, tlp: Tlp) -> None:
        """The access numbered `order` has data, and they are poisoned."""
        self.status.raised(order, _POISONED)
        self.device.raised(order, self._bits("poisoned_posted" if tlp.posted else "poisoned_non_posted"))

    # --- what comes beside them

    def refused(self, tlp: Tlp) -> None:
        """A read came back with an error status."""
        aborted = tlp.status == CompletionStatus.ABORT
        self.status.happened(_RECEIVED_TARGET_ABORT if aborted else _RECEIVED_MASTER_ABORT)

    def poisoned_completion(self) -> None:
        """The data of a read came back poisoned."""
        states = self._facts.snapshots.states
        self.status.happened(_POISONED)
        if all(state.parity_response for state in states):
            self.status.happened(_DATA_PARITY)
        elif any(state.parity_response for state in states):
            self.status.suspect(_DATA_PARITY)
        self.device.happened(self._bits("poisoned_completion"))

    def malformed(self, tlp: Tlp) -> None:
        """A completion of a read does not go on where the read stands, or has a status that no read gets."""
        self._discarded(tlp, "malformed_completion")

    def unexpected(self, tlp: Tlp) -> None:
        """A completion from the host belongs to no read."""
        self._discarded(tlp, "unexpected_completion")

    def _discarded(self, tlp: Tlp, kind: str) -> None:
        """Of several errors in one packet the function reports one, or all."""
        if tlp.poisoned or (tlp.status != CompletionStatus.SUCCESS and kind == "unexpected_completion"):
            self.anything()
        else:
            self.device.happened(self._bits(kind))

    def timed_out(self, since_ns: int, due_ns: int) -> Coming:
        """The function gives a read up, some time between these two."""
        return self.device.expect(since_ns, due_ns, self._bits("completion_timeout"))

    def anything(self) -> None:
        """Something happened of which nobody can say what it counts as."""
        self.status.suspect(STATUS_ERRORS)
        self.device.suspect(DEVICE_STATUS_ERRORS)

    def perhaps_unexpected(self) -> None:
        """A completion came when the function may have given its read up, or not."""
        self.device.suspect(self._bits("unexpected_completion"))

    def _bits(self, kind: str) -> int:
        return self._facts.profile.device_status_bits[kind] << _DEVICE_STATUS_SHIFT
