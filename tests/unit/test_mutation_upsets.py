"""Upsets: which variables are registers, and what a copy that can be hit looks like."""

from __future__ import annotations

from pathlib import Path

from tb.flow.mutant_runs import LIMIT_S
from tb.flow.plan import Configuration, Run, SimTest
from tb.flow.planted_copy import sources
from tb.flow.simulation import Outcome
from tb.flow.upset_hunt import Aftermath, Upset, all_registers, judged, plant_upsets, upset_table
from tb.mutation.syntax import Parsed
from tb.mutation.upsets import Register, registers_of, upset_package, with_upsets

SOURCE = """
module m (input logic clk_i, output logic [3:0] b_o);
  typedef enum logic {StIdle, StRun} state_e;
  state_e state_q;
  logic [7:0] memory [4];
  logic other;
  assign other = 1'b0;
  for (genvar l = 0; l < 2; l++) begin : gen_lane
    logic row_q;
    always_ff @(posedge clk_i) row_q <= other;
  end
  always_ff @(posedge clk_i) begin
    state_q <= StRun;
    memory[0] <= '0;
    b_o[1] <= 1'b1;
  end
endmodule
"""
STATE = Register("rtl/m.sv", "m", "state_q")
RUN = Run(SimTest("T", "tests.sim.test_t", ""), Configuration("block", "block"), LIMIT_S)
UPSET = Upset(STATE, 1, 7, RUN, 1000)


def _outcome(message: str, *verdicts: str) -> Outcome:
    return Outcome(RUN, 1, message, 1.0, 1.0, Path(), {"verdicts": list(verdicts)})


def test_registers_are_what_clocked_processes_write() -> None:
    assert [one.title for one in registers_of("rtl/m.sv", SOURCE)] == ["m.state_q", "m.b_o"]


def test_a_copy_can_be_hit_and_is_systemverilog() -> None:
    text = with_upsets(SOURCE, {"m.state_q": 3})
    Parsed(text)
    Parsed(upset_package())
    assert "planted_faults::upset == 3 && planted_faults::due($time)) {state_q} <= {state_q} ^" in text
    assert text.replace(text[text.index("  always @(negedge") : text.rindex("endmodule")], "") == SOURCE


def test_the_whole_rtl_can_be_hit(tmp_path: Path) -> None:
    clean = sources()
    registers = all_registers(clean)
    assert len({one.title for one in registers}) == len(registers) > 150
    plant_upsets(clean, registers, tmp_path)
    for path in (tmp_path / "rtl").rglob("*.sv"):
        Parsed(path.read_text(encoding="utf-8"))


def test_what_came_of_an_upset() -> None:
    kinds = [
        judged(UPSET, one).kind
        for one in (
            _outcome(""),
            _outcome("2 mismatches", "12 ns PIN-LAST: wrong"),
            _outcome("ended", "12 ns WEDGED: Nothing moves."),
            _outcome("AssertionError: the digest differs"),
        )
    ]
    assert kinds == ["masked", "verdict", "hang", "unjudged"]
    table = upset_table([Aftermath(UPSET, kind, "") for kind in [*kinds, "masked"]])
    assert (table["upsets"], table["masked"], table["unjudged"]) == (5, 2, 1)
