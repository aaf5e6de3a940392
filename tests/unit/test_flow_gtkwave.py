"""The GTKWave save file: names as the dump has them, in closed groups."""

from __future__ import annotations

from pathlib import Path

from tb.flow.gtkwave import save_file, vcd_names

VCD = """$version generated $end
$timescale 1ps $end
$scope module tb_top $end
$var wire 1 ! clk $end
$var wire 128 " rx_req_hdr [127:0] $end
$scope module u_rx_req_watch $end
$scope module u_view $end
$var wire 64 # name [63:0] $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
"""


def _dump(folder: Path) -> Path:
    path = folder / "dump.vcd"
    path.write_text(VCD, encoding="utf-8")
    return path


def test_signals_are_named_as_gtkwave_does(tmp_path: Path) -> None:
    names = {"tb_top.clk", "tb_top.rx_req_hdr[127:0]", "tb_top.u_rx_req_watch.u_view.name[63:0]"}
    assert vcd_names(_dump(tmp_path)) == names


def test_only_signals_of_the_dump_are_shown(tmp_path: Path) -> None:
    lines = save_file(_dump(tmp_path), tmp_path / "view.gtkw", 256).splitlines()
    assert "tb_top.clk" in lines
    assert not any("rst_n" in line for line in lines)
    assert lines[lines.index("tb_top.u_rx_req_watch.u_view.name[63:0]") - 1] == "@820"


def test_the_data_pins_are_as_wide_as_the_function(tmp_path: Path) -> None:
    assert "tb_top.tx_req_data[63:0]\n" in save_file(tmp_path / "dump.fst", tmp_path / "view.gtkw", 64)


def test_every_group_that_opens_closes(tmp_path: Path) -> None:
    text = save_file(tmp_path / "dump.fst", tmp_path / "view.gtkw", 256)
    assert text.count("@800200\n") == text.count("@1000200\n") == 6
