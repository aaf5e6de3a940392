"""What a hunt for mutants tells: figures, survivors with their difference, excuses that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tb.flow.mutant_hunt import Fate
from tb.mutation.excuses import Excuses
from tb.mutation.mutant import Mutant

HELD_SHOWN = 6


class Report:
    """The outcome of a hunt for single mutants or pairs."""

    def __init__(
        self, fates: Sequence[Fate], invalid: Mapping[Mutant, str], excuses: Excuses, every: Sequence[Mutant]
    ) -> None:
        self.fates = fates
        self.invalid = invalid
        self.killed = [one for one in fates if one.kill]
        alive = [one for one in fates if not one.kill]
        self.excused = [one for one in alive if _reason(one, excuses)]
        self.survived = [one for one in alive if not _reason(one, excuses)]
        self.void = excuses.void(every)
        self.wrong = [one for one in self.killed if len(one.target) == 1 and _reason(one, excuses)]

    @property
    def generated(self) -> int:
        """All that were drawn."""
        return len(self.fates) + len(self.invalid)

    @property
    def score(self) -> float:
        """Killed, of those that are valid and not excused."""
        counted = self.generated - len(self.invalid) - len(self.excused)
        return len(self.killed) / counted if counted else 1.0

    @property
    def holds(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.survived or self.void or self.wrong)

    def table(self) -> dict[str, Any]:
        """The content of the results file."""
        return {
            "generated": self.generated,
            "invalid": len(self.invalid),
            "killed": len(self.killed),
            "excused": len(self.excused),
            "survived": len(self.survived),
            "score": round(self.score, 4),
            "by_file": self._by_file(),
            "survivors": [_entry(one) for one in self.survived],
            "excused_mutants": [one.name for one in self.excused],
            "invalid_mutants": {one.name: why for one, why in self.invalid.items()},
            "kills": {one.name: [one.kill.run, one.kill.told] for one in self.killed if one.kill},
        }

    def _by_file(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = {}
        groups = (("killed", self.killed), ("excused", self.excused), ("survived", self.survived))
        for group, fates in groups:
            for one in fates:
                counts.setdefault(one.target[0].file, Counter())[group] += 1
        for mutant in self.invalid:
            counts.setdefault(mutant.file, Counter())["invalid"] += 1
        names = ("invalid", "killed", "excused", "survived")
        return {file: {name: counts[file][name] for name in names} for file in sorted(counts)}

    def complaints(self) -> list[str]:
        """A text for each thing that is left to do, with the command that shows it again."""
        texts = [survivor(one) for one in self.survived]
        texts += [
            f"EXCUSE VOID {one.file}: no mutant `{one.change}` in the line `{one.source}`: it has changed, "
            f"so look again."
            for one in self.void
        ]
        texts += [
            f"EXCUSE WRONG {one.name} is excused, and {one.kill.run} tells it: {one.kill.told}"
            for one in self.wrong
            if one.kill
        ]
        return texts


def survivor(fate: Fate) -> str:
    """One survivor: its difference, what reached it, and the command that shows it again."""
    reached = ", ".join(fate.held[:HELD_SHOWN]) + (", ..." if len(fate.held) > HELD_SHOWN else "")
    unfinished = f"; no time for {len(fate.left)} more" if fate.left else ""
    seen = f"reached by {len(fate.held)} tests ({reached})" if fate.held else "no test makes it differ"
    again = f"\n  again: make mutants MUTANT={fate.target[0].name}" if len(fate.target) == 1 else ""
    return f"SURVIVED {fate.name}: {seen}{unfinished}\n  {fate.difference}{again}"


def _reason(fate: Fate, excuses: Excuses) -> str:
    """Why a fate is excused: two mutants at once are where both are."""
    reasons = [excuses.reason(one) for one in fate.target]
    return "; ".join(reasons) if all(reasons) else ""


def _entry(fate: Fate) -> dict[str, Any]:
    return {
        "mutant": fate.name,
        "mutants": [
            {"file": one.file, "line": one.line, "source": one.source, "change": one.change}
            for one in fate.target
        ],
        "held": fate.held,
        "left": fate.left,
    }
