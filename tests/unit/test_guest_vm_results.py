"""The result files of a guest's run, and the command that does it again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tb.flow.commands.guest import request_of
from tb.flow.errors import FlowError
from tb.flow.variables import Variables
from tb.guest_vm.boot import write_results
from tb.guest_vm.linux_script import read_log
from tb.guest_vm.qemu import Guest, Machine, command
from tb.guest_vm.report import Outcome
from tb.guest_vm.runner import Request
from tb.guest_vm.server_options import ServerResults
from tb.guest_vm.supervisor import GuestRun

RUN = GuestRun("", read_log("VPCI step bind 1.5\nVPCI done\n"), 6.0, 2.5)
SCORES = ServerResults(accesses_scored=500, dma_scored=7000, interrupts_scored=90)


def written(folder: Path, *troubles: str) -> tuple[dict[str, object], ElementTree.Element]:
    request = Request(folder, seed=3)
    write_results(request, Outcome(request.title, RUN, SCORES, troubles, folder), 9.0, folder)
    summary = json.loads((folder / "summary.json").read_text())
    return summary, ElementTree.parse(folder / "results.xml").getroot()


def test_a_run_that_passed(tmp_path: Path) -> None:
    summary, junit = written(tmp_path)
    expected = {
        "command": "guest",
        "tests": 1,
        "passed": 1,
        "failed": 0,
        "seed": 3,
        "accesses_scored": 500,
        "dma_scored": 7000,
        "interrupts_scored": 90,
        "mismatches": 0,
        "wall_s": 9.0,
    }
    assert expected.items() <= summary.items()
    assert junit.findall(".//failure") == []


def test_a_run_that_failed_says_why_and_how_to_do_it_again(tmp_path: Path) -> None:
    summary, junit = written(tmp_path, "the guest panicked:\x1b[0m", "and more")
    assert (summary["passed"], summary["failed"]) == (0, 1)
    (failure,) = junit.findall(".//failure")
    assert failure.get("message") == "the guest panicked:[0m"
    assert "again: make guest GUEST=linux INTR=function TARGET=rtl SEED=3" in (failure.text or "")


def test_the_command_names_what_is_not_usual() -> None:
    request = Request(Path("x"), machine=Machine("q35", 2), kernel="bookworm", waves=True, bug="isr")
    assert request.title.endswith("SEED=1 KERNEL=bookworm MACHINE=q35 SMP=2 WAVES=1 BUG=isr")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (Variables(guest="windows"), "windows"),
        (Variables(interrupts="msi"), "INTR"),
        (Variables(kernel="7.2"), "trixie-backports"),
        (Variables(machine="microvm"), "q35"),
        (Variables(bug="none such"), "BUG"),
    ],
)
def test_a_value_that_there_is_not_is_refused(variables: Variables, sentence: str) -> None:
    with pytest.raises(FlowError, match=sentence):
        request_of(variables)


def test_the_machine_shares_its_memory_unless_told_otherwise(tmp_path: Path) -> None:
    from tb.guest_vm.provision import Provision

    (tmp_path / "tools/usr/bin").mkdir(parents=True)
    (tmp_path / "tools/usr/bin/qemu-system-x86_64").touch()
    usual = Machine("q35", 2, 512)
    line = " ".join(command(Provision(tmp_path), Guest(), [], usual))
    assert "-M q35,memory-backend=ram" in line
    assert "memory-backend-memfd,id=ram,size=512M,share=on" in line
    assert "memory-backend" not in " ".join(
        command(Provision(tmp_path), Guest(), [], replace(usual, shared=False))
    )
