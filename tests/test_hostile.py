"""Functions that misbehave on purpose: each run ends by itself, soon, in little memory, and names the deed.

The time that counts is the processor's, so that a busy machine fails nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tb.flow.campaign import Job, build_all, run_job
from tb.flow.commands.test import TEST_RUNS
from tb.flow.display import Display
from tb.flow.hostile import FOLDER, Hostile, fault_of, hostile_plan, job_of, read_kinds
from tb.flow.process import run_until_complete
from tb.flow.simulation import Outcome

SEED = 1
KINDS = read_kinds()
PLAN = hostile_plan()
RUNS = TEST_RUNS.parent / "hostile_test"


def test_the_table_has_every_kind_of_the_function() -> None:
    text = (FOLDER / "hostile_pkg.sv").read_text(encoding="utf-8")
    names = re.findall(r"^    (\w+),?$", text.partition("enum int {")[2].partition("}")[0], re.MULTILINE)
    assert set(names) == {kind.name for kind in KINDS} | {"good"}


def test_without_a_kind_it_does_nothing_wrong() -> None:
    outcome = play(replace(job_of(KINDS[0], PLAN, SEED, RUNS), hostile="", folder=RUNS / "good"))
    assert outcome.passed, outcome.message


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_it_is_named_and_the_run_ends(kind: Hostile) -> None:
    outcome = play(job_of(kind, PLAN, SEED, RUNS))
    fault = fault_of(kind, outcome)
    assert not fault, f"{fault}\nagain: make hostile KIND={kind.name} SEED={SEED}"


def play(job: Job) -> Outcome:
    """Build, which is done once for all, and run."""

    async def work() -> Outcome:
        with Display() as display:
            await build_all([job.recipe], display)
            return await run_job(job, display)

    return run_until_complete(work())
