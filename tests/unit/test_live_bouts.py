"""Live fuzzing without QEMU: plans follow from their seed, are valid traces, and find planted differences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tb.models.profile import QEMU_7_2, Profile
from tb.oracle.live.bouts import Bout, bouts, kinds
from tb.oracle.live.campaign import Campaign
from tb.oracle.live.duel import Opener, Target, fight
from tb.oracle.live.kinds import KINDS, Kind
from tb.oracle.live.process import QemuError
from tb.oracle.replay import Replay, Result, replay
from tb.oracle.trace import Row

BOUTS = [pytest.param(bout, id=bout.name) for bout in bouts(1, None)]


class ModelTarget:
    """Another model stands in for QEMU."""

    def __init__(self, profile: Profile, kind: Kind) -> None:
        self._replay = Replay(profile, kind.header(), Result(Path(kind.name)))

    def answer(self, row: Row, expected: Any) -> Any:
        return self._replay.answer(row)


def opener_of(profile: Profile) -> Opener:
    @contextmanager
    def opened(kind: Kind) -> Iterator[Target]:
        yield ModelTarget(profile, kind)

    def opener(kind: Kind) -> AbstractContextManager[Target]:
        return opened(kind)

    return opener


class Notes:
    """Keeps what a campaign says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, done: int, what: str) -> None:
        pass


def test_all_five_types_are_driven() -> None:
    assert {kind.role for kind in KINDS} == {"net", "block", "console", "balloon", "entropy"}


def test_a_device_is_named_by_itself_or_by_its_type() -> None:
    assert [kind.name for kind in kinds("blkro")] == ["blkro"]
    assert {kind.name for kind in kinds("block")} == {"blk", "blk4q", "blkro", "blksmall", "blkbare"}
    assert kinds("floppy") == ()


@pytest.mark.parametrize("bout", BOUTS)
def test_same_seed_same_plan_and_other_seed_other_plan(bout: Bout) -> None:
    rows = bout.rows(QEMU_7_2)
    assert rows == bout.rows(QEMU_7_2)
    assert rows != replace(bout, seed=2).rows(QEMU_7_2)


@pytest.mark.parametrize("bout", BOUTS)
def test_a_kept_bout_is_a_trace_that_replays(bout: Bout, tmp_path: Path) -> None:
    """The model agrees with itself, and the trace reader with what is written."""
    notes = Notes()
    campaign = Campaign(opener_of(QEMU_7_2), QEMU_7_2, tmp_path / "bad", notes)
    campaign.play([bout], keep=tmp_path)
    result = replay(tmp_path / f"{bout.name}.jsonl", QEMU_7_2)
    assert (result.fault, result.differences, result.skipped, notes.lines) == ("", [], [], [])
    assert result.observations == campaign.totals.observations > 100


PLANTED: list[tuple[str, str, dict[str, Any]]] = [
    ("blk", "traffic", {"zero_length_descriptor": "accept"}),
    ("blk", "traffic", {"block_scsi": "unsupported"}),
    ("blk4q", "traffic", {"early_notify_kicks": ()}),
    ("blk", "registers", {"isr_config_change": 2}),
    ("net", "traffic", {"net_early_frame": "kept"}),
    ("serial", "traffic", {"interrupts_anyway": ()}),
    ("balloon", "traffic", {"config_write_takes": "written_bytes"}),
    ("rng", "registers", {"queue_select_limit": 64}),
]


@pytest.mark.parametrize(("device", "scenario", "change"), PLANTED)
def test_another_choice_is_found_within_a_few_seeds(
    device: str, scenario: str, change: dict[str, Any]
) -> None:
    opener = opener_of(replace(QEMU_7_2, **change))
    kind = next(kind for kind in KINDS if kind.name == device)
    found = (
        fight(opener, QEMU_7_2, kind, Bout(kind, scenario, seed).rows(QEMU_7_2), most=1).differences
        for seed in range(1, 25)
    )
    assert any(found)


def test_a_difference_is_made_short_and_kept_as_a_trace(tmp_path: Path) -> None:
    other = replace(QEMU_7_2, isr_config_change=2)
    notes = Notes()
    campaign = Campaign(opener_of(other), QEMU_7_2, tmp_path, notes)
    campaign.play(Bout(kind, "registers", seed) for kind in kinds("blk") for seed in range(1, 6))
    assert campaign.totals.differences > 0
    kept = replay(campaign.totals.traces[0], QEMU_7_2)
    assert len(kept.differences) == 1
    assert kept.observations <= 2
    assert replay(campaign.totals.traces[0], other).differences == []
    assert any("make oracle LIVE=1" in line for line in notes.lines)


def test_a_target_that_dies_is_a_fault_and_the_others_still_run(tmp_path: Path) -> None:
    def opener(kind: Kind) -> AbstractContextManager[Target]:
        if kind.name == "rng":
            raise QemuError("it is gone")
        return opener_of(QEMU_7_2)(kind)

    notes = Notes()
    campaign = Campaign(opener, QEMU_7_2, tmp_path, notes)
    chosen = [Bout(kind, "registers", 1) for kind in (*kinds("rng"), *kinds("balloon"))]
    campaign.play(chosen)
    assert (campaign.totals.bouts, campaign.totals.faults, campaign.totals.differences) == (2, 1, 0)
    assert notes.lines == ["rng/registers_1: cannot be played: it is gone"]
