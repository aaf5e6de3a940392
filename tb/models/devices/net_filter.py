"""Which received frames a network device lets through, as control commands set it (VNET-18..21)."""

from __future__ import annotations

from copy import copy

CLASS_RX = 0
CLASS_MAC = 1
CLASS_VLAN = 2

RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST = range(6)
MAC_TABLE_SET = 0
VLAN_ADD, VLAN_DELETE = range(2)

TABLE_ENTRIES = 64
VLANS = 4096
ALL_VLANS = (1 << VLANS) - 1

_MAC = 6
_BROADCAST = b"\xff" * _MAC
_TAGGED = b"\x81\x00"


class ReceiveFilter:
    """Filter state. Starts promiscuous; the tables start empty."""

    def __init__(self) -> None:
        self.reset()

    def copy(self) -> ReceiveFilter:
        """An independent copy."""
        return copy(self)

    def reset(self) -> None:
        """Let everything through; there is no VLAN filtering until it is negotiated (VNET-21)."""
        self.modes = 1 << RX_PROMISC
        self.unicast: frozenset[bytes] | None = frozenset()  # None: more than the table holds
        self.multicast: frozenset[bytes] | None = frozenset()
        self.set_vlan_filtering(False)

    def set_vlan_filtering(self, on: bool) -> None:
        """VLAN filtering was negotiated: no tagged frame passes yet; or not: all do (VNET-21)."""
        self.vlans = 0 if on else ALL_VLANS

    def _is(self, mode: int) -> bool:
        return bool(self.modes >> mode & 1)

    def passes(self, frame: bytes, mac: bytes) -> bool:
        """Whether ``frame`` goes to a guest whose own address is ``mac``."""
        if self._is(RX_PROMISC):
            return True
        if frame[12:14] == _TAGGED and not self.vlans >> (int.from_bytes(frame[14:16], "big") & 0xFFF) & 1:
            return False
        target = frame[:_MAC]
        if target == _BROADCAST:
            return not self._is(RX_NOBCAST)
        if frame[:1] and frame[0] & 1:
            return self._listed(target, RX_NOMULTI, RX_ALLMULTI, self.multicast)
        return self._listed(target, RX_NOUNI, RX_ALLUNI, self.unicast, mac)

    def _listed(
        self, target: bytes, none: int, every: int, table: frozenset[bytes] | None, mac: bytes = b""
    ) -> bool:
        if self._is(none):
            return False
        return self._is(every) or table is None or target == mac or target in table

    def execute(self, group: int, command: int, data: bytes) -> bool:
        """A control command; False when it is unknown or malformed."""
        match group:
            case 0:
                return self._set_mode(command, data)
            case 1 if command == MAC_TABLE_SET:
                return self._set_tables(data)
            case 2:
                return self._set_vlan(command, data)
        return False

    def _set_mode(self, command: int, data: bytes) -> bool:
        if command > RX_NOBCAST or not data:
            return False
        self.modes = self.modes & ~(1 << command) | bool(data[0]) << command
        return True

    def _set_tables(self, data: bytes) -> bool:
        unicast, rest = _table(data)
        if unicast is None:
            return False
        multicast, rest = _table(rest)
        if multicast is None or rest:
            return False
        fits = len(unicast) <= TABLE_ENTRIES
        self.unicast = frozenset(unicast) if fits else None
        left = TABLE_ENTRIES - (len(unicast) if fits else 0)
        self.multicast = frozenset(multicast) if len(multicast) <= left else None
        return True

    def _set_vlan(self, command: int, data: bytes) -> bool:
        vlan = int.from_bytes(data[:2], "little")
        if len(data) < 2 or vlan >= VLANS or command > VLAN_DELETE:
            return False
        if command == VLAN_ADD:
            self.vlans |= 1 << vlan
        else:
            self.vlans &= ~(1 << vlan)
        return True


def _table(data: bytes) -> tuple[list[bytes] | None, bytes]:
    """The addresses of a counted table and what follows it; None when it is cut short."""
    count = int.from_bytes(data[:4], "little")
    end = 4 + count * _MAC
    if len(data) < 4 or len(data) < end:
        return None, b""
    return [data[place : place + _MAC] for place in range(4, end, _MAC)], data[end:]
