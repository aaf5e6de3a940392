"""`make oracle`: the golden model against recorded traces of QEMU, or, with LIVE=1, against QEMU itself."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager

from tb.flow.display import Bar, Display, say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, require_writable, shown
from tb.flow.progress import Position
from tb.flow.variables import Variables
from tb.models.profile import Profile, ProfileError, load_profile
from tb.oracle.__main__ import main
from tb.oracle.live.bouts import bouts, kinds
from tb.oracle.live.campaign import Campaign, Totals
from tb.oracle.live.duel import Opener, Target
from tb.oracle.live.kinds import KINDS, VERSION, Kind
from tb.oracle.live.process import QemuError, find_program, version
from tb.oracle.live.target import QemuTarget

LIVE_TRACES = RESULTS / "live"


def run(variables: Variables) -> int:
    """Exit status of the oracle: 0 only without a difference."""
    if variables.live:
        return run_live(variables)
    arguments = [] if variables.profile is None else ["--profile", variables.profile]
    if variables.traces is not None:
        arguments.append(str(variables.traces))
    return main(arguments)


def run_live(variables: Variables) -> int:
    """Play seeds SEED to SEED + SEEDS - 1 on QEMU and on the model. Raises FlowError without QEMU."""
    started = time.monotonic()
    if not kinds(variables.device):
        known = ", ".join(dict.fromkeys(name for kind in KINDS for name in (kind.name, kind.role)))
        raise FlowError(f"DEVICE={variables.device} is none of {known}.")
    try:
        program = find_program()
        profile = load_profile(variables.profile or "QEMU_7_2")
        qemu = version(program)
    except (QemuError, ProfileError) as error:
        raise FlowError(str(error)) from None
    require_writable(RESULTS)
    shutil.rmtree(LIVE_TRACES, ignore_errors=True)
    if not qemu.startswith(VERSION):
        say(f"note: this is QEMU {qemu}; the profile QEMU_7_2 describes {VERSION}")

    def opener(kind: Kind) -> AbstractContextManager[Target]:
        return QemuTarget(program, kind)

    totals = _play(variables, opener, profile)
    if totals.traces:
        say(f"differences are kept as traces: make oracle TRACES={shown(LIVE_TRACES)}")
    if totals.faults:
        say(f"{totals.faults} of {totals.bouts} runs could not be played")
    say(
        f"oracle: {totals.bouts} live runs on QEMU {qemu}, seeds {variables.seed} to "
        f"{variables.seed + variables.seeds - 1}, {totals.observations} observations, "
        f"{totals.differences} differences, {time.monotonic() - started:.1f} s"
    )
    return 1 if totals.differences or totals.faults else 0


def _play(variables: Variables, opener: Opener, profile: Profile) -> Totals:
    """All seeds, with a bar; a line stays for each seed."""
    total = variables.seeds * sum(1 for _ in bouts(variables.seed, variables.device))
    with Display() as display, display.bar("live QEMU", total) as bar:
        campaign = Campaign(opener, profile, LIVE_TRACES, _Reporter(display, bar, total))
        totals = campaign.totals
        for seed in range(variables.seed, variables.seed + variables.seeds):
            before = (totals.bouts, totals.observations, totals.differences)
            campaign.play(bouts(seed, variables.device))
            after = (totals.bouts, totals.observations, totals.differences)
            runs, observations, differences = (b - a for a, b in zip(before, after, strict=True))
            display.say(f"seed {seed}: {runs} runs, {observations} observations, {differences} differences")
    return totals


class _Reporter:
    """Tells of a campaign on the display."""

    def __init__(self, display: Display, bar: Bar, total: int) -> None:
        self._display = display
        self._bar = bar
        self._total = total

    def say(self, text: str) -> None:
        self._display.say(text)

    def advance(self, done: int, what: str) -> None:
        self._bar.show(Position(done, self._total, what))
