"""The device configuration, which changes behind the guest's back: what a read of it may show.

A change has a time on the media side, and shows some time later. Until then old and new are right, but not
back and forth: once a byte of the new one was read, or the interrupt or the ISR bit that announces it was
seen, the old one is wrong, in every field and for every later access (VPCI-REG-18).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tb.models.judge.completions import Word
from tb.models.judge.facts import Facts
from tb.models.judge.snapshots import Snapshot
from tb.pcie.tlp import Tlp

FIRST_DW = 0x14
_ISR_CONFIG = 2
_REMEMBERED = 8


@dataclass(slots=True)
class _Version:
    """The configuration from `since_ns` on."""

    since_ns: int
    content: bytes


@dataclass(slots=True)
class _Read:
    """A read that is not answered: the DW it asks for in each version that it may show, by its number.

    `place` is where in the configuration the DW begins (below 0: other registers come first).
    """

    order: int
    place: int
    mask: int
    values: dict[int, int]

    def with_content(self, content: bytes, value: int) -> int:
        """`value` of the DW with the bytes of `content` put in."""
        for lane in range(4):
            place = self.place + lane
            if 0 <= place < len(content):
                value = value & ~(0xFF << 8 * lane) | content[place] << 8 * lane
        return value & self.mask


class DeviceConfig:
    """Keeps the versions that the function may show, and narrows them with all that is seen.

    Versions are numbered in the order of the changes. `_oldest` is the first that a request accepted from
    now on may show; `_shown` is one that the access numbered `_shown_order` was answered from: what is
    executed behind that access shows no older one. A message announces at least one version more than the
    messages before it, and so does a set ISR bit: `_told`, `_flagged`. `_queue_vectors` are those whose
    message may be a queue's.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        content = facts.device.config_bytes()
        self._versions = {0: _Version(0, content)}
        self._known = deque((content,), maxlen=_REMEMBERED)
        self._oldest = self._latest = 0
        self._shown = 0
        self._shown_order = -1
        self._told = self._flagged = 0
        self._queue_vectors: set[int] = set()
        self._reads: list[_Read] = []

    # --- what changes

    def changed(self) -> None:
        """The media have given the device another configuration."""
        self._latest += 1
        content = self._facts.device.config_bytes()
        self._versions[self._latest] = _Version(self._facts.record.time_ns, content)
        self._known.append(content)
        for read in self._reads:
            read.values[self._latest] = read.with_content(content, next(iter(read.values.values())))

    def _age(self) -> None:
        """What changed long ago has taken effect, and what was shown is not taken back."""
        long_ago = self._facts.record.time_ns - self._facts.profile.config_latency_ns
        self._oldest = max(self._oldest, self._shown)
        while self._oldest < self._latest and self._versions[self._oldest + 1].since_ns < long_ago:
            self._oldest += 1
        for number in [number for number in self._versions if number < self._oldest]:
            del self._versions[number]

    def registers_written(self, before: Snapshot, after: Snapshot) -> None:
        """The guest has written a register: the vectors that a queue has had since the last reset."""
        if after.generation != before.generation:
            self._queue_vectors.clear()
        self._queue_vectors.update(after.vectors)

    # --- reads

    def read(self, order: int, word: Word, dw: int) -> None:
        """The access numbered `order` asks for `word`, the DW of BAR0 at `dw`."""
        if self._oldest < self._latest:
            self._age()
        place = dw - self._facts.model.registers.config_base
        read = _Read(order, place, word.mask, {})
        for number in range(self._oldest, self._latest):
            read.values[number] = read.with_content(self._versions[number].content, word.value)
        read.values[self._latest] = word.value & word.mask
        self._reads.append(read)
        word.mask, word.observed = 0, word.mask

        def observe(seen: int) -> set[int] | None:
            self._reads.remove(read)
            return self._observe(read, word, seen & read.mask)

        word.observe = observe

    def _observe(self, read: _Read, word: Word, seen: int) -> set[int] | None:
        """Hold a value read against the versions possible; the values they give when it is none of them."""
        least = self._shown if read.order > self._shown_order else 0
        possible = {number: value for number, value in read.values.items() if number >= least}
        fitting = [number for number, value in possible.items() if value == seen]
        if fitting:
            self._raise_to(min(fitting), read.order)
            return None
        if self._is_mixed(read, seen):
            word.rule, word.parts = "VPCI-REG-18", None
        return set(possible.values())

    def _is_mixed(self, read: _Read, seen: int) -> bool:
        """Whether each byte seen is that of some version, old ones included."""
        value = next(iter(read.values.values()))
        known = [read.with_content(content, value) for content in self._known]
        return all(any(not (seen ^ one) >> 8 * lane & 0xFF for one in known) for lane in range(4))

    def _raise_to(self, number: int, order: int) -> None:
        """The access numbered `order` has shown version `number`."""
        if number > self._shown:
            self._shown, self._shown_order = number, order

    # --- what announces

    def message(self, tlp: Tlp) -> None:
        """The function has sent an MSI-X message."""
        if self._told < self._latest and all(self._is_config(s, tlp) for s in self._facts.snapshots.states):
            self._told += 1
            self._age()
            self._oldest = max(self._oldest, self._told)

    def _is_config(self, state: Snapshot, tlp: Tlp) -> bool:
        """Whether the message can only be that of the configuration vector."""
        vectors = [vector for vector, entry in enumerate(state.entries) if entry.address == tlp.address]
        return vectors == [state.config_vector] and state.config_vector not in self._queue_vectors

    def isr(self, order: int, seen: int) -> None:
        """The access numbered `order` has read `seen` from the ISR, which clears it."""
        if seen & _ISR_CONFIG and self._flagged < self._latest:
            self._flagged += 1
            self._raise_to(self._flagged, order)
