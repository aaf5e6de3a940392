"""The GTKWave save file: names as the dump has them, in closed groups."""

from __future__ import annotations

from pathlib import Path

from tb.flow.gtkwave import save_file, vcd_signals

VCD = """$version generated $end
$timescale 1ps $end
$scope module TOP $end
$scope module tb_top $end
$var wire 1 ! clk $end
$var wire 128 " rx_req_hdr [127:0] $end
$scope module u_rx_req_watch $end
$scope module u_view $end
$var wire 64 # name [63:0] $end
$upscope $end
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


def test_signals_are_found_below_the_top(tmp_path: Path) -> None:
    found = vcd_signals(_dump(tmp_path))
    assert found["rx_req_hdr"].path == "TOP.tb_top.rx_req_hdr[127:0]"
    assert set(found) == {"clk", "rx_req_hdr", "u_rx_req_watch.u_view.name"}


def test_only_signals_of_the_dump_are_shown(tmp_path: Path) -> None:
    lines = save_file(_dump(tmp_path), tmp_path / "view.gtkw").splitlines()
    assert "TOP.tb_top.clk" in lines
    assert not any("rst_n" in line for line in lines)
    assert lines[lines.index("TOP.tb_top.u_rx_req_watch.u_view.name[63:0]") - 1] == "@820"


def test_every_group_that_opens_closes(tmp_path: Path) -> None:
    text = save_file(tmp_path / "dump.fst", tmp_path / "view.gtkw")
    assert text.count("@800200\n") == text.count("@1000200\n") == 6
