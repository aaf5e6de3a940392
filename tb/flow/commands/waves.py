"""`make waves TEST= SEED=`: one test with a dump, and a GTKWave save file for it."""

from __future__ import annotations

from tb.flow.build import Use
from tb.flow.campaign import Job, run_all
from tb.flow.display import Display, say
from tb.flow.errors import FlowError
from tb.flow.failures import tell
from tb.flow.gtkwave import save_file
from tb.flow.hostile import function_of
from tb.flow.paths import SIM_BUILD, require_writable, shown, write_atomically
from tb.flow.plan import load_plan
from tb.flow.process import run_until_complete
from tb.flow.variables import Variables

WAVES = SIM_BUILD / "waves"


def run(variables: Variables) -> int:
    """Run the one test that the variables select; the dump is kept whether it passes or not."""
    if variables.test is None:
        raise FlowError("name the test to record: make waves TEST=... (a wrong name lists the known ones).")
    plan = load_plan(dut=function_of(variables.hostile, variables.dut))
    runs = plan.runs(variables.test, variables.device, variables.config)
    require_writable(WAVES)
    chosen = runs[0]
    folder = WAVES / f"{chosen.name}-{variables.seed}"
    job = Job(
        chosen,
        variables.seed,
        folder,
        Use.WAVES,
        variables.disk,
        variables.bytes_limit,
        variables.verdicts,
        hostile=variables.hostile,
    )
    if len(runs) > 1:
        say(f"{len(runs)} runs match; recording {chosen.name} (choose with TEST=, CONFIG=)")
    with Display() as display:
        (outcome,) = run_until_complete(run_all([job], 1, display))
    dump = folder / job.recipe.dump_name
    if not dump.is_file():
        tell(outcome)
        raise FlowError(f"the simulation left no dump in {shown(folder)}.")
    view = folder / "view.gtkw"
    data_width = job.recipe.description.facts(chosen.configuration.parameters).data_width
    write_atomically(view, save_file(dump, view, data_width))
    say(
        f"{'passed' if outcome.passed else 'FAILED'}: {chosen.name} seed {variables.seed}, "
        f"dump of {dump.stat().st_size:,} bytes"
    )
    say(f"look:   gtkwave {shown(view)}")
    if not outcome.passed:
        tell(outcome)
    return 0 if outcome.passed else 1
