"""Genomes: the grammar, mutation, shrinking, and that everything the grammar allows can be played."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tb.flow.paths import ROOT
from tb.fuzz.corpus import read_genome
from tb.fuzz.grammar import VERBS, GenomeError, Step, changed, checked, plainer, random_step
from tb.fuzz.host import NoHost
from tb.fuzz.mutation import LONGEST, fresh, offspring
from tb.fuzz.player import Player, verbs
from tb.fuzz.shrink import shrink
from tb.guest.host_bus import run
from tb.sequences.raw_ring import queue_size
from tests.unit.guest_on_model import model_scene

SEEDS = sorted((ROOT / "tests" / "fuzz" / "seeds").glob("*.json"))
READ = ("chain", 0, 0, 0, 512, 1, 0, 0, 1, 1)


def test_each_verb_of_the_grammar_can_be_played_and_no_other() -> None:
    assert sorted(verbs()) == sorted(VERBS)


def test_everything_chance_makes_is_of_the_grammar() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        step = random_step(rng)
        checked([step, changed(rng, step), *plainer(step)])


def test_a_value_is_made_plain_one_at_a_time() -> None:
    assert plainer(("mask", 2, 0)) == [("mask", 1, 0), ("mask", 2, 1)]
    assert plainer(("isr",)) == []


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (("fly", 1), "no such verb"),
        (("wait",), "takes 1 values, not 0"),
        (("wait", 5000), "cannot have clocks 5000"),
        (("fault", "SLEEPY", 0, 0), "cannot have fault 'SLEEPY'"),
        ((), "no such verb"),
    ],
)
def test_what_is_not_of_the_grammar_is_named(step: Step, sentence: str) -> None:
    with pytest.raises(GenomeError, match=sentence):
        checked([("isr",), step])


def test_offspring_differs_stays_short_and_follows_the_seed() -> None:
    parent, other = fresh(random.Random(3)), fresh(random.Random(4))
    children = [offspring(random.Random(seed), parent, other) for seed in range(200)]
    assert children == [offspring(random.Random(seed), parent, other) for seed in range(200)]
    assert sum(child != parent for child in children) > 180
    assert all(0 < len(child) <= LONGEST for child in children)
    for child in children:
        checked(child)


def test_a_genome_shrinks_to_what_matters() -> None:
    steps: list[Step] = [("isr",), ("kick", 2), ("wait", 40), ("status", 7), ("mask", 2, 0), ("isr",)]
    plays = 0

    async def shows(some: Sequence[Step]) -> bool:
        nonlocal plays
        plays += 1
        names = [step[0] for step in some]
        return "status" in names and ("mask", 2, 0) in [(*step[:2], 0) for step in some if step[0] == "mask"]

    assert run(shrink(steps, shows, plays=200)) == [("status", 0), ("mask", 2, 1)]
    assert plays < 60


def test_shrinking_ends_with_its_plays() -> None:
    plays = 0

    async def shows(some: Sequence[Step]) -> bool:
        nonlocal plays
        plays += 1
        return len(some) == 40

    assert len(run(shrink([("isr",)] * 40, shows, plays=7))) == 40
    assert plays == 7


def play_on_model(steps: Sequence[Step], *, queues: int = 2, queue_size_: int = 8) -> Player:
    """Play a genome on the golden model."""
    scene = model_scene(queues=queues, queue_size=queue_size_)
    run(scene.enumerate())
    player = Player(scene, NoHost(), run(queue_size(scene)))
    run(player.play(steps))
    return player


@pytest.mark.parametrize("seed", range(60))
def test_any_genome_plays_on_the_model(seed: int) -> None:
    rng = random.Random(seed)
    first, second = fresh(rng), fresh(rng)
    play_on_model(first)
    play_on_model(offspring(rng, first, second))


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_a_kept_genome_plays_on_the_model(path: object) -> None:
    assert isinstance(path, type(SEEDS[0]))
    play_on_model(read_genome(path))


@pytest.mark.parametrize("table", [0, 1, 2])
@pytest.mark.parametrize("shape", [(512, 1, 0), (1536, 5, 3), (8192, 3, 4095)])
def test_a_good_chain_is_served(table: int, shape: tuple[int, int, int]) -> None:
    for kind in (0, 1):
        chain = ("chain", 0, kind, 3, *shape, table, 1, 1)
        player = play_on_model([("start", 0x3000_0000, 1, 0), chain])
        state = player.rings[0]
        status = state.ring.memory.read(status_address(player), 1)[0]
        assert (state.ring.used_index(), status) == (1, 0)


def status_address(player: Player) -> int:
    """Where the status byte of the only chain lies: the last buffer of its last table."""
    ring = player.rings[0].ring
    table, index = ring.base, int.from_bytes(ring.memory.read(ring.ring.available_slot(0), 2), "little")
    while True:
        raw = ring.memory.read(table + 16 * index, 16)
        address, flags = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[12:14], "little")
        if flags & 4:
            table, index = address, 0
        elif flags & 1:
            index = int.from_bytes(raw[14:], "little")
        else:
            return address


def test_a_ring_without_room_is_left_alone() -> None:
    steps = [("start", 0x1000_0000, 1, 0), ("status", 0)]
    steps += [("chain", 0, 0, 0, 512, 1, 0, 1, 1, 0)] * 12
    assert play_on_model(steps).rings[0].offered == 8
    steps = [("start", 0x1000_0000, 1, 0), ("status", 0), *[READ] * 12]
    assert play_on_model(steps).rings[0].offered == 2


def test_an_address_beyond_the_space_wraps() -> None:
    play_on_model([("bar", 0, 3), ("odd_packet", "foreign"), ("io_read", 3, 15)])


def test_again_repeats_the_latest_access() -> None:
    steps = [("start", 0x1000_0000, 1, 0), ("kick", 0), ("chain", 0, 0, 0, 512, 1, 0, 0, 1, 0)]
    assert play_on_model(steps).rings[0].ring.used_index() == 0
    assert play_on_model([*steps, ("again", 1, 0)]).rings[0].ring.used_index() == 1
    assert play_on_model([*steps, ("isr",), ("again", 3, 0)]).rings[0].ring.used_index() == 0
