"""The guest's whole way on the golden model: enumerate, attach, move data, stop, start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb.agents.disk import Disk
from tb.guest.block_request import DRIVER_FEATURES, SECTOR, BlockRequest, BlockType
from tb.guest.errors import ProbeError
from tb.guest.host_bus import run
from tb.guest.interrupts import LADDER, InterruptMode
from tb.guest.registers import RingFeature
from tb.models.profile import Profile
from tb.sequences.disk_image import image_sha256, unpack_image
from tb.sequences.main_job import MainJob
from tests.unit.guest_on_model import PROFILES, model_scene

NAMES = [profile.name for profile in PROFILES]


@pytest.mark.parametrize("profile", PROFILES, ids=NAMES)
@pytest.mark.parametrize("mode", LADDER, ids=[mode.name for mode in LADDER])
@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("indirect", [False, True])
def test_what_was_written_reads_back(
    profile: Profile, mode: InterruptMode, event_idx: bool, indirect: bool
) -> None:
    scene = model_scene(profile)
    wanted = DRIVER_FEATURES if event_idx else DRIVER_FEATURES & ~RingFeature.EVENT_IDX
    driver = run(scene.attach_block(wanted=wanted, ladder=(mode,)))
    assert driver.interrupts.mode is mode
    data = scene.rng.randbytes(8 * SECTOR)
    run(driver.run([BlockRequest(BlockType.OUT, 3, data, indirect=indirect)], depth=1))
    request = BlockRequest(BlockType.IN, 3, length=len(data), indirect=indirect)
    run(driver.do(request))
    assert request.answer == data


@pytest.mark.parametrize(
    ("vectors", "mode"), [(3, InterruptMode.MSIX_PER_QUEUE), (1, InterruptMode.INTX), (0, InterruptMode.INTX)]
)
def test_the_ladder_goes_down_as_far_as_it_must(vectors: int, mode: InterruptMode) -> None:
    scene = model_scene(vectors=vectors)
    driver = run(scene.attach_block())
    assert driver.interrupts.mode is mode
    assert run(driver.read(0, SECTOR)) == bytes(SECTOR)


def test_a_wish_for_more_than_there_is_ends_in_a_sentence() -> None:
    with pytest.raises(ProbeError, match="no interrupt mode"):
        run(model_scene(vectors=0).attach_block(ladder=(InterruptMode.MSIX_SHARED,)))


@pytest.mark.parametrize("profile", PROFILES, ids=NAMES)
def test_a_stopped_device_comes_back_with_the_same_queue(profile: Profile) -> None:
    driver = run(model_scene(profile).attach_block())
    base = driver.queue.base
    run(driver.write(5, b"x" * SECTOR))
    run(driver.stop())
    run(driver.reinit())
    assert driver.queue.base == base
    assert run(driver.read(5, SECTOR)) == b"x" * SECTOR


def test_the_serial_comes_without_its_padding() -> None:
    driver = run(model_scene(disk=Disk(64, serial=b"abc")).attach_block())
    driver.reserve(1, SECTOR)
    assert run(driver.get_id()) == b"abc"


@pytest.mark.parametrize("profile", PROFILES, ids=NAMES)
def test_the_main_job_holds_on_the_model(profile: Profile, tmp_path: Path) -> None:
    image = unpack_image(tmp_path)
    scene = model_scene(profile, disk=Disk.open(image))
    seen: list[tuple[int, int, str]] = []
    job = MainJob(scene.bus, image, bytes_limit=1 << 20, progress=lambda *step: seen.append(step))
    figures = run(job.run())
    assert figures.sha256 == image_sha256(image, 1 << 20)
    assert [stage.bytes > 1 << 20 for stage in figures.stages] == [True, True, True]
    assert all(stage.deepest >= 8 and stage.direct and stage.indirect for stage in figures.stages)
    assert seen[-1][0] == seen[-1][1] == 3 << 20
