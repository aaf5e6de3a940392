"""Alternatives in a source text: with a fault on it reads as the patched text, with none as the original."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tb.flow.plan import load_plan
from tb.flow.planted import plant, read_bugs
from tb.flow.planted_copy import alternatives_in, plant_together, sources
from tb.mutation.alternatives import Alternative, Form, package, rendered
from tb.mutation.difference import NotAlternativeError, alternatives_of, constant_functions
from tb.mutation.syntax import Parsed, SourceError
from tests.unit.alternatives import normal

CLEAN = """
module m #(parameter int W = 4) (input logic clk_i, input logic [W-1:0] a_i, output logic [W-1:0] b_o);
  localparam logic [3:0] Step = 4'd1;
  localparam logic [3:0] Twice = Step + Step;
  function automatic logic [3:0] after(logic [3:0] x);
    return x + Step;
  endfunction
  logic [3:0] sum, kept_q;
  wire [3:0] both = a_i & sum;  // a net
  assign sum = a_i + Twice;
  always_comb begin
    b_o = both;
    if (a_i[0]) b_o = after(both);
    else b_o = kept_q;
  end
  always_ff @(posedge clk_i) begin
    if (a_i[1]) kept_q <= sum;
  end
endmodule
"""
NONE: frozenset[str] = frozenset()


def _changed(*pairs: tuple[str, str]) -> str:
    text = CLEAN
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "pairs",
    [
        (("a_i + Twice", "a_i - Twice"),),  # an assignment
        (("= a_i & sum", "= a_i | sum"),),  # a net
        (("if (a_i[0]) b_o = after(both);", "if (a_i[3]) b_o = after(both);"),),  # a condition
        (("kept_q <= sum;", "kept_q <= both;"),),  # in a clocked process
        (("return x + Step;", "return x;"),),  # in a function
        (("    b_o = both;\n", ""),),  # a statement less
        (("b_o = both;", "b_o = both; b_o = '0;"),),  # a statement more
        (("kept_q <= sum;", "kept_q <= both;"), ("a_i + Twice", "a_i - Twice")),  # two places
        (("b_o = after(both);", "begin b_o = after(sum); end"), ("if (a_i[0])", "if (a_i[2])")),
    ],
)
def test_a_fault_reads_as_its_patch_and_none_as_the_original(pairs: tuple[tuple[str, str], ...]) -> None:
    new = _changed(*pairs)
    text = rendered(CLEAN, alternatives_of(CLEAN, new, 3, NONE))
    assert normal(text, 3) == normal(new)
    assert normal(text, 2) == normal(CLEAN)


def test_faults_in_one_place_and_within_each_other() -> None:
    versions = {
        1: _changed(("b_o = after(both);", "b_o = sum;")),
        2: _changed(("b_o = after(both);", "b_o = '1;")),
        3: _changed(("if (a_i[0])", "if (~a_i[0])")),
        4: _changed(("a_i + Twice", "Twice")),
        5: _changed(("a_i + Twice", "a_i")),
    }
    every = [one for n, new in versions.items() for one in alternatives_of(CLEAN, new, n, NONE)]
    text = rendered(CLEAN, every)
    assert normal(text) == normal(CLEAN)
    for number, new in versions.items():
        assert normal(text, number) == normal(new)


def test_a_localparam_gets_a_second_name_and_so_does_what_is_computed_with_it() -> None:
    new = _changed(("Step = 4'd1", "Step = 4'd2"))
    found = alternatives_of(CLEAN, new, 7, NONE)
    text = rendered(CLEAN, found)
    assert sorted(one.form.name for one in found) == ["ADDED", "ADDED", "ASSIGN", "STATEMENT"]
    assert "localparam logic [3:0] Twice_f7 = Step_f7 + Step_f7;" in text
    assert "assign sum = a_i + Twice;" in new
    assert "sum = a_i + Twice_f7 ;" in normal(text, 7)
    assert "sum = a_i + Twice ;" in normal(text)
    assert "return x + Step_f7 ;" in normal(text, 7)
    assert "return x + Step ;" in normal(text)


def test_what_is_added_has_names_of_its_own() -> None:
    new = _changed(
        ("  always_ff", "  logic [3:0] late_q;\n  always_ff @(posedge clk_i) late_q <= both;\n  always_ff"),
        ("kept_q <= sum;", "kept_q <= late_q;"),
    )
    text = rendered(CLEAN, alternatives_of(CLEAN, new, 5, NONE))
    assert "logic [3:0] late_q_f5;" in text
    assert "kept_q <= late_q_f5 ;" in normal(text, 5)
    assert "kept_q <= sum ;" in normal(text)


def test_a_net_is_added_ahead_of_the_net_that_needs_it() -> None:
    new = _changed(
        ("  wire [3:0] both = a_i & sum;", "  wire [3:0] mask = a_i & sum;\n  wire [3:0] both = mask & 4'd7;")
    )
    text = rendered(CLEAN, alternatives_of(CLEAN, new, 5, NONE))
    assert "wire [3:0] mask_f5 = a_i & sum;" in text
    assert "both = mask_f5 & 4" in normal(text, 5)
    assert "both = a_i & sum" in normal(text)


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (("int W = 4", "int W = 5"), "ParameterDeclaration"),
        (("logic [3:0] sum, kept_q", "logic [4:0] sum, kept_q"), "RangeDimensionSpecifier"),
        (("  assign sum = a_i + Twice;\n", ""), "takes away a member"),
        (("endmodule", "  assign sum = '0;\nendmodule"), "second driver of sum"),
        (("posedge clk_i", "negedge clk_i"), "SignalEventExpression"),
    ],
)
def test_what_cannot_be_chosen_at_run_time_says_why(pair: tuple[str, str], why: str) -> None:
    with pytest.raises(NotAlternativeError, match=why):
        alternatives_of(CLEAN, _changed(pair), 1, NONE)


def test_a_function_that_computes_constants_is_not_touched() -> None:
    text = CLEAN.replace("Twice = Step + Step", "Twice = after(Step)")
    constant = constant_functions([text])
    assert constant == {"after"}
    found = alternatives_of(text, text.replace("return x + Step;", "return x;"), 1, constant)
    assert "function automatic logic [3:0] after_f1" in rendered(text, found)


def test_an_expression_is_an_operand_of_a_choice() -> None:
    start = CLEAN.index("a_i & sum")
    one = Alternative((start, start + len("a_i & sum")), Form.EXPRESSION, 1, "a_i ^ sum")
    assert "wire [3:0] both = ((planted_faults::on[1]) ? (a_i ^ sum) : (a_i & sum));" in rendered(
        CLEAN, [one]
    )


def test_the_package_reads_both_plusargs() -> None:
    text = package(12)
    Parsed(text)
    assert "logic [12:0]" in text
    assert re.findall(r'plusargs\("(\w+)=%d"', text) == ["fault", "second_fault"]


def test_a_source_that_is_none_says_its_line() -> None:
    with pytest.raises(SourceError, match="line 2"):
        Parsed("module m;\n  assign = ;\nendmodule\n")


def test_every_shipped_patch_without_new_names_reads_as_written(tmp_path: Path) -> None:
    clean = sources()
    constant = constant_functions(list(clean.values()))
    compared = 0
    for number, bug in enumerate(read_bugs(load_plan()), 1):
        plant(bug, tmp_path)
        try:
            found = alternatives_in(bug, number, clean, constant)
        except NotAlternativeError:
            continue
        for name, ones in found.items():
            if any(one.form is Form.ADDED for one in ones):
                continue
            text = rendered(clean[name], ones)
            assert normal(text) == normal(clean[name]), bug.name
            assert normal(text, number) == normal((tmp_path / name).read_text(encoding="utf-8")), bug.name
            compared += 1
    assert compared >= 60


def test_all_shipped_patches_in_one_copy_are_systemverilog(tmp_path: Path) -> None:
    bugs = read_bugs(load_plan())
    copy, alone = plant_together(bugs, tmp_path)
    assert set(copy.faults) | set(alone) == {bug.name for bug in bugs}
    assert (tmp_path / "rtl/files.f").read_text(encoding="utf-8").startswith("planted_faults.sv\n")
    for path in (tmp_path / "rtl").rglob("*.sv"):
        Parsed(path.read_text(encoding="utf-8"))
