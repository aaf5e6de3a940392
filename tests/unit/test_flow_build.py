"""Builds: what goes into one is what decides whether it is made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tb.flow.build import Recipe, Use, fingerprint, listed_files, verilate_command
from tb.flow.errors import FlowError
from tb.flow.paths import OWN_DUT
from tb.flow.plan import Configuration

BLOCK = Configuration("block", "block")


def _recipe(folder: Path, use: Use = Use.PYTHON, **parameters: int) -> Recipe:
    (folder / "rtl").mkdir(exist_ok=True)
    shutil.copy(OWN_DUT, folder / "rtl")
    (folder / "rtl" / "files.f").write_text("// the list\nfunction.sv\n", encoding="utf-8")
    (folder / "rtl" / "function.sv").write_text("module function; endmodule\n", encoding="utf-8")
    return Recipe(Configuration("block", "block", parameters), use, rtl=folder, builds=folder / "build")


def test_a_copy_of_the_rtl_is_what_gets_built(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    files = listed_files(recipe)
    assert files[0] == tmp_path / "rtl" / "function.sv"
    assert all(path.is_file() or path == recipe.adapter for path in files)


def test_a_changed_copy_is_another_build(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    before = fingerprint(recipe)
    assert fingerprint(recipe) == before
    (tmp_path / "rtl" / "function.sv").write_text("module function; wire a; endmodule\n", encoding="utf-8")
    assert fingerprint(recipe) != before


def test_parameters_and_use_are_another_build(tmp_path: Path) -> None:
    recipes = [_recipe(tmp_path), _recipe(tmp_path, DataWidth=64), _recipe(tmp_path, Use.BARE)]
    assert len({fingerprint(one) for one in recipes}) == 3
    assert "-GDataWidth=64" in verilate_command(recipes[1])


def test_a_listed_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    (tmp_path / "rtl" / "function.sv").unlink()
    with pytest.raises(FlowError, match=r"rtl/files.f line 2: there is no file function.sv"):
        listed_files(recipe)


def test_each_use_builds_in_a_folder_of_its_own() -> None:
    assert len({Recipe(BLOCK, use).folder for use in Use}) == len(Use)
