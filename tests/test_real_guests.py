"""The server around the RTL, and one short boot against each target where a guest is provisioned already."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tb.guest_vm.processes import Child
from tb.guest_vm.provision import Provision
from tb.guest_vm.qemu import Machine
from tb.guest_vm.report import table
from tb.guest_vm.rtl_server import rtl_server
from tb.guest_vm.runner import ROOT, Request, ServerMaker, model_server, run
from tb.guest_vm.server_options import ServerOptions, ServerResults
from tb.guest_vm.supervisor import Limits
from tb.vfio_user.protocol import HEADER_SIZE, Command, Header, Region

PROVISIONED = ROOT / "sim_build" / "guest"
USUAL = Machine()


def boots(folder: Path, target: str, server: ServerMaker, machine: Machine = USUAL) -> None:
    limits = Limits(run_s=120.0, silence_s=60.0)
    request = Request(folder, "seabios", target, compare=False, machine=machine, limits=limits)
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

    def test_boots_with_every_dma_a_message(self, tmp_path: Path) -> None:
        boots(tmp_path / "run", "rtl", rtl_server(), Machine(shared=False))


class TestServer:
    """The simulation as a server, with a client made of a socket: no guest is needed."""

    def test_uses_no_processor_while_the_client_says_nothing(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk.img"
        disk.write_bytes(bytes(4096))
        results = tmp_path / "function.json"
        options = ServerOptions(
            str(tmp_path / "sock"), str(disk), str(results), str(tmp_path / "accesses.log")
        )
        with Child(rtl_server()(options, tmp_path)) as server:
            with connected(options.socket, server) as client:
                assert read_id(client) == 0x1001_1AF4
                time.sleep(0.3)  # the pins come to rest
                before = processor_s(server.pid)
                time.sleep(1.5)
                assert processor_s(server.pid) - before <= 0.05
                assert read_id(client) == 0x1001_1AF4
            assert server.wait(20) == 0
        found = ServerResults.load(results)
        assert found is not None
        assert (found.mismatches, found.client_left) == (0, True)


def connected(path: str, server: Child) -> socket.socket:
    """A connection to the server, once it listens."""
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        assert server.status is None, server.end_sentence()
        assert time.monotonic() < deadline, "the simulation does not listen"
        time.sleep(0.02)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(path)
    return client


def read_id(client: socket.socket) -> int:
    """Vendor and device id, read from configuration space."""
    body = struct.pack("<QII", 0, Region.CONFIG, 4)
    client.sendall(Header(1, Command.REGION_READ, HEADER_SIZE + len(body), 0).pack() + body)
    reply = b""
    while len(reply) < HEADER_SIZE + len(body) + 4:
        reply += client.recv(4096)
    return int.from_bytes(reply[-4:], "little")


def processor_s(process: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
