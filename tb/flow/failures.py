"""What a failed run says: why, the judge's first verdicts, the log, and the command that does it again."""

from __future__ import annotations

from collections.abc import Sequence

from tb.flow.display import complain
from tb.flow.paths import shown
from tb.flow.results import reproduce
from tb.flow.simulation import LOG, Outcome

VERDICTS_SHOWN = 5


def tell(outcome: Outcome, extra: str = "") -> None:
    """Print one failure; `extra` is what the reproducing command needs beside its test and seed."""
    complain(f"FAILED {outcome.run.name} seed {outcome.seed}: {outcome.message}")
    for verdict in outcome.verdicts[:VERDICTS_SHOWN]:
        complain(f"  {verdict}")
    if len(outcome.verdicts) > VERDICTS_SHOWN:
        complain(f"  and {len(outcome.verdicts) - VERDICTS_SHOWN} more")
    complain(f"  log:   {shown(outcome.folder / LOG)}")
    complain(f"  again: {reproduce(outcome, extra)}")


def tell_all(outcomes: Sequence[Outcome], extra: str = "") -> int:
    """Print every failure; returns the exit status, 0 if there is none."""
    failed = [one for one in outcomes if not one.passed]
    for one in failed:
        tell(one, extra)
    return 1 if failed else 0
