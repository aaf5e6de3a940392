"""The guest on functions that go on for ever: every loop ends, with a sentence that names the rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tb.guest.block_request import SECTOR
from tb.guest.errors import GuestError
from tb.guest.host_bus import Interrupt, Msi, run
from tb.guest.interrupts import InterruptMode
from tb.guest.msix import target_of
from tb.guest.registers import Register
from tb.guest.turns import turns
from tb.sequences import lifecycle, line, queues
from tb.sequences.scene import Scene
from tb.targets.model import ModelBus
from tests.unit.guest_on_model import model_scene


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that hears no kick."""
    write = ModelBus.io_write

    async def io_write(bus: ModelBus, offset: int, size: int, value: int) -> None:
        if offset != Register.QUEUE_NOTIFY:
            await write(bus, offset, size, value)

    monkeypatch.setattr(ModelBus, "io_write", io_write)


def fails(rule: str, play: Callable[[Scene], Awaitable[object]]) -> None:
    async def played() -> None:
        await play(model_scene())

    with pytest.raises(GuestError) as caught:
        run(played())
    assert caught.value.rule == rule


def test_a_loop_that_is_served_ends_without_an_error() -> None:
    for turn in turns(5, lambda: GuestError("R", "never")):
        if turn == 3:
            break
    else:
        pytest.fail("it was served")


def test_queues_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ModelBus.io_read

    async def io_read(bus: ModelBus, offset: int, size: int) -> int:
        return 256 if offset == Register.QUEUE_SIZE else await read(bus, offset, size)

    monkeypatch.setattr(ModelBus, "io_read", io_read)
    fails("VPCI-Q-04", queues.serve_each)


async def _read_with_interrupts(scene: Scene) -> None:
    driver = await scene.attach_block(ladder=(InterruptMode.MSIX_PER_QUEUE,))
    await driver.read(0, SECTOR)


@pytest.mark.usefixtures("deaf")
def test_interrupts_for_ever_and_nothing_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait_for_interrupt(_bus: ModelBus, _timeout_ns: int) -> Interrupt:
        return Msi(target_of(1).address, target_of(1).data)

    monkeypatch.setattr(ModelBus, "wait_for_interrupt", wait_for_interrupt)
    fails("BAD-DEV-10", _read_with_interrupts)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("play", [lifecycle.flick_bus_master, line.read_the_isr_all_along])
def test_requests_that_are_never_done(play: Callable[[Scene], Awaitable[None]]) -> None:
    fails("BAD-DEV-11", play)
