"""Fetches the descriptors of a chain, with what may be read ahead."""

from __future__ import annotations

from struct import Struct

from tb.models.virtqueue import (
    DESC_INDIRECT,
    DESC_WRITE,
    DESCRIPTOR_BYTES,
    Chain,
    ChainError,
    Fetch,
    FetchKind,
    RingLayout,
    walk_chain,
)
from tb.selfplay.clock import Steps
from tb.selfplay.player.core import Core

HEADER = 16
_DESCRIPTOR = Struct("<QIHH")
_AHEAD = 4


class Walker:
    """Walks one chain. `prefix`: the readable bytes already read on the way."""

    def __init__(self, core: Core, layout: RingLayout, head: int) -> None:
        self._core = core
        self._layout = layout
        self._head = head
        self._kept: dict[int, bytes] = {}
        self._seen: set[int] = set()
        self.prefix = b""

    def walk(self) -> Steps[Chain | None]:
        """The chain, None when a read failed. Raises ChainError for a malformed one."""
        core = self._core
        walk = walk_chain(self._layout, self._head, core.profile, indirect_negotiated=core.indirect)
        fetch = next(walk)
        while True:
            raw = yield from self._descriptor(fetch)
            if raw is None:
                return None
            try:
                following = walk.send(raw)
            except StopIteration as done:
                chain: Chain = done.value
                return chain
            if not (yield from self._header(raw)):
                return None
            fetch = following

    def _descriptor(self, fetch: Fetch) -> Steps[bytes | None]:
        kept = self._kept.get(fetch.address)
        seen = fetch.address in self._seen
        self._seen.add(fetch.address)
        if seen and not self._counts():
            raise ChainError("VRING-DESC-03", "the chain comes back to a descriptor it has been at")
        if seen and self._core.settings.rng.random() < 0.5:
            return (yield from self._core.port.read(fetch.address, DESCRIPTOR_BYTES, whole=True))
        if kept is not None:
            return kept
        if fetch.kind is FetchKind.INDIRECT and fetch.index == 0 and self._takes_table(fetch):
            return (yield from self._ahead(fetch, fetch.entries))
        if fetch.kind is FetchKind.DIRECT and self._core.settings.takes("descriptors_ahead"):
            return (yield from self._ahead(fetch, min(_AHEAD, self._layout.size - fetch.index)))
        whole = self._core.profile.descriptor_reads == "any"  # there the judge does not join parts
        raw = yield from self._core.port.read(fetch.address, DESCRIPTOR_BYTES, whole=whole)
        if raw is not None:
            self._kept[fetch.address] = raw
            yield from self._again(fetch)
        return raw

    def _counts(self) -> bool:
        """Whether a loop is counted out: alone, or where others go on meanwhile and that is chosen."""
        core = self._core
        alone = core.settings.depth == 1 and core.profile.broken == "queue"
        return alone or core.settings.takes("loops_counted")

    def _takes_table(self, fetch: Fetch) -> bool:
        """Whether to read the whole table at once: in one packet,
        or else reading on is a choice of its own.
        """
        settings, port = self._core.settings, self._core.port
        size = fetch.entries * DESCRIPTOR_BYTES
        room = min(port.limits.request - fetch.address % 4, 4096 - fetch.address % 4096)
        if size > 8192 or not settings.takes("table_at_once"):
            return False
        return size <= room or settings.has("table_read_on")

    def _ahead(self, fetch: Fetch, entries: int) -> Steps[bytes | None]:
        whole = not self._core.settings.has("table_read_on")
        raw = yield from self._core.port.read(fetch.address, entries * DESCRIPTOR_BYTES, whole=whole)
        if raw is None:
            return None
        for index in range(entries):
            place = index * DESCRIPTOR_BYTES
            self._kept[fetch.address + place] = raw[place : place + DESCRIPTOR_BYTES]
        return raw[:DESCRIPTOR_BYTES]

    def _header(self, raw: bytes) -> Steps[bool]:
        """Read the header as soon as its buffer is known, where that is chosen; False when that failed."""
        address, length, flags, _ = _DESCRIPTOR.unpack(raw)
        known = len(self._seen) == 1 and not self.prefix
        if not known or flags & (DESC_WRITE | DESC_INDIRECT) or length < HEADER:
            return True
        if not self._core.settings.takes("header_early"):
            return True
        data = yield from self._core.port.read(address, HEADER, buffer=True)
        self.prefix = data or b""
        return data is not None

    def _again(self, fetch: Fetch) -> Steps[None]:
        """The lies of this place."""
        liar, port = self._core.liar, self._core.port
        if fetch.kind is FetchKind.DIRECT and liar.lies("descriptor_twice"):
            yield from port.read(fetch.address, DESCRIPTOR_BYTES, whole=True)
        if fetch.kind is FetchKind.DIRECT and self._layout.size > 1 and liar.lies("descriptor_other"):
            other = self._layout.descriptor((fetch.index + self._layout.size // 2) % self._layout.size)
            yield from port.read(other, DESCRIPTOR_BYTES, whole=True)
