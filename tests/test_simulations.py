"""Every simulation test of the plan, once on each of its configurations, as a pytest test.

The simulator runs in processes of its own; what is asserted here is the outcome that `make sim` shows too.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tb.flow.campaign import Job, build_all, run_job
from tb.flow.commands.test import DUT_VARIABLE, SEED_VARIABLE, TEST_RUNS
from tb.flow.display import Display
from tb.flow.plan import Run, load_plan
from tb.flow.process import run_until_complete
from tb.flow.results import reproduce
from tb.flow.simulation import Outcome

SEED = int(os.environ.get(SEED_VARIABLE, "1"))
DUT = os.environ.get(DUT_VARIABLE)
RUNS = load_plan(dut=Path(DUT) if DUT else None).runs()


@pytest.mark.parametrize("run", RUNS, ids=[run.name for run in RUNS])
def test_simulation(run: Run) -> None:
    """The test runs, ends, and nothing it scored was wrong."""
    if run.lacks:
        pytest.skip(f"the function lacks {run.lacks}")
    outcome = run_until_complete(build_and_run(Job(run, SEED, TEST_RUNS / run.name)))
    assert outcome.passed, "\n".join((outcome.message, *outcome.verdicts[:5], reproduce(outcome)))


async def build_and_run(job: Job) -> Outcome:
    """The build is shared: the first to need it makes it, others wait."""
    with Display() as display:
        await build_all([job.recipe], display)
        return await run_job(job, display)
