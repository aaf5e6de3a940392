"""Makes a failing bout small: fewer choices, then fewer steps; and says how to see it again."""

from __future__ import annotations

from dataclasses import replace

from tb.oracle.live.shrink import shrink
from tb.selfplay.bout import Order, Outcome
from tb.selfplay.campaign import play_safely
from tb.selfplay.choices import KNOWN

LIMIT_S = 10.0


def rule_of(outcome: Outcome) -> str:
    """What went wrong first: a rule, the last line of a traceback, or nothing."""
    if outcome.crash:
        return outcome.crash.splitlines()[-1]
    wrong = outcome.false_alarms
    return wrong[0].rule if wrong else ""


def smallest(outcome: Outcome, limit_s: float = LIMIT_S) -> Outcome:
    """The outcome of the smallest order found that still gives a verdict of the same rule."""
    rule = rule_of(outcome)
    order = outcome.order

    def fails(tried: Order) -> bool:
        return rule_of(play_safely(tried)) == rule

    choices = shrink(
        outcome.taken or order.choices,
        lambda kept: fails(replace(order, choices=tuple(kept))),
        limit_s=limit_s / 2,
    )
    order = replace(order, choices=tuple(choices))
    steps = order.steps if order.steps is not None else tuple(range(outcome.steps))
    kept = shrink(steps, lambda few: fails(replace(order, steps=tuple(few))), limit_s=limit_s / 2)
    small = play_safely(replace(order, steps=tuple(kept)))
    return small if rule_of(small) == rule else outcome


def command(order: Order) -> str:
    """The command that plays exactly this order."""
    words = [f"make selfplay SEED={order.seed} EVENTS=1"]
    if order.lie:
        words.append(f"LIE={order.lie}")
    if order.choices != KNOWN:
        words.append(f"CHOICES={','.join(order.choices) or 'none'}")
    if order.steps is not None:
        words.append(f"STEPS={ranges(order.steps)}")
    return " ".join(words)


def ranges(numbers: tuple[int, ...]) -> str:
    """Numbers in short: 0-3,7; `none` for none."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts) or "none"
