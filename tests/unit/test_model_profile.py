"""Profiles: every field named and documented, files checked, the page of them current."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tb.models.profile import PROFILES, SHIPPED, Profile, ProfileError, load_profile
from tb.models.profile_table import PAGE, render


def test_every_field_says_what_it_decides_and_why() -> None:
    for each in fields(Profile):
        assert each.metadata["decides"], each.name
        assert each.metadata["requirement"] or each.name == "name"


def test_shipped_profiles_are_found_by_name() -> None:
    assert list(PROFILES) == ["VIRTIO_PCI_RTL", "QEMU_7_2", "QEMU_2011", "BHYVE"]
    assert load_profile("qemu_7_2") is PROFILES["QEMU_7_2"]


def test_no_profile_offers_a_packed_ring_or_version_1() -> None:
    for profile in PROFILES.values():
        assert profile.ring_features >> 32 == 0


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m tb.models.profile_table"


def written(tmp_path: Path, old: str, new: str) -> Path:
    text = (SHIPPED / "qemu_7_2.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_own_profile_loads_from_toml(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "QEMU_7_2"', 'name = "MINE"')
    assert load_profile(str(path)).name == "MINE"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('bad_feature = "offered"\n', "", "bad_feature is missing"),
        (
            'bad_feature = "offered"',
            'bad_feature = "maybe"',
            "bad_feature must be one of not_offered, offered",
        ),
        (
            "features_ok_locks = true",
            "features_ok_locks = 1",
            "features_ok_locks must be true or false, not 1",
        ),
        ("isr_config_change = 3", "isr_config_change = true", "isr_config_change must be a whole number"),
        ("config_dwords = []", "config_dwords = [1]", "must be a list of lists of whole numbers"),
        ("config_dwords = []", "config_dword = []", "config_dword is no field of a profile"),
        ('name = "QEMU_7_2"', "name = ", "is no TOML"),
    ],
)
def test_wrong_profile_is_told_by_field(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = written(tmp_path, old, new)
    with pytest.raises(ProfileError, match=complaint) as caught:
        Profile.from_toml(path)
    assert "mine.toml" in str(caught.value)


def test_missing_file_and_unknown_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(str(tmp_path / "none.toml"))
    with pytest.raises(ProfileError, match="no shipped profile"):
        load_profile("qemu_9")
