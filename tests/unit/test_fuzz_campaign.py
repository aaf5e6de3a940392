"""The loop of fuzzing, on an arena that is a toy: what is kept, found, shrunk, shared and counted."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tb.fuzz.campaign import Campaign, Limits, Played
from tb.fuzz.corpus import Corpus, as_text, name_of, read_genome
from tb.fuzz.findings import Fault, Finding, Findings
from tb.fuzz.grammar import GenomeError, Step
from tb.fuzz.situations import Situations
from tb.guest.host_bus import run
from tb.harness.coverage import read_points
from tb.pcie.tlp import Channel, io_write

STEPS: list[Step] = [("isr",), ("wait", 40)]


def features_of(steps: Sequence[Step]) -> set[tuple[str, ...]]:
    """What a genome reaches in the toy: its verbs, and the pairs of them in a row."""
    names = [str(step[0]) for step in steps]
    return {*((name,) for name in names), *pairwise(names)}


class ToyArena:
    """Reaches something new with each verb and each pair of verbs; fails when a wait follows a kick."""

    def __init__(self, *, moody: bool = False) -> None:
        self.seen: set[tuple[str, ...]] = set()
        self.moody = moody
        self.plays = 0

    async def play(self, steps: Sequence[Step], *, remember: bool = True) -> Played:
        self.plays += 1
        reached = features_of(steps) - self.seen
        if remember:
            self.seen |= reached
        failed = ("kick", "wait") in features_of(steps) and (remember or not self.moody)
        fault = Fault("TOY-01", f"wait after kick at {self.plays} ns")
        return Played((fault,) if failed else (), len(reached))


def campaign(folder: Path, arena: ToyArena, seed: int = 1, **limits: int) -> Campaign:
    findings = Findings(folder / "findings", "toy", seed)
    rng = random.Random(seed)
    return Campaign(arena, Corpus(folder / "corpus"), findings, rng, Limits(**limits), clock=lambda: 0.0)


def test_what_is_new_is_kept_and_a_finding_is_shrunk_and_written(tmp_path: Path) -> None:
    one = campaign(tmp_path, ToyArena(), genomes=400)
    run(one.run([STEPS]))
    assert one.genomes == 400
    assert one.kept == len(list((tmp_path / "corpus").iterdir())) > 50
    (finding,) = one.findings.by_shape.values()
    assert [step[0] for step in finding.steps] == ["kick", "wait"]
    assert finding.count > 1 and finding.alone
    (path,) = (tmp_path / "findings").iterdir()
    assert read_genome(path) == finding.steps
    assert json.loads(path.read_text())["rule"] == "TOY-01"


def test_the_same_seed_breeds_the_same_genomes(tmp_path: Path) -> None:
    names = []
    for place in ("a", "b"):
        run(campaign(tmp_path / place, ToyArena(), genomes=150).run([STEPS]))
        names.append(sorted(path.name for path in (tmp_path / place / "corpus").iterdir()))
    assert names[0] == names[1]


def test_a_finding_that_does_not_show_again_keeps_what_went_before(tmp_path: Path) -> None:
    one = campaign(tmp_path, ToyArena(moody=True), genomes=400)
    run(one.run([STEPS]))
    (finding,) = one.findings.by_shape.values()
    assert not finding.alone and finding.before


def test_it_ends_with_enough_findings(tmp_path: Path) -> None:
    one = campaign(tmp_path, ToyArena(), genomes=4000, findings=1)
    run(one.run([STEPS]))
    assert one.genomes < 4000


def test_processes_share_a_folder(tmp_path: Path) -> None:
    toys = ToyArena(), ToyArena()
    first = campaign(tmp_path, toys[0], genomes=100)
    run(first.run([STEPS]))
    (tmp_path / "corpus" / "torn.json").write_text('[["isr"')
    second = campaign(tmp_path, toys[1], seed=2, genomes=1)
    run(second.run())
    assert second.replayed == first.kept
    taken = second.corpus.genomes
    assert 0 < len(taken) < first.kept
    left = {path.stem for path in (tmp_path / "corpus").iterdir()}
    assert {name_of(steps) for steps in taken} | {"torn"} == left
    assert toys[1].seen >= {feature for steps in first.corpus.genomes for feature in features_of(steps)}


def test_a_genome_is_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(as_text(STEPS))
    assert read_genome(path) == STEPS
    assert as_text(STEPS).count("\n") == len(STEPS) + 1


@pytest.mark.parametrize("text", ["", "3", '{"stops": []}', '[["fly"]]', "[3]"])
def test_what_is_no_genome_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(GenomeError, match=r"odd\.json"):
        read_genome(path)


def test_faults_that_differ_in_numbers_are_one() -> None:
    first = Fault("R-1", "chain 3 at 0x10 gets 00 11 22, not 5")
    assert first.name == Fault("R-1", "chain 71 at 0xffab gets 33 44, not 6").name
    assert first.name != Fault("R-1", "chain 3 at 0x10 gets nothing").name
    assert first.name.startswith("r-1-")


def test_a_finding_of_another_process_is_known(tmp_path: Path) -> None:
    fault = Fault("R-1", "said 3")
    Findings(tmp_path, "toy", 1).keep(Finding(fault, STEPS, 1))
    others = Findings(tmp_path, "toy", 2)
    assert others.known(Fault("R-1", "said 4")) and not others.known(Fault("R-1", "said nothing"))
    assert [(one.count, one.alone) for one in others.by_shape.values()] == [(1, True)]


def test_a_packet_in_another_standing_is_another_situation() -> None:
    situations = Situations()
    kick = io_write(0xC010, 2, 0)
    situations.see(Channel.RX_REQ, kick, ("idle",))
    situations.see(Channel.RX_REQ, replace(kick, tag=7), ("idle",))
    assert situations.take(remember=False) == 1
    situations.see(Channel.RX_REQ, kick, ("idle",))
    situations.see(Channel.RX_REQ, kick, ("busy",))
    situations.see(Channel.RX_REQ, io_write(0xC012, 1, 0), ("busy",))
    assert situations.take(remember=True) == 3
    situations.see(Channel.RX_REQ, kick, ("busy",))
    assert situations.take(remember=True) == 0


def test_points_are_known_by_their_numbers() -> None:
    def line(point: int, file: str, number: int, page: str) -> str:
        return f"C '\x01f\x02{file}\x01l\x02{number}\x01page\x02{page}\x01o\x02block' {point}"

    points = read_points(
        "\n".join(("# head", line(2, "b.sv", 7, "v_line/b"), line(1, "a.sv", 3, "v_toggle/a"))), 3
    )
    assert [(point.file, point.line, point.page) for point in points] == [
        ("a.sv", 3, "v_toggle/a"),
        ("b.sv", 7, "v_line/b"),
        ("", 0, ""),
    ]
