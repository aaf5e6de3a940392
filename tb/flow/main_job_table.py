"""The table at the end of the main job: what each stage did, and what all of it was scored with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tb.flow.display import print_table
from tb.flow.simulation import Outcome

COLUMNS = (
    "stage",
    "requests",
    "indirect",
    "in flight",
    "bytes",
    "kicks",
    "interrupts",
    "simulated ms",
)


def show_main_job(outcome: Outcome) -> None:
    """Print both tables, for a test that reports the main job's figures."""
    figures = outcome.counters.get("main_job")
    if not isinstance(figures, Mapping):
        return
    stages = list(figures.get("stages", []))
    print_table(f"{outcome.run.name}, seed {outcome.seed}", COLUMNS, [_row(stage) for stage in stages])
    print_table("", ("scored", "", ""), _scored(outcome, stages))


def _row(stage: Mapping[str, Any]) -> Sequence[object]:
    counts = ("requests", "indirect", "deepest", "bytes", "kicks", "interrupts")
    return (stage["name"], *(int(stage[name]) for name in counts), float(stage["time_ns"]) * 1e-6)


def _scored(outcome: Outcome, stages: Sequence[Mapping[str, Any]]) -> list[Sequence[object]]:
    """What, how much, and at which rate of wall time."""
    wall = outcome.wall_s
    moved = sum(int(stage["bytes"]) for stage in stages)

    def rate(count: float, unit: str) -> str:
        return f"{count / wall:,.4g} {unit}/s" if wall else ""

    return [
        ("accesses", outcome.count("accesses_scored"), ""),
        ("DMA packets", outcome.count("dma_scored"), rate(outcome.count("dma_scored"), "packets")),
        ("interrupt messages", outcome.count("interrupts_scored"), ""),
        ("mismatches", outcome.count("mismatches"), ""),
        ("bytes moved", moved, rate(moved / 1e6, "MB")),
        ("simulated ms", outcome.count("simulated_ns") * 1e-6, ""),
        ("wall s", wall, ""),
    ]
