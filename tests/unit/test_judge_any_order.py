"""A function that makes every choice anew: whatever is legal is not accused, and one lie among it is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb.models.profile import VIRTIO_PCI_RTL
from tb.models.virtqueue import F_EVENT_IDX
from tests.unit.by_hand import ByHand, Taken, played
from tests.unit.fake_function import Fact, judged
from tests.unit.legal_steps import AVAILABLE, SIZE, USED

CASES = 150
MOST = 5
LENIENT = replace(
    VIRTIO_PCI_RTL,
    available_reads="any",
    descriptor_reads="any",
    read_granule=64,
    other_reads=("flush", "used_ring", "writable_buffers"),
    answer_writes="until_used",
    used_elements="until_index",
    completion_order="any",
    chains_in_flight=0,
    polls=True,
    interrupt_delay_ns=50_000,
)


class Player:
    """Serves all that is available, in an order and in pieces that chance chooses; `lie` spoils one."""

    def __init__(self, function: ByHand, chance: random.Random, lie: str = "") -> None:
        self.function = function
        self.chance = chance
        self.lie = lie

    def play(self) -> None:
        heads = self._heads(self.function.look())
        table = b""
        if self.chance.random() < 0.5:
            table = self.function.dma_read(self.function.layout.descriptors, 16 * SIZE)
        self.chance.shuffle(heads)
        while heads:
            batch = [heads.pop() for _ in range(self.chance.randint(1, len(heads)))]
            self._serve([self._take(head, table) for head in batch])

    def _heads(self, count: int) -> list[int]:
        """The heads of the available chains, by the line or slot by slot in any order."""
        if self.chance.random() < 0.5:
            raw = self.function.dma_read(AVAILABLE, 64)
            return [int.from_bytes(raw[4 + 2 * n : 6 + 2 * n], "little") for n in range(count)]
        slots = self.chance.sample(range(count), count)
        return [self.function.slot(slot) for slot in slots]

    def _take(self, head: int, table: bytes) -> Taken:
        self._idle()
        return self.function.take_from(table, head) if table else self.function.take(head)

    def _serve(self, batch: list[Taken]) -> None:
        """Answers in any pieces and order, elements in any order, one used index for all."""
        function, chance = self.function, self.chance
        writes: list[Callable[[], None]] = []
        first = function.ring.used
        for slot, taken in enumerate(batch, first):
            writes += [self._piece(address, data) for address, data in self._pieces(taken)]
            writes.append(partial(function.element, taken, slot % SIZE))
        chance.shuffle(writes)
        if self.lie == "forgotten":
            writes.pop()
            self.lie = ""
        again = chance.choices(writes, k=chance.randint(0, 3)) if writes else []
        for write in [*writes, *again]:
            write()
            self._idle()
        if self.lie == "overwritten":
            function.dma_write(batch[0].pieces()[0][0], b"\xa5\x5a\xa5\x5a")
            self.lie = ""
        function.publish(len(batch))
        if self.lie == "afterwards":
            function.dma_write(batch[0].pieces()[0][0], b"\xa5\x5a\xa5\x5a")
            self.lie = ""
        self._idle()
        function.decide()

    def _pieces(self, taken: Taken) -> list[tuple[int, bytes]]:
        """The answer cut anywhere."""
        pieces: list[tuple[int, bytes]] = []
        for address, data in taken.pieces():
            cut = self.chance.randint(0, len(data))
            pieces += [(address, data[:cut]), (address + cut, data[cut:])]
        return [(address, data) for address, data in pieces if data]

    def _piece(self, address: int, data: bytes) -> Callable[[], None]:
        return lambda: self.function.dma_write(address, data)

    def _idle(self) -> None:
        """Sometimes something that tells it nothing."""
        function = self.function
        reads: list[Callable[[], object]] = [
            function.look,
            lambda: function.read_nothing(USED),
            lambda: function.dma_read(USED, 64),
            lambda: function.dma_read(AVAILABLE, 64),
            lambda: function.dma_read(function.layout.descriptors, 64),
        ]
        if self.chance.random() < 0.2:
            self.chance.choice(reads)()


def facts_of(seed: int, lie: str = "") -> list[Fact]:
    chance = random.Random(seed)
    features = chance.choice([0, 1 << F_EVENT_IDX])
    requests = chance.randint(1, MOST)
    return played(lambda function: Player(function, chance, lie).play(), features=features, requests=requests)


def rules_of(facts: list[Fact]) -> list[str]:
    return [str(verdict) for verdict in judged(facts, queue_size=SIZE, profile=LENIENT)]


@settings(max_examples=CASES)
@given(st.integers(0, 1 << 32))
def test_no_legal_choice_is_accused(seed: int) -> None:
    assert not rules_of(facts_of(seed))


@pytest.mark.parametrize("lie", ["forgotten", "overwritten", "afterwards"])
@settings(max_examples=CASES // 3)
@given(st.integers(0, 1 << 32))
def test_one_lie_is_told(lie: str, seed: int) -> None:
    assert rules_of(facts_of(seed, lie))
