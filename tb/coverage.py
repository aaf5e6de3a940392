"""Light functional coverage: how often each kind of traffic was seen. Plain counters, written as JSON."""

from __future__ import annotations

from collections import Counter

from pyuvm import uvm_subscriber

from tb.harness.link import Observation
from tb.pcie.tlp import TlpType
from tb.pcie.types import CONFIG_TYPES, IO_TYPES, SHORT_NAMES

_REGISTER_TYPES = CONFIG_TYPES | IO_TYPES
_COMPLETIONS = frozenset({TlpType.COMPLETION, TlpType.COMPLETION_DATA})
_Key = tuple[str, TlpType, int, int]


class PacketCoverage(uvm_subscriber):
    """Counts packets by channel and kind, each by two details that matter for its kind.

    Connect it to the monitors' analysis ports.
    """

    def build_phase(self) -> None:
        self._counts: Counter[_Key] = Counter()
        self.malformed: Counter[str] = Counter()
        self._named: Counter[tuple[str, str]] = Counter()

    def write(self, seen: Observation) -> None:
        """One packet."""
        tlp = seen.tlp
        if tlp is None or seen.error is not None:
            self.malformed[seen.channel.value] += 1
            return
        kind = tlp.type
        if kind in _REGISTER_TYPES:
            key = (seen.channel.value, kind, tlp.address & 0xFFF, tlp.first_be)
        elif kind in _COMPLETIONS:
            key = (seen.channel.value, kind, tlp.status, tlp.length)
        else:
            key = (seen.channel.value, kind, tlp.length, tlp.first_be)
        self._counts[key] += 1

    def hit(self, group: str, name: str) -> None:
        """One hit of a bin that a scenario names: what no packet alone can tell."""
        self._named[group, name] += 1

    def bins(self) -> dict[str, dict[str, int]]:
        """Hits by channel and kind; the bins of a kind are named by its two details."""
        found: dict[str, dict[str, int]] = {}
        for (channel, kind, first, second), hits in sorted(self._counts.items()):
            group = found.setdefault(f"{channel} {SHORT_NAMES[kind]}", {})
            group[_bin_name(kind, first, second)] = hits
        for channel, hits in self.malformed.items():
            found[f"{channel} malformed"] = {"all": hits}
        for (named, name), hits in sorted(self._named.items()):
            found.setdefault(named, {})[name] = hits
        return found


def _bin_name(kind: TlpType, first: int, second: int) -> str:
    if kind in _REGISTER_TYPES:
        return f"0x{first:03x} be {second:04b}"
    if kind in _COMPLETIONS:
        return f"status {first} dw {second}"
    return f"dw {first} first be {second:04b}"
