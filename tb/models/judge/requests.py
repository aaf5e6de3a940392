"""What PCI Express asks of every packet the function sends on `tx_req`."""

from __future__ import annotations

from tb.models.judge.facts import Facts
from tb.pcie.tlp import (
    Tlp,
    TlpType,
    broken_rule,
)

# A packet cut to the old limit may still stand in a buffer when the new, smaller one takes effect.
_LIMIT_GRACE = 4
_SENT_TYPES = frozenset({TlpType.MEMORY_READ, TlpType.MEMORY_WRITE, TlpType.MESSAGE})
_WRITE = TlpType.MEMORY_WRITE


class Requests:
    """Judges the form of sent packets."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._record = facts.record
        self._limits = (128, 512, 32)
        self._grace = 0
        self._old_limits = (128, 512, 32)

    def form(self, tlp: Tlp) -> bool:
        """Judge what is right or wrong whatever the packet is for; False when it cannot be judged further."""
        record = self._record
        kind = tlp.type
        if kind not in _SENT_TYPES:
            record.verdict("BAD-DEV-18", "The function sent a packet of a type it never sends.")
            return False
        sentence = broken_rule(tlp)
        if sentence:
            record.verdict("BAD-DEV-18", sentence)
        if tlp.wide_address and tlp.address < 1 << 32:
            record.verdict("BAD-DEV-18", "A 4-DW header carries an address below 4 GiB.")
        if tlp.traffic_class or tlp.attributes:
            self._attributes(tlp)
        if tlp.poisoned or tlp.digest:
            record.verdict("BAD-DEV-18", "The function sent a packet that is poisoned or announces a digest.")
        ids = self._facts.function_ids
        if tlp.requester_id not in ids:
            record.verdict(
                "BAD-DEV-18",
                "The requester id is not the id that the last configuration request named.",
                f"{ids[-1]:#06x}",
                f"{tlp.requester_id:#06x}",
            )
        return True

    def _attributes(self, tlp: Tlp) -> None:
        """Judge what a packet says of its order and of caches; whether it may is asked where it leads."""
        allowed = 0
        if self._facts.profile.dma_attributes == "data":
            for state in self._facts.snapshots.states:
                allowed |= state.attributes
        if tlp.traffic_class or tlp.attributes & ~allowed:
            self._record.verdict(
                "VPCI-INT-16",
                "The function sent a packet with a traffic class or with relaxed ordering or no snoop.",
                f"traffic class 0, attributes {allowed} at most (`dma_attributes` of the profile)",
                f"{tlp.traffic_class}, {tlp.attributes}",
            )

    def memory(self, tlp: Tlp) -> None:
        """Judge a memory request against bus master and the size limits."""
        snapshots = self._facts.snapshots
        states = snapshots.states
        if not states[0].bus_master and not any(state.bus_master for state in states):
            rule = "PCI-CFG-14"
            self._record.verdict(rule, "The function sent a memory request while bus master is off.")
        payload, request, tags = self._allowed_limits()
        if tlp.type is _WRITE:
            self._limit(4 * tlp.length, payload, "Max_Payload_Size")
            return
        self._limit(4 * tlp.length, request, "Max_Read_Request_Size")
        if tlp.tag >= tags:
            what = "The tag of a read is longer than Extended Tag Field Enable of Device Control allows."
            self._record.verdict("BAD-DEV-18", what, f"at most {tags - 1}", tlp.tag)

    def _allowed_limits(self) -> tuple[int, int, int]:
        """Largest sizes and most tags allowed: those of every state possible, the old ones for a while."""
        states = self._facts.snapshots.states
        now = states[0]
        limits = (now.max_payload, now.max_read_request, now.tags)
        if len(states) > 1:
            limits = (
                max(s.max_payload for s in states),
                max(s.max_read_request for s in states),
                max(s.tags for s in states),
            )
        if limits != self._limits:
            self._old_limits, self._limits, self._grace = self._limits, limits, _LIMIT_GRACE
        if not self._grace:
            return limits
        self._grace -= 1
        old = self._old_limits
        return max(limits[0], old[0]), max(limits[1], old[1]), max(limits[2], old[2])

    def _limit(self, size: int, allowed: int, name: str) -> None:
        if size > allowed:
            self._record.verdict(
                "VFIO-16", f"A packet is larger than {name}.", f"at most {allowed} bytes", size
            )
