"""The disk behind a block function: the image is never changed, what was written is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.agents.disk import SECTOR, Disk, DiskError


def _image(folder: Path, sectors: int) -> Path:
    path = folder / "disk.img"
    path.write_bytes(b"".join(bytes([index & 0xFF]) * SECTOR for index in range(sectors)))
    return path


def test_read_gives_the_image(tmp_path: Path) -> None:
    disk = Disk.open(_image(tmp_path, 8))
    assert disk.sectors == 8
    assert disk.read(3, 2) == bytes([3]) * SECTOR + bytes([4]) * SECTOR


def test_written_sectors_are_seen_and_the_image_stays(tmp_path: Path) -> None:
    path = _image(tmp_path, 8)
    before = path.read_bytes()
    disk = Disk.open(path)
    assert disk.write(2, b"a" * SECTOR + b"b" * SECTOR)
    assert disk.read(1, 4) == b"\1" * SECTOR + b"a" * SECTOR + b"b" * SECTOR + b"\4" * SECTOR
    assert disk.written_sectors == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize(("sector", "count"), [(8, 1), (7, 2), (1 << 63, 1)])
def test_past_the_end_is_refused(tmp_path: Path, sector: int, count: int) -> None:
    disk = Disk.open(_image(tmp_path, 8))
    assert disk.read(sector, count) is None
    assert not disk.write(sector, bytes(count * SECTOR))


def test_disk_larger_than_its_image_reads_zeroes_behind_it(tmp_path: Path) -> None:
    disk = Disk.open(_image(tmp_path, 2))
    disk.sectors = 1 << 40
    assert disk.read(1, 2) == b"\1" * SECTOR + bytes(SECTOR)
    assert disk.read((1 << 40) - 1, 1) == bytes(SECTOR)


@pytest.mark.parametrize("size", [0, 511, 513])
def test_image_of_odd_size_is_refused_in_a_sentence(tmp_path: Path, size: int) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(size))
    with pytest.raises(DiskError, match="not whole sectors"):
        Disk.open(path)


def test_image_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot be read"):
        Disk.open(tmp_path / "none.img")
