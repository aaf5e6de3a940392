"""Every scenario plays through on the golden model, so that on the RTL only the RTL can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tb.guest.host_bus import run
from tb.sequences import (
    block_edges,
    borders,
    bursts,
    config_space,
    crossings,
    deadlines,
    dma,
    lifecycle,
    line,
    malformed,
    messages,
    msix_table,
    outside,
    pressure,
    queues,
    registers,
    rings,
    streams,
    traffic,
    walks,
)
from tb.sequences.scene import Scene
from tb.sequences.stages import STAGES
from tests.unit.guest_on_model import model_scene

ScenarioFunction = Callable[[Scene], Coroutine[Any, Any, None]]

SCENARIOS: tuple[ScenarioFunction, ...] = (
    config_space.identify,
    config_space.read_everything,
    config_space.read_every_enable,
    config_space.write_every_bit,
    config_space.write_every_enable,
    config_space.write_random_registers,
    config_space.size_bars_bit_by_bit,
    config_space.decode_every_address_bit,
    config_space.switch_decoding,
    config_space.refuse_foreign_requests,
    config_space.poison_requests,
    config_space.vary_the_requester,
    bursts.read_bar1,
    bursts.write_bar1,
    bursts.drop_long_packets,
    config_space.toggle_interrupt_disable,
    registers.walk_feature_bits,
    registers.walk_queue_address,
    registers.walk_queue_select,
    registers.walk_status,
    registers.walk_vectors,
    registers.read_device_config,
    registers.notify_nobody,
    registers.reset_from_anything,
    registers.poke_at_random,
    msix_table.walk_table_bits,
    msix_table.fill_table,
    msix_table.write_table_by_parts,
    msix_table.walk_message_control,
    messages.map_every_vector,
    messages.aim_messages_anywhere,
    messages.hold_by_mask,
    messages.change_while_pending,
    messages.keep_pending_over_disable,
    messages.drop_pending_at_reset,
    messages.hold_by_bus_master,
    messages.move_queue_while_pending,
    messages.toggle_masks_in_traffic,
    messages.announce_config_change,
    messages.read_capacity_all_along,
    line.raise_and_lower,
    line.read_around_the_isr,
    line.disable_and_enable,
    line.hand_over_to_messages,
    line.lower_by_reset,
    line.suppress_by_flag,
    line.announce_config_change,
    line.serve_in_traffic,
    line.read_the_isr_all_along,
    rings.chains_of_every_length,
    rings.fill_the_ring,
    rings.place_used_events,
    rings.start_with_far_events,
    rings.notify_on_empty,
    rings.scatter_descriptors,
    rings.place_rings_anywhere,
    rings.place_tables_anywhere,
    rings.race_with_the_device,
    malformed.stop_by_every_row,
    malformed.stop_after_good_ones,
    malformed.serve_every_odd_row,
    block_edges.move_data_at_every_offset,
    block_edges.cut_header_and_status,
    block_edges.try_every_type,
    block_edges.try_every_length,
    block_edges.ask_for_the_serial,
    block_edges.reach_for_the_end,
    block_edges.move_much,
    block_edges.fail_the_media,
    dma.obey_every_size,
    dma.cross_every_border,
    dma.answer_in_every_pace,
    dma.fail_quickly,
    lifecycle.reset_at_any_moment,
    lifecycle.reset_by_pfn_at_any_moment,
    lifecycle.reset_under_load,
    lifecycle.resize_into_reset,
    lifecycle.restart_at_once,
    lifecycle.use_before_driver_ok,
    lifecycle.kick_without_work,
    lifecycle.rewrite_live_address,
    lifecycle.switch_bus_master_in_traffic,
    lifecycle.flick_bus_master,
    lifecycle.kick_without_bus_master,
    lifecycle.reset_without_bus_master,
    lifecycle.switch_decoding_in_traffic,
    lifecycle.power_cycle_at_any_moment,
    walks.walk_buffer_addresses,
    walks.walk_ring_addresses,
    walks.walk_lengths,
    walks.walk_capacity,
    deadlines.answer_before_the_deadline,
    deadlines.answer_everything_late,
    deadlines.hold_requests_past_the_deadline,
    streams.answers_while_requests_wait,
    streams.posted_writes_while_requests_wait,
    streams.work_while_completions_wait,
    streams.tell_many_changes,
    streams.fill_both_directions,
    borders.reach_far_in_tables,
    borders.leave_far_tables,
    borders.end_at_the_last_byte,
    borders.read_around_large_sectors,
    borders.wish_for_every_event,
    borders.suppress_and_run_empty,
    pressure.crowd_requests,
    pressure.sweep_under_pressure,
)

QUEUE_SCENARIOS: tuple[ScenarioFunction, ...] = (
    queues.serve_each,
    queues.serve_all_at_once,
    queues.give_each_a_vector,
    queues.stop_one,
    queues.reset_among_many,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.__module__[13:]}.{one.__name__}")
def test_a_scenario_plays_through_on_the_model(scenario: ScenarioFunction) -> None:
    scene = model_scene()
    if scenario.__module__.endswith("registers"):
        run(scene.enumerate())
    run(scenario(scene))


@pytest.mark.parametrize("part", [registers.read_whole_bar, registers.write_whole_bar])
def test_bar0_is_swept_in_both_layouts(part: ScenarioFunction) -> None:
    scene = model_scene()
    run(scene.enumerate())
    run(registers.in_both_layouts(scene, part))


@pytest.mark.parametrize("scenario", QUEUE_SCENARIOS, ids=lambda one: one.__name__)
def test_a_scenario_of_several_queues_plays_through(scenario: ScenarioFunction) -> None:
    run(scenario(model_scene(queues=3, vectors=5)))


@pytest.mark.parametrize("queue_size", [1, 2, 4])
def test_tiny_rings_are_driven_through_tables(queue_size: int) -> None:
    for scenario in (
        rings.fill_the_ring,
        rings.place_used_events,
        rings.notify_on_empty,
        block_edges.move_much,
    ):
        run(scenario(model_scene(queue_size=queue_size)))
    run(traffic.steady(model_scene(queue_size=queue_size), acts=200))


@pytest.mark.parametrize(("queues", "queue_size"), [(1, 256), (4, 256), (1, 16)])
def test_every_state_meets_every_event(queues: int, queue_size: int) -> None:
    events = (*outside.EVENTS, *outside.silent_faults())
    scene = model_scene(queues=queues, vectors=queues + 2, queue_size=queue_size)
    run(crossings.walk(scene, crossings.pairs(STAGES, events)))


def test_a_read_only_disk_refuses_writes() -> None:
    run(block_edges.write_a_read_only_disk(model_scene(read_only=True)))


def test_indices_wrap_on_a_small_ring() -> None:
    run(rings.wrap_the_indices(model_scene(queue_size=8), requests=1000))


@pytest.mark.parametrize("queue_size", [1, 2, 4, 32768])
def test_every_malformed_row_that_fits_is_played_on_small_and_large_rings(queue_size: int) -> None:
    run(malformed.stop_by_every_row(model_scene(queue_size=queue_size)))
    run(malformed.serve_every_odd_row(model_scene(queue_size=queue_size)))


@pytest.mark.parametrize("vectors", [2, 33, 65])
def test_messages_of_larger_tables(vectors: int) -> None:
    run(messages.map_every_vector(model_scene(vectors=vectors)))
    run(messages.hold_by_mask(model_scene(vectors=vectors)))


@pytest.mark.parametrize("seed", range(6))
def test_random_traffic_completes_on_the_model(seed: int) -> None:
    run(traffic.mixed(model_scene(seed=seed), acts=200))
    run(traffic.steady(model_scene(seed=seed, queue_size=8), acts=200))
