"""Variables of the command line: read, checked, and refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.flow.errors import FlowError
from tb.flow.variables import SECTOR, given_on_command_line, read_variables


def test_nothing_given_gives_defaults() -> None:
    variables = read_variables("sim", {})
    assert (variables.seed, variables.test, variables.waves, variables.disk) == (1, None, False, None)


def test_values_are_read_by_their_kind() -> None:
    variables = read_variables("sim", {"SEED": "0x10", "WAVES": "1", "BYTES": "4k", "TEST": "MainJob"})
    assert (variables.seed, variables.waves, variables.bytes_limit, variables.test) == (
        16,
        True,
        4096,
        "MainJob",
    )


def test_an_empty_value_is_no_value() -> None:
    assert read_variables("sim", {"SEED": ""}).seed == 1


def test_a_random_seed_is_in_range() -> None:
    assert 0 <= read_variables("sim", {"SEED": "random"}).seed < 2**31


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("SEED", "-1", "out of range"),
        ("SEED", "many", "not a number"),
        ("JOBS", "0", "out of range"),
        ("WAVES", "yes", "0 or 1"),
        ("BYTES", "100", "sectors"),
        ("BYTES", "k", "not a number"),
        ("DISK", "/no/such/image", "No such file"),
        ("DISK", "/", "no regular file"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(name: str, value: str, part: str) -> None:
    with pytest.raises(FlowError, match=part) as error:
        read_variables("sim", {name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 1, SECTOR + 1])
def test_a_disk_of_an_odd_size_is_refused(tmp_path: Path, size: int) -> None:
    image = tmp_path / "disk"
    image.write_bytes(bytes(size))
    with pytest.raises(FlowError, match=f"{size} bytes"):
        read_variables("sim", {"DISK": str(image)})


def test_a_disk_of_whole_sectors_is_taken(tmp_path: Path) -> None:
    image = tmp_path / "a disk"
    image.write_bytes(bytes(SECTOR))
    assert read_variables("sim", {"DISK": str(image)}).disk == image


def test_the_command_line_is_found_in_makeflags() -> None:
    flags = " --no-print-directory -rR -- DISK=a\\ b SEED=3"
    assert given_on_command_line(flags) == {"DISK": "a b", "SEED": "3"}
    assert given_on_command_line("k") == {}


def test_a_name_that_the_command_does_not_take_is_refused() -> None:
    with pytest.raises(FlowError, match="Did you mean SEED"):
        read_variables("sim", {"MAKEFLAGS": " -- SEEDD=3"})
