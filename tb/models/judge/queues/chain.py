"""One descriptor chain on its way: walked, read, served, written back, used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from struct import Struct

from tb.models.devices.base import (
    DeviceModel,
    Effects,
    Gather,
    MediaFlush,
    MediaResult,
    NextChain,
    Operation,
    Serve,
)
from tb.models.judge.queues.buffers import Owed, ReadableStream, owed_writes
from tb.models.judge.queues.image import Image
from tb.models.virtqueue import (
    DESC_WRITE,
    DESCRIPTOR_BYTES,
    Chain,
    ChainError,
    Fetch,
    FetchKind,
    Segment,
)

_DESCRIPTOR = Struct("<QIHH")


class JudgedChain:
    """A chain the function has taken from the available ring.

    `fetch` is the descriptor the walk needs next, None once it is walked; `loop` is set when the walk came
    back to a descriptor: the table it runs round in, (0, 0) for the queue's own; `operation` what the device
    model waits for; `owed` the guest memory writes still to come once `effects` are known; `suspect` is set
    after a verdict on this chain, so that one fault is not told many times; `dead` when the queue stopped
    and nothing may be done for it any more; `lost` when one of its own reads failed; `claimed` when a media
    request was seen for the operation it waits for; `known` looks up a descriptor of the queue's own table
    among those read ahead, `image` is what was written into its buffers, both None unless the profile lets
    the function do so.
    """

    __slots__ = (
        "_asked",
        "_fetched",
        "_parts",
        "_serve",
        "_table",
        "_visited",
        "_walk",
        "chain",
        "claimed",
        "dead",
        "effects",
        "error",
        "fetch",
        "head",
        "image",
        "index",
        "known",
        "loop",
        "lost",
        "operation",
        "owed",
        "stream",
        "suspect",
    )

    def __init__(self, index: int, head: int, walk: Generator[Fetch, bytes, Chain]) -> None:
        self.index = index
        self.head = head
        self._walk = walk
        self._table: tuple[int, int] | None = None
        self._asked: list[tuple[int, int]] = []
        self._fetched: list[tuple[int, int]] = []
        self._parts: dict[int, bytes] = {}
        self._visited: set[int] = set()
        self._serve: Serve | None = None
        self.fetch: Fetch | None = None
        self.loop: tuple[int, int] | None = None
        self.chain: Chain | None = None
        self.stream = ReadableStream()
        self.operation: Operation | None = None
        self.effects: Effects | None = None
        self.owed: list[Owed] = []
        self.error: ChainError | None = None
        self.suspect = False
        self.dead = False
        self.lost = False
        self.claimed = False
        self.known: Callable[[int], bytes | None] | None = None
        self.image: Image | None = None

    # --- the walk

    def begin(self) -> None:
        """Start the walk; raises `ChainError` when the head alone is wrong."""
        self.fetch = next(self._walk)

    def wants_descriptor(self, address: int, count: int) -> bool:
        """Whether the function may read `count` bytes at `address` as descriptors of this chain now.

        Of the queue's own table only what the walk has come to, whole or in parts; of an indirect table,
        which belongs to the chain as a whole, anything. Each byte once (VRING-DESC-12).
        """
        fetch = self.fetch
        if fetch is None:
            return False
        base, end = self._table or (fetch.address, fetch.address + DESCRIPTOR_BYTES)
        if not (base <= address and address + count <= end):
            return False
        return all(address >= last or address + count <= first for first, last in self._asked)

    def ask_descriptor(self, address: int, count: int) -> None:
        """The function has asked for these bytes; it may not ask again."""
        self._asked.append((address, address + count))
        self._fetched.append((address, address + count))

    def was_asked(self, address: int) -> bool:
        """Whether the byte at `address` was read as part of a descriptor of this chain."""
        return any(first <= address < last for first, last in self._fetched)

    def keep(self, address: int, data: bytes) -> None:
        """The function has got `data` of a descriptor table: `walk_on` goes by it."""
        while address in self._parts and data:  # read before: the first copy counts
            old = len(self._parts[address])
            address, data = address + old, data[old:]
        self._parts[address] = data

    def walk_on(self) -> None:
        """Go as far as the descriptors that have come lead. Raises `ChainError` for a malformed chain."""
        while self.fetch is not None:
            raw = self._raw(self.fetch.address)
            if raw is None:
                return
            self._feed(self.fetch, raw)

    def open_tables(self, *, ahead: bool) -> Iterator[tuple[int, int]]:
        """(first byte, end) of what may be read as descriptors of it by a read that takes more.

        With `ahead` that is the indirect table it is in or ended in, as often as one likes; else what
        `wants_descriptor` takes.
        """
        if ahead and self._table is not None:
            yield self._table
        elif not ahead and self.fetch is not None:
            place = self.fetch.address
            yield self._table or (place, place + DESCRIPTOR_BYTES)

    def _raw(self, address: int) -> bytes | None:
        """The descriptor at `address`, None when not all of it has come."""
        if self.known is not None and self._table is None:
            return self.known(address)
        raw = self._parts.get(address, b"")
        if len(raw) == DESCRIPTOR_BYTES:
            return raw
        out = bytearray()
        while len(out) < DESCRIPTOR_BYTES:
            part = self._part_from(address + len(out))
            if not part:
                return None
            out += part
        return bytes(out[:DESCRIPTOR_BYTES])

    def _part_from(self, place: int) -> bytes:
        for start, data in self._parts.items():
            if start <= place < start + len(data):
                return data[place - start :]
        return b""

    def _feed(self, fetch: Fetch, raw: bytes) -> None:
        """Go one descriptor further."""
        address, length, flags, _ = _DESCRIPTOR.unpack(raw)
        self._visited.add(fetch.address)
        try:
            following = self._walk.send(raw)
        except StopIteration as stop:
            chain: Chain = stop.value
            for segment in chain.readable[self.stream.segments :]:
                self.stream.add(segment)
            self.fetch, self.chain = None, chain
            return
        except ChainError:
            self.fetch = None  # nothing that comes later leads further
            raise
        if fetch.kind is FetchKind.DIRECT and following.kind is FetchKind.INDIRECT:
            self._enter((address, address + length))
        else:
            if following.kind is FetchKind.DIRECT:
                self._leave_table(fetch)
            if not flags & DESC_WRITE:
                self.stream.add(Segment(address, length))
        if following.address in self._visited:
            self.loop, self.fetch = self._table or (0, 0), None
            raise ChainError("VRING-DESC-03", "the chain comes back to a descriptor it has been at")
        self.fetch = following

    def _enter(self, table: tuple[int, int]) -> None:
        self._table = table
        self._asked, self._parts, self._visited = [], {}, set()

    def _leave_table(self, fetch: Fetch) -> None:
        """The next descriptor lies in the queue's own table: only that one is read next."""
        if fetch.kind is FetchKind.INDIRECT:
            self._visited = set()
        self._table = None
        self._asked, self._parts = [], {}

    # --- the request

    def serve(self, device: DeviceModel, queue: int) -> None:
        """Let the device model start on the walked chain. Raises `ChainError` when it refuses it."""
        assert self.chain is not None
        self._serve = device.serve(queue, self.chain)
        self._resume(next)

    def answer(self, result: bytes | MediaResult | Chain | None) -> None:
        """Give the device model what it waits for. Raises `ChainError` when it refuses the chain."""
        self._resume(lambda serve: serve.send(result))

    def _resume(self, go_on: Callable[[Serve], Operation]) -> None:
        """Run the device model up to an operation that cannot be answered from what was read."""
        assert self._serve is not None
        try:
            operation = go_on(self._serve)
            while isinstance(operation, Gather):
                data = self._gathered(operation)
                if data is None:
                    break
                operation = self._serve.send(data)
        except StopIteration as stop:
            self._finish(stop.value)
            return
        self.operation = operation

    def foresee(self, device: DeviceModel, queue: int) -> Operation | None:
        """What the device model will ask of its media once the rest of the readable bytes have come.

        Those bytes are taken as zeros: only what does not depend on them is worth looking at.
        """
        assert self.chain is not None
        serve = device.serve(queue, self.chain)
        try:
            operation = next(serve)
            while isinstance(operation, Gather):
                there = max(0, min(operation.length, self.chain.readable_length - operation.offset))
                data = self._gathered(operation)
                operation = serve.send(bytes(there) if data is None else data)
        except StopIteration:
            return None  # with zeros it asks for nothing
        return operation

    def _gathered(self, operation: Gather) -> bytes | None:
        """The bytes asked for once the function has read them; of a chain too short for them, what there is.

        That a chain is too short shows in its descriptors, so the function need not have read it.
        """
        assert self.chain is not None
        there = self.chain.readable_length - operation.offset
        if there < operation.length:
            return bytes(max(0, there))
        return self.stream.gather(operation.offset, operation.length)

    def give_back(self, effects: Effects) -> None:
        """Nothing more is done for it: it is used with these `effects`."""
        self.fetch, self.operation = None, None
        self.effects = effects
        if self.chain is not None:
            self.owed = owed_writes(self.chain.writable, effects.writes)

    def _finish(self, effects: Effects) -> None:
        assert self.chain is not None
        self.operation = None
        self.effects = effects
        self.owed = owed_writes(self.chain.writable, effects.writes)

    def bytes_read(self, offset: int, data: bytes) -> None:
        """The function has got readable bytes. Raises `ChainError` when the device refuses the chain."""
        self.stream.store(offset, data)
        operation = self.operation
        if not isinstance(operation, Gather):
            return
        gathered = self._gathered(operation)
        if gathered is not None:
            self.answer(gathered)

    def data_read(self) -> bytes:
        """The bytes that the function has read so far, in one run, of those the device model waits for."""
        operation = self.operation
        if not isinstance(operation, Gather):
            return b""
        return self.stream.leading(operation.offset, operation.length)

    @property
    def begun(self) -> bool:
        """Whether anything of it was done: a media request made, its answer known."""
        return self.claimed or self.effects is not None

    @property
    def waits_for_media(self) -> bool:
        """Whether the device model waits for its media."""
        return self.operation is not None and not isinstance(self.operation, Gather | NextChain)

    @property
    def written(self) -> bool:
        """Whether all effects are known and written."""
        return self.effects is not None and (self.image is not None or not self.owed)

    @property
    def rule(self) -> str:
        """The requirement that decides how it ends, or what it waits for; empty for its framing alone."""
        if self.effects is not None:
            return self.effects.rule
        return self.operation.rule if isinstance(self.operation, MediaFlush) else ""

    @property
    def writable_length(self) -> int:
        """Bytes of all writable buffers."""
        return self.chain.writable_length if self.chain else 0

    @property
    def stage(self) -> str:
        """How far it has come, for a sentence."""
        if self.fetch is not None:
            return f"descriptor {self.fetch.index} is still to be fetched"
        if isinstance(self.operation, Gather):
            first, last = self.operation.offset, self.operation.offset + self.operation.length
            return f"readable bytes {first} to {last} are still to be read"
        if self.operation is not None:
            return f"it waits for {type(self.operation).__name__}"
        if self.owed and self.image is None:
            return f"{sum(len(owed.data) for owed in self.owed)} bytes are still to be written"
        return "its used element is missing" if self.effects else "it is malformed"

    def owed_at(self, address: int) -> int | None:
        """Place in `owed` of the run of bytes that `address` lies in, the earliest one."""
        for place, owed in enumerate(self.owed):
            if 0 <= address - owed.address < len(owed.data):
                return place
        return None

    def pay(self, place: int, into: int, count: int) -> None:
        """`count` bytes of the run at `place`, from `into` on, are written."""
        owed = self.owed[place]
        rest: list[Owed] = []
        if into:
            rest.append(Owed(owed.address, owed.data[:into], owed.turn))
        if into + count < len(owed.data):
            rest.append(Owed(owed.address + into + count, owed.data[into + count :], owed.turn))
        self.owed[place : place + 1] = rest

    def holds(self, address: int, count: int) -> bool:
        """Whether these bytes lie in its writable buffers, one or several that are neighbours in memory."""
        writable = self.chain.writable if self.chain else ()
        place, end = address, address + count
        while place < end:
            reach = [s.address + s.length for s in writable if s.address <= place < s.address + s.length]
            if not reach:
                return False
            place = max(reach)
        return True

    def covers(self, address: int) -> bool:
        """Whether `address` lies in one of the writable buffers."""
        if self.chain is None:
            return False
        return any(0 <= address - s.address < s.length for s in self.chain.writable)

    def __str__(self) -> str:
        return f"the chain of head {self.head} (available index {self.index})"
