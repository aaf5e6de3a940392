"""Differences between two profiles are explained by their fields; what no field explains is told."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tb.agents.disk import Disk
from tb.guest.host_bus import run
from tb.models.devices.block import BlockDevice
from tb.models.profile import QEMU_7_2, VIRTIO_PCI_RTL
from tb.oracle.__main__ import RECORDED
from tb.oracle.attribution import Attribution, deciding_fields, replay_answers
from tb.oracle.comparison import Comparison
from tb.oracle.machine import DISK
from tb.oracle.natural import NaturalTrace, natural_part
from tb.sequences.recorded import DISK_SECTORS, RecordedGuest, RecordedMemory
from tb.sequences.scene import Scene
from tb.targets.model import ModelBus
from tests.unit.guest_on_model import ModelControls

FEATURES = ("ring_features", "block_features", "block_any_layout")


def trace_of(name: str) -> NaturalTrace:
    return natural_part(RECORDED / "blk" / f"{name}.jsonl.gz")


def explained(name: str) -> dict[tuple[str, ...], int]:
    counts: dict[tuple[str, ...], int] = {}
    for names in Attribution(trace_of(name), QEMU_7_2, VIRTIO_PCI_RTL).explain().values():
        counts[names] = counts.get(names, 0) + 1
    return counts


def test_profiles_differ_in_these_fields_only() -> None:
    assert deciding_fields(QEMU_7_2, QEMU_7_2) == ()
    changed = replace(QEMU_7_2, name="OWN", notify_read=0, pfn_rewrite="ignored")
    assert set(deciding_fields(QEMU_7_2, changed)) == {"notify_read", "pfn_rewrite"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("vq_bus_master_off", ("bus_master_off",)),
        ("vq_avail_jump_257", ("available_jump",)),
        ("queue_sel", ("queue_select_limit",)),
        ("pfn_rewrite", ("pfn_rewrite",)),
        ("vq_basic_io_msix0", ("block_used_length",)),
        ("vq_basic_io_msix0", FEATURES),
    ],
)
def test_field_that_decides_is_named(name: str, fields: tuple[str, ...]) -> None:
    assert explained(name)[fields] > 0


def test_explanation_suffices_and_none_of_it_can_be_spared() -> None:
    trace = trace_of("features")
    before, after = (replay_answers(trace, profile) for profile in (QEMU_7_2, VIRTIO_PCI_RTL))
    explanations = Attribution(trace, QEMU_7_2, VIRTIO_PCI_RTL).explain()
    assert explanations.keys() == {row for row, answer in enumerate(before) if answer != after[row]}

    def gives(row: int, names: tuple[str, ...]) -> bool:
        profile = replace(QEMU_7_2, **{name: getattr(VIRTIO_PCI_RTL, name) for name in names})
        return bool(replay_answers(trace, profile, row + 1)[row] == after[row])

    for row in list(explanations)[::9]:
        names = explanations[row]
        assert gives(row, names)
        assert not any(gives(row, tuple(each for each in names if each != one)) for one in names)


def test_equal_profiles_need_no_explanation() -> None:
    assert Attribution(trace_of("pfn"), QEMU_7_2, replace(QEMU_7_2, name="OWN")).explain() == {}


def test_answer_that_no_profile_predicts_is_told() -> None:
    trace = trace_of("pfn")
    answers = replay_answers(trace, VIRTIO_PCI_RTL)
    right = Comparison(VIRTIO_PCI_RTL)
    right.add(trace, answers)
    wrong = Comparison(VIRTIO_PCI_RTL)
    row = next(index for index, each in enumerate(trace.rows) if each["op"] == "io_r" and each["addr"] == 8)
    wrong.add(trace, [*answers[:row], answers[row] ^ 1, *answers[row + 1 :]])
    assert right.unexplained == []
    assert right.differences > 0
    (sentence,) = wrong.unexplained
    line = trace.rows[row]["line"]
    assert sentence.startswith(f"blk/pfn.jsonl.gz line {line}: QUEUE_PFN (io_r): QEMU answered ")
    assert f"seen {answers[row] ^ 1:#010x} [VPCI-Q-08]" in sentence


def test_table_counts_by_fields_and_shows_both_values() -> None:
    comparison = Comparison(VIRTIO_PCI_RTL)
    trace = trace_of("vq_bus_master_off")
    comparison.add(trace, replay_answers(trace, VIRTIO_PCI_RTL))
    table = comparison.table()
    assert "0 unexplained" in table
    assert "| bus_master_off | VPCI-STAT-28 | clears_driver_ok | stalls | " in table


async def do_nothing() -> None:
    """The model is always at rest."""


@pytest.mark.parametrize(
    "name",
    [
        "config_change_intx",
        "msix_mask_pending",
        "pfn_rewrite",
        "vq_batch8",
        "vq_bad_data_addr",
        "vq_event_idx",
    ],
)
def test_recorded_guest_does_on_a_bus_what_the_replay_does(name: str) -> None:
    memory, disk = RecordedMemory(), Disk(DISK_SECTORS, DISK, b"ORACLE0123")
    device = BlockDevice(VIRTIO_PCI_RTL, capacity=DISK_SECTORS, serial=b"ORACLE0123")
    bus = ModelBus(VIRTIO_PCI_RTL, device, disk, memory)  # type: ignore[arg-type]
    scene = Scene(bus, bus.send, random.Random(1), ModelControls(bus, device, disk))
    trace = trace_of(name)
    guest = RecordedGuest(scene, memory, trace.header, do_nothing)
    seen = [run(guest.answer(row)) for row in trace.rows]
    assert seen == replay_answers(trace, VIRTIO_PCI_RTL)
