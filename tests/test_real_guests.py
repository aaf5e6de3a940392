"""One short boot of a real guest against each target, on machines where the guest is provisioned already."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.guest_vm.provision import Provision
from tb.guest_vm.report import table
from tb.guest_vm.rtl_server import rtl_server
from tb.guest_vm.runner import ROOT, Request, ServerMaker, model_server, run
from tb.guest_vm.supervisor import Limits

PROVISIONED = ROOT / "sim_build" / "guest"


def boots(folder: Path, target: str, server: ServerMaker) -> None:
    request = Request(folder, "seabios", target, compare=False, limits=Limits(run_s=120.0, silence_s=60.0))
    outcome = run(request, server)
    assert outcome.passed, table(outcome)


@pytest.mark.skipif(
    not Provision(PROVISIONED).complete, reason="no guest is provisioned: make guest does that once"
)
class TestBios:
    """The BIOS boots a boot sector from the function and lets it read and write sectors."""

    def test_boots_from_the_model(self, tmp_path: Path) -> None:
        boots(tmp_path / "run", "model", model_server)

    def test_boots_from_the_rtl(self, tmp_path: Path) -> None:
        boots(tmp_path / "run", "rtl", rtl_server())
