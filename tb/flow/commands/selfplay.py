"""`make selfplay`: the golden model as the function behind packets, with every legal choice,
under the judge's eyes.

Without a lie there may be no verdict; with LIES=1 each bout holds one,
and the verdict on it must name its rule.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tb.flow.campaign import CORES
from tb.flow.display import Display, print_table, say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, require_writable, shown
from tb.flow.progress import Position
from tb.flow.results import forget, write_json
from tb.flow.variables import Variables
from tb.selfplay.bout import Order, Outcome
from tb.selfplay.campaign import Totals, campaign, honest, liars, until
from tb.selfplay.choices import CHOICES, KNOWN, UNKNOWN
from tb.selfplay.lie_table import LIES, UNTOLD
from tb.selfplay.profiles import UNKNOWN_FIELDS, VALUES
from tb.selfplay.shrinking import command, smallest

REPORT = "selfplay.json"
EVENTS = 1_000_000
_TRACE_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be played, read from the variables."""

    first: Order
    events: int
    lies: tuple[str, ...]


def run(variables: Variables) -> int:
    """0 only if nobody was accused falsely, and each lie was told."""
    started = time.monotonic()
    wanted = _wanted(variables)
    require_writable(RESULTS)
    forget(REPORT)
    with Display() as display, display.bar("selfplay", wanted.events) as bar:
        orders = liars(wanted.first, wanted.lies) if wanted.lies else honest(wanted.first)

        def progress(totals: Totals) -> None:
            bar.show(
                Position(min(totals.events, wanted.events), wanted.events, f"{totals.verdicts} verdicts")
            )

        totals = campaign(orders, until(wanted.events), variables.jobs or CORES, progress)
    for alarm in totals.alarms[:1]:
        _explain(alarm)
    wall_s = time.monotonic() - started
    write_json(RESULTS / REPORT, _report(wanted, totals, wall_s))
    if wanted.lies:
        _say_lies(totals)
    say(
        f"selfplay: {totals.bouts} bouts from seed {wanted.first.seed}, {totals.events:,} events, "
        f"{totals.verdicts} verdicts that no lie explains"
        + (f", {totals.told} of {totals.lied} lies told" if wanted.lies else "")
        + f", {wall_s:.1f} s ({totals.events / wall_s:,.0f} events/s)"
    )
    say(f"results: {shown(RESULTS / REPORT)}")
    return 1 if totals.alarms or set(totals.untold) - UNTOLD else 0


def _wanted(variables: Variables) -> Wanted:
    choices = _named("CHOICES", variables.choices, KNOWN, (*CHOICES, *UNKNOWN_FIELDS))
    lie = variables.lie
    if lie is not None and lie not in LIES:
        raise FlowError(f"LIE={lie} is none of {', '.join(LIES)}.")
    lies = (lie,) if lie is not None else tuple(LIES) if variables.lies else ()
    return Wanted(Order(variables.seed, choices, steps=variables.steps), variables.events or EVENTS, lies)


def _named(name: str, text: str | None, default: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The choices that a variable names; `+name` adds to those taken without it, `all` is every one."""
    if text is None:
        return default
    if text == "all":
        return known
    words = [word for word in text.split(",") if word and word != "none"]
    for word in words:
        if word.lstrip("+") not in known:
            raise FlowError(f"{name}={text}: {word} is none of {', '.join(known)}.")
    added = tuple(word[1:] for word in words if word.startswith("+"))
    return (*default, *added) if added else tuple(words)


def _explain(alarm: Outcome) -> None:
    """What went wrong, as small as it gets, and how to see it again."""
    say(f"seed {alarm.order.seed}: {_first(alarm)}")
    small = smallest(alarm)
    for line in small.trace[-_TRACE_SHOWN:]:
        say(f"  {line}")
    say(f"  {_first(small)}")
    say(f"again: {command(small.order)}")


def _first(outcome: Outcome) -> str:
    if outcome.crash:
        return f"the judge or the player broke:\n{outcome.crash}"
    return str(outcome.false_alarms[0])


def _say_lies(totals: Totals) -> None:
    rows = []
    for name in totals.untold:
        tally = totals.lies[name]
        seen, again = "no opportunity", ""
        if tally.example is not None:
            after = tally.example.verdicts[tally.example.at_lie :]
            seen = after[0].rule if after else "no verdict"
            again = command(tally.example.order)
        rows.append((name, LIES[name].rules, f"{tally.told}/{tally.lied}", seen, again))
    if rows:
        print_table("lies not told", ("lie", "rules", "told", "instead", "again"), rows)


def _report(wanted: Wanted, totals: Totals, wall_s: float) -> dict[str, Any]:
    return {
        "seed": wanted.first.seed,
        "bouts": totals.bouts,
        "events": totals.events,
        "verdicts": totals.verdicts,
        "alarms": [{"seed": one.order.seed, "first": _first(one)} for one in totals.alarms],
        "kinds_of_lies": len(totals.lies),
        "lies": totals.lied,
        "told": totals.told,
        "untold": totals.untold,
        "untried": totals.untried,
        "choices_off": {name: CHOICES[name].accused_by for name in UNKNOWN},
        "values_off": {name: [str(value) for value in VALUES[name].unknown] for name in UNKNOWN_FIELDS},
        "events_per_s": round(totals.events / wall_s, 1),
        "wall_s": round(wall_s, 3),
    }
