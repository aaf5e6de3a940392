"""`dut.toml`: what it gives, what it refuses by name, and the module made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.dut.adapter import adapter_text
from tb.dut.description import read_description
from tb.dut.table import DutError
from tb.flow.paths import OWN_DUT

FOREIGN = """
name = "FOREIGN"
[sources]
lists = ["src/files.f"]
defines = ["FAST=1"]
[top]
module = "my_virtio"
[top.parameters]
W = 128
DEPTH = 16
[clock]
port = "aclk"
period_ns = 4
[reset]
port = "areset"
active = "high"
[boundary]
data_width = { parameter = "W" }
[boundary.signals]
rx_req_valid = "s_valid"
rx_req_ready = "s_ready"
rx_req_hdr = "s_hdr"
rx_req_data = "s_data"
rx_req_last = "s_last"
tx_cpl_valid = "m_valid"
tx_cpl_ready = "m_ready"
tx_cpl_hdr = "m_hdr"
tx_cpl_data = "m_data"
tx_cpl_last = "m_last"
[device]
queue_size = { parameter = "DEPTH" }
[profile]
max_segments = { parameter = "DEPTH", plus = 2 }
[configuration.deep]
DEPTH = 64
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src" / "inc").mkdir(parents=True)
    (tmp_path / "src" / "my.v").write_text("module my_virtio; endmodule\n", encoding="utf-8")
    (tmp_path / "src" / "more.f").write_text("my.v\n", encoding="utf-8")
    lines = "// a comment\n+incdir+inc +define+WIDE\n-f more.f\n"
    (tmp_path / "src" / "files.f").write_text(lines, encoding="utf-8")
    return tmp_path


def _read(folder: Path, *changes: tuple[str, str]) -> str:
    """Read the foreign description with texts replaced; the message it is refused with."""
    text = FOREIGN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "dut.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DutError) as refused:
        read_description(path)
    return str(refused.value)


def test_a_foreign_function_is_described(folder: Path) -> None:
    path = folder / "dut.toml"
    path.write_text(FOREIGN, encoding="utf-8")
    dut = read_description(path)
    assert dut.sources.files == (folder / "src" / "my.v",)
    assert folder / "src" / "inc" in dut.sources.include
    assert dut.sources.defines == ("WIDE", "FAST=1")
    assert not dut.boundary.dma
    facts = dut.facts(dut.configurations["deep"])
    assert (facts.data_width, facts.queue_size, facts.profile.max_segments) == (128, 64, 66)
    assert facts.profile.name == "FOREIGN"


def test_its_module_ties_off_what_it_lacks_and_turns_the_reset(folder: Path) -> None:
    path = folder / "dut.toml"
    path.write_text(FOREIGN, encoding="utf-8")
    text = adapter_text(read_description(path), {"DEPTH": 32})
    assert ".areset(!rst_n)" in text
    assert ".DEPTH(32)" in text
    assert "assign tx_req_valid = '0;" in text
    assert "assign rx_cpl_ready = '1;" in text
    assert ".s_hdr(rx_req_hdr)" in text


def test_the_project_s_own_function_has_every_port() -> None:
    text = adapter_text(read_description(OWN_DUT), {})
    assert "assign" not in text
    assert text.count("(blk_") == 18


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('port = "aclk"', 'prot = "aclk"', "[clock]: port is missing"),
        ("period_ns = 4", "period_ns = 5", "period_ns must be an even number"),
        ('active = "high"', 'active = "up"', "active must be one of low, high"),
        ('module = "my_virtio"', "", "[top]: module is missing"),
        ("[configuration.deep]\nDEPTH", "[configuration.deep]\nDEPHT", "no parameter DEPHT"),
        ('tx_cpl_hdr = "m_hdr"\n', "", "tx_cpl_hdr is missing"),
        ("data_width = {", "data_witdh = {", "data_witdh is unknown. Did you mean data_width?"),
        ("max_segments =", "max_segmets =", "max_segmets is no field of a profile"),
        ('lists = ["src/files.f"]', 'files = ["gone.v"]', "there is no file gone.v"),
        ('lists = ["src/files.f"]', "", "there are no sources"),
        ('{ parameter = "DEPTH" }', '{ parameter = "DEEP" }', "there is no parameter DEEP"),
        ("[profile]", '[profile]\nbase = "NOBODY"', "NOBODY is no shipped profile"),
    ],
)
def test_what_is_wrong_is_refused_by_name(folder: Path, old: str, new: str, message: str) -> None:
    assert message in _read(folder, (old, new))


def test_a_list_that_names_itself_is_refused(folder: Path) -> None:
    (folder / "src" / "more.f").write_text("-f files.f\n", encoding="utf-8")
    assert "the list names itself" in _read(folder, ("FAST=1", "FAST=2"))
