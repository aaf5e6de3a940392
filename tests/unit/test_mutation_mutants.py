"""Mutants: what changes, what is left alone, how they are named, drawn, excused and found to be no design."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyslang.syntax import SyntaxKind

from tb.flow.errors import FlowError
from tb.flow.mutant_copies import all_mutants, drawn, named
from tb.flow.planted_copy import sources
from tb.mutation.alternatives import package, probed, probing_package, probing_program, rendered
from tb.mutation.excuses import Excuse, ExcuseError, Excuses, read_excuses
from tb.mutation.literals import other_values
from tb.mutation.operators import distinct_lines, mutants_of
from tb.mutation.syntax import Parsed, descendants
from tb.mutation.validity import invalid_faults
from tests.unit.alternatives import normal

SOURCE = """
module m #(parameter int W = 4) (
  input logic clk_i, input logic rst_ni, input logic [W-1:0] a_i, input logic go_i, output logic [W-1:0] b_o
);
  localparam int Half = W / 2;
  typedef enum logic [1:0] {StIdle, StRun, StDone} state_e;
  state_e state_q;
  logic unused_a;
  wire hit = go_i & (a_i[2] | ~a_i[Half]);
  assign unused_a = a_i[0] & a_i[1];
  assign b_o = hit ? {a_i[0], 3'd2} : '0;
  sub u_sub (.clk_i (clk_i), .take_i (hit), .left_o ());
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= StIdle;
    end else begin
      if (go_i) state_q <= StRun;
      for (int q = 0; q < W; q++) if (a_i[q]) state_q <= StDone;
    end
  end
endmodule
"""
NONE: frozenset[str] = frozenset()
EVERY = mutants_of("rtl/x/m.sv", SOURCE, NONE)


def _changes(operator: str) -> list[str]:
    return [one.change for one in EVERY if one.operator == operator]


@pytest.mark.parametrize(
    ("operator", "changes"),
    [
        ("or", ["go_i & (a_i[2] | ~a_i[Half]) => go_i | (a_i[2] | ~a_i[Half])"]),
        ("and", ["a_i[2] | ~a_i[Half] => a_i[2] & ~a_i[Half]"]),
        ("not", ["~a_i[Half] => a_i[Half]", "!rst_ni => rst_ni"]),
        ("arms", ["hit ? {a_i[0], 3'd2} : '0 => hit ? '0 : {a_i[0], 3'd2}"]),
        ("order", ["{a_i[0], 3'd2} => {3'd2, a_i[0]}"]),
        ("state", ["StIdle => StRun", "StRun => StDone", "StDone => StIdle"]),
        ("above", ["a_i[2] => a_i[3]", "a_i[0] => a_i[1]"]),
        ("below", ["a_i[2] => a_i[1]"]),
        ("low", ["hit => '0"]),
        ("high", ["hit => '1"]),
        ("deleted", ["state_q <= StIdle; => ;", "state_q <= StRun; => ;", "state_q <= StDone; => ;"]),
        ("never", ["hit => 1'b0", "!rst_ni => 1'b0", "go_i => 1'b0", "a_i[q] => 1'b0"]),
        ("negated", ["hit => !(hit)", "go_i => !(go_i)", "a_i[q] => !(a_i[q])"]),
    ],
)
def test_each_operator_changes_what_it_is_for(operator: str, changes: list[str]) -> None:
    assert _changes(operator) == changes


def test_constants_of_the_design_and_what_is_unused_are_left_alone() -> None:
    text = " ".join(one.old for one in EVERY)
    assert "W" not in text
    assert "a_i[0] & a_i[1]" not in text
    assert "q++" not in text
    assert not any(one.old in ("clk_i", "posedge clk_i") for one in EVERY)


def test_values_keep_their_width() -> None:
    found: dict[str, list[str]] = {}
    for one in EVERY:
        if one.operator.startswith("value"):
            found.setdefault(one.old, []).append(one.new)
    assert found["3'd2"] == ["3'd3", "3'd1", "3'd7"]
    assert found["'0"] == ["'1"]


def test_a_one_bit_literal_has_one_other_value() -> None:
    literal = next(one for one in _literals("1'b1"))
    assert other_values(literal, "1'b1") == ["1'd0"]
    assert other_values(next(_literals("8'hff")), "8'hff") == ["8'd0", "8'd254"]
    assert other_values(next(_literals("0")), "0") == ["1"]
    assert other_values(next(_literals("name")), "name") == []


def _literals(text: str) -> Iterator[SyntaxKind]:
    tree = Parsed(f"module l; assign x = {text}; endmodule")
    return (node.kind for node in descendants(tree.root) if tree.of(node) == text)


def test_every_mutant_in_one_copy_reads_as_itself_and_as_the_original() -> None:
    text = rendered(SOURCE, [one.alternative(number) for number, one in enumerate(EVERY, 1)])
    assert normal(text) == normal(SOURCE)
    for number, one in enumerate(EVERY, 1):
        start, end = one.span
        assert normal(text, number) == normal(SOURCE[:start] + one.new + SOURCE[end:]), one.name


def test_a_probing_copy_is_systemverilog_and_asks_for_each_mutant() -> None:
    text = rendered(SOURCE, [one.alternative(number) for number, one in enumerate(EVERY, 1)], probed)
    Parsed(text)
    Parsed(probing_package())
    assert all(f"planted_faults::noted({number})" in text for number in range(1, len(EVERY) + 1))
    assert f"bool reached[{len(EVERY) + 1}]" in probing_program(len(EVERY))


def test_names_are_unique_in_the_rtl_and_find_their_mutant() -> None:
    every = all_mutants()
    assert len({one.name for one in every}) == len(every) > 5000
    assert named(every, every[1234].name) is every[1234]
    with pytest.raises(FlowError, match="MUTANT=no:1:1:or is none of the"):
        named(every, "no:1:1:or")


def test_all_mutants_of_the_rtl_in_one_copy_are_systemverilog() -> None:
    every = all_mutants()
    for name, text in sources().items():
        own = [one.alternative(number) for number, one in enumerate(every, 1) if one.file == name]
        Parsed(rendered(text, own))
        Parsed(rendered(text, own, probed))


def test_drawing_follows_seed_and_file() -> None:
    every = all_mutants()
    first = drawn(every, 50, 1, None)
    assert len(first) == 50
    assert first == drawn(every, 50, 1, None) != drawn(every, 50, 2, None)
    assert {one.file for one in drawn(every, 20, 1, "used_ring")} == {"rtl/virtio/used_ring.sv"}
    with pytest.raises(FlowError, match="FILE=none is in no source's path"):
        drawn(every, 20, 1, "none")


def test_an_excuse_belongs_to_the_text_of_its_line() -> None:
    mutant = next(one for one in EVERY if one.operator == "and")
    excuses = Excuses([Excuse(mutant.file, mutant.source, mutant.change, "because")])
    assert excuses.reason(mutant) == "because"
    assert not excuses.void(EVERY)
    other = mutants_of("rtl/x/m.sv", SOURCE.replace("wire hit = go_i", "wire hit = rst_ni & go_i"), NONE)
    assert not any(excuses.reason(one) for one in other)
    assert [one.change for one in excuses.void(other)] == [mutant.change]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[excuse]]\nfile = 'a'\n", "excuse 1 must have"),
        ("[[excuse]]\nfile = 'a'\nsource = 'b'\nchanges = ['c']\nreason = ''\n", "excuse 1 must have"),
        ("[[excuse]]\nfile = 'a'\nsource = 'b'\nchanges = ['c', 'c']\nreason = 'd'\n", "excused twice"),
        ("x = ", "cannot be read"),
    ],
)
def test_a_wrong_file_of_excuses_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "excused.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExcuseError, match=why):
        read_excuses(path)


def test_a_bit_of_a_field_is_changed_with_its_whole_name() -> None:
    text = "module m (input t req_i, output logic b_o);\n  assign b_o = req_i.be[2];\nendmodule\n"
    found = mutants_of("rtl/m.sv", text, NONE)
    assert [one.change for one in found] == ["req_i.be[2] => req_i.be[3]", "req_i.be[2] => req_i.be[1]"]


def test_a_line_that_stands_there_twice_is_told_by_what_follows() -> None:
    lines = ["if (!rst_ni) begin", "  a <= '0;", "end", "if (!rst_ni) begin", "  b   <= '0;", "end"]
    assert distinct_lines(lines) == [
        "if (!rst_ni) begin a <= '0;",
        "a <= '0;",
        "end if (!rst_ni) begin",
        "if (!rst_ni) begin b <= '0;",
        "b <= '0;",
        "end",
    ]


def test_an_excuse_for_reset_covers_no_other_place(tmp_path: Path) -> None:
    path = tmp_path / "excused.toml"
    path.write_text(
        "[[reset]]\nfile = 'rtl/x/m.sv'\nlines = ['state_q <=   StIdle;']\nreason = 'loaded'\n",
        encoding="utf-8",
    )
    every = mutants_of("rtl/x/m.sv", SOURCE.replace("state_q <= StRun", "state_q <= StIdle"), NONE)
    excused = [one for one in every if read_excuses(path).reason(one)]
    assert [(one.operator, one.in_reset) for one in excused] == [("deleted", True), ("state", True)]
    assert len([one for one in every if one.old == "state_q <= StIdle;"]) == 2


def test_no_file_of_excuses_is_no_excuse(tmp_path: Path) -> None:
    assert len(read_excuses(tmp_path / "none.toml")) == 0


def test_a_mutant_that_is_no_design_is_found() -> None:
    clean = (
        "module m (input logic [3:0] a_i, output logic b_o);\n  assign b_o = a_i[3] | a_i[0];\nendmodule\n"
    )
    every = [one for one in mutants_of("rtl/m.sv", clean, NONE) if one.change == "a_i[3] => a_i[4]"]
    assert len(every) == 1
    copy = rendered(clean, [every[0].alternative(1)])
    assert invalid_faults([package(1), copy], [clean]) == {1: "IndexOOB"}
    assert invalid_faults([package(1), clean], [clean]) == {}


def test_every_excuse_fits_a_mutant_of_the_rtl() -> None:
    excused = Path(__file__).resolve().parents[1] / "mutants" / "excused.toml"
    assert read_excuses(excused).void(all_mutants()) == []


def test_a_difference_shows_both_texts() -> None:
    one = EVERY[0]
    assert one.difference().split("\n")[1:] == [f"  - {one.old}", f"  + {one.new}"]
