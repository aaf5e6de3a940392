"""`make mutants`: small changes of the RTL, each of which some test must notice.

N are drawn by SEED over all of `rtl/` (or the files that FILE names), planted in one copy and turned on one
at a time; PAIRS=1 turns on two at once, SEU=1 flips bits of registers instead. What nothing notices is told
with its difference, unless `tests/mutants/excused.toml` says why nothing can. MUTANT=name tries one again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tb.flow.campaign import CORES
from tb.flow.display import Display, complain, print_table, say
from tb.flow.errors import FlowError
from tb.flow.mutant_copies import all_mutants, drawn, invalid_mutants, named, plant_mutants, plant_probes
from tb.flow.mutant_hunt import Fate, Hunt, stages
from tb.flow.mutant_report import Report
from tb.flow.mutant_runs import MUTANTS
from tb.flow.paths import RESULTS, ROOT, require_writable, shown
from tb.flow.plan import Plan, Run, load_plan
from tb.flow.process import run_until_complete
from tb.flow.results import forget, write_json
from tb.flow.upset_hunt import hunt_upsets, upset_table
from tb.flow.variables import Variables
from tb.mutation.excuses import ExcuseError, Excuses, read_excuses
from tb.mutation.mutant import Mutant

EXCUSED = ROOT / "tests" / "mutants" / "excused.toml"
REPORT = "mutants.json"
UPSET_REPORT = "upsets.json"
# The tests play with the same seeds always, whatever is drawn: what they notice must not depend on luck.
TEST_SEED = 1


def run(variables: Variables) -> int:
    """0 only if nothing survived and every excuse holds."""
    plan = load_plan()
    if variables.upsets:
        return run_upsets(plan, variables)
    every = all_mutants()
    excuses = excuses_of(every)
    require_writable(MUTANTS)
    require_writable(RESULTS)
    forget(REPORT)
    chosen = (
        [named(every, variables.mutant)]
        if variables.mutant
        else drawn(every, variables.count, variables.seed, variables.file)
    )
    jobs = variables.jobs or CORES
    report = hunt(chosen, stages(plan, variables.test, variables.config), jobs, variables, excuses, every)
    tell(report)
    return 0 if report.holds else 1


def excuses_of(every: Sequence[Mutant]) -> Excuses:
    """The excuses. Raises FlowError for a file that is wrong."""
    try:
        return read_excuses(EXCUSED)
    except ExcuseError as error:
        raise FlowError(str(error)) from None


def hunt(
    chosen: Sequence[Mutant],
    by_stage: Sequence[Sequence[Run]],
    jobs: int,
    variables: Variables,
    excuses: Excuses,
    every: Sequence[Mutant],
) -> Report:
    """Plant, and hunt on one configuration after the other."""
    folder = MUTANTS / ("one" if variables.mutant else "drawn")
    planted = plant_mutants(chosen, folder / "planted")
    invalid = invalid_mutants(planted)
    valid = [one for one in chosen if one not in invalid]
    fates = [Fate(target) for target in (pairs(valid, variables.seed) if variables.pairs else singles(valid))]
    # Of one mutant the tests themselves tell sooner which of them reach it.
    probing = None if variables.mutant else plant_probes(chosen, folder / "probing")
    for fate in fates:
        fate.excused = all(excuses.reason(one) for one in fate.target)
    hunter = Hunt(fates, planted, probing, jobs=jobs, seed=TEST_SEED, minutes=variables.minutes)
    say(f"{len(every):,} mutants of rtl/, {len(chosen)} drawn, {len(invalid)} of them no valid design")
    with Display() as display:
        for runs in by_stage:
            run_until_complete(hunter.stage(runs, display))
    return Report(fates, invalid, excuses, every)


def singles(mutants: Sequence[Mutant]) -> list[tuple[Mutant, ...]]:
    """Each alone."""
    return [(one,) for one in mutants]


def pairs(mutants: Sequence[Mutant], seed: int) -> list[tuple[Mutant, ...]]:
    """Two at once: as many pairs as mutants halved, none within the other's text."""
    mixed = list(mutants)
    random.Random(seed).shuffle(mixed)
    found = zip(mixed[::2], mixed[1::2], strict=False)
    return [(one, other) for one, other in found if apart(one, other)]


def apart(one: Mutant, other: Mutant) -> bool:
    """Whether two mutants do not touch: a choice within the other would hide it."""
    return one.file != other.file or one.span[1] <= other.span[0] or other.span[1] <= one.span[0]


def run_upsets(plan: Plan, variables: Variables) -> int:
    """Flip bits. 0 unless a test failed and no verdict said why: the RTL is not at fault for the rest."""
    require_writable(MUTANTS)
    forget(UPSET_REPORT)
    jobs = variables.jobs or CORES
    with Display() as display:
        work = hunt_upsets(plan, variables.count, variables.seed, variables.file, jobs, display)
        table = upset_table(run_until_complete(work))
    write_json(RESULTS / UPSET_REPORT, table)
    say(
        f"{table['upsets']} upsets: {table['masked']} masked, {table['verdict']} with a verdict, "
        f"{table['hang']} hung, {table['unjudged']} failed without a verdict"
    )
    say(f"results: {shown(RESULTS / UPSET_REPORT)}")
    return 1 if table["unjudged"] else 0


def tell(report: Report) -> None:
    """The table by file, the results file, and what is left to do."""
    table = report.table()
    rows = [(file, *counts.values()) for file, counts in table["by_file"].items()]
    print_table("mutants", ("file", "invalid", "killed", "excused", "survived"), rows)
    write_json(RESULTS / REPORT, table)
    for text in report.complaints():
        complain(text)
    say(
        f"{table['generated']} mutants: {table['invalid']} invalid, {table['killed']} killed, "
        f"{table['excused']} excused, {table['survived']} survived; score {100 * report.score:.1f} %"
    )
    say(f"results: {shown(RESULTS / REPORT)}")
