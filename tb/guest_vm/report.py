"""The table at the end of a guest's run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tb.guest_vm.server_options import ServerResults
from tb.guest_vm.supervisor import GuestRun

_WIDTH = 30


@dataclass(slots=True, frozen=True)
class Outcome:
    """One run: what the guest did, what the function saw, and everything that is not as it should be."""

    title: str
    run: GuestRun
    results: ServerResults | None
    troubles: tuple[str, ...]
    folder: Path
    reference: GuestRun | None = None

    @property
    def passed(self) -> bool:
        return not self.troubles

    @property
    def reproduce(self) -> str:
        """The command that does this run again."""
        return f"make guest {self.title}"


def table(outcome: Outcome) -> str:
    """The report, ready to print."""
    rows = _guest_rows(outcome)
    if outcome.results is not None:
        rows += _function_rows(outcome.results)
    width = max(len(name) for name, _ in rows) if rows else _WIDTH
    lines = [outcome.title, "-" * len(outcome.title)]
    lines += [f"{name:<{width}}  {value}" for name, value in rows]
    if outcome.results is not None and outcome.results.accesses:
        lines += ["", *_access_lines(outcome.results)]
    lines += ["", f"Logs: {outcome.folder}"]
    lines += [f"Waves: {dump}" for dump in sorted(outcome.folder.glob("dump.*"))]
    if outcome.results is not None:
        lines += [f"Verdict: {text}" for text in outcome.results.verdicts[:10]]
    lines += [f"FAILED: {trouble}" for trouble in outcome.troubles] or ["passed"]
    if outcome.troubles:
        lines.append(f"Reproduce: {outcome.reproduce}")
    return "\n".join(lines)


def _guest_rows(outcome: Outcome) -> list[tuple[str, str]]:
    run = outcome.run
    booted = f"{run.first_word_s:.1f} s" if run.first_word_s is not None else "never"
    rows = [("power-on to the guest's script", booted), ("power-on to power-off", f"{run.wall_s:.1f} s")]
    if outcome.reference is not None:
        theirs = outcome.reference.wall_s
        rows.append(("the same with QEMU's own disk", f"{theirs:.1f} s (ratio {run.wall_s / theirs:.1f})"))
    steps = list(run.log.steps.items())
    if len(steps) > 1:
        spans = [f"{name} {after - at:.1f} s" for (name, at), (_, after) in pairwise(steps)]
        rows.append(("steps", ", ".join(spans)))
    return rows


def _function_rows(results: ServerResults) -> list[tuple[str, str]]:
    interrupts = {name: count for name, count in results.interrupts.items() if count}
    rows = [
        ("disk requests", _listed(results.requests)),
        ("disk bytes", _listed(results.bytes)),
        ("interrupts", _listed(interrupts) or "none"),
    ]
    if results.clocks:
        rows += [
            (
                "scored",
                f"{results.accesses_scored} accesses, {results.dma_scored} DMA, "
                f"{results.interrupts_scored} interrupts",
            ),
            ("mismatches", str(results.mismatches)),
            ("simulated clocks", f"{results.clocks:,}"),
        ]
    return rows


def _access_lines(results: ServerResults) -> list[str]:
    """Reads and writes by register."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for space, register, verb, count in results.accesses:
        counts.setdefault((space, register), {})[verb] = count
    lines = [f"{'accesses':<8}{'':<28}{'reads':>8}{'writes':>8}"]
    for (space, register), verbs in counts.items():
        lines.append(f"{space:<8}{register:<28}{verbs.get('read', 0):>8}{verbs.get('write', 0):>8}")
    totals = [
        sum(count for *_, verb, count in results.accesses if verb == name) for name in ("read", "write")
    ]
    lines.append(f"{'total':<36}{totals[0]:>8}{totals[1]:>8}")
    return lines


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
