"""What the drivers of all devices share: bringing a device up, going from step to step, disturbing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tb.models.registers import CONFIG_VECTOR, STATUS
from tb.models.virtqueue import AVAIL_NO_INTERRUPT, F_EVENT_IDX
from tb.oracle.live.noise import gentle, harsh
from tb.oracle.live.plan import Plan
from tb.oracle.live.queue import PlannedQueue

# What a driver may do next, and how often of all times together.
Steps = Sequence[tuple[Callable[[], None], int]]
DRIVER_OK = 7


class Driver:
    """A driver that goes from one random step to the next. Subclasses have the steps."""

    driver_ok_chance = 0.95

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.queues: list[PlannedQueue] = []

    # --- what a device has of its own

    def steps(self) -> Steps:
        """What may be done next; the same steps each time."""
        raise NotImplementedError

    def negotiate(self) -> None:
        """Accept some of the features."""
        self.plan.negotiate(self.plan.some_features())

    def queue_numbers(self) -> range:
        """The queues that are used."""
        return range(len(self.plan.shape.queues))

    def page_of(self, number: int) -> int | None:
        """Where a queue shall lie, None for its usual place."""
        return None

    def started(self) -> None:
        """The device is up: what comes before the first step."""

    # --- what all have

    def work(self, least: int, most: int) -> None:
        """Bring the device up, take so many steps, look at everything after each."""
        plan = self.plan
        plan.enable()
        self.start()
        actions, weights = zip(*self.steps(), strict=True)
        for _ in range(plan.number(least, most)):
            step: Callable[[], None] = plan.rng.choices(actions, weights)[0]
            step()
            plan.look()
        plan.registers()

    def start(self, status: int = DRIVER_OK) -> None:
        """Reset, negotiate, set all queues up; sometimes without DRIVER_OK."""
        plan = self.plan
        plan.reset()
        plan.set_msix(plan.chance(0.5))
        self.negotiate()
        if plan.msix:
            plan.io_w(CONFIG_VECTOR, 2, plan.some_vector())
        self.queues = [PlannedQueue(plan, number, self.page_of(number)) for number in self.queue_numbers()]
        for queue in self.queues:
            queue.set_up(plan.some_vector())
        if plan.chance(self.driver_ok_chance):
            plan.io_w(STATUS, 1, status)
        plan.settle()
        self.started()

    def rules(self, queue: PlannedQueue) -> None:
        """When the queue shall interrupt."""
        if self.plan.features >> F_EVENT_IDX & 1 and self.plan.chance(0.8):
            queue.some_event()
        if self.plan.chance(0.2):
            queue.set_available_flags(self.plan.choose((0, AVAIL_NO_INTERRUPT, AVAIL_NO_INTERRUPT, 0xFFFE)))

    def look_around(self) -> None:
        """Some looks that leave the work as it is, but for masks and the ISR."""
        for _ in range(self.plan.number(1, 4)):
            gentle(self.plan)

    def make_noise(self) -> None:
        """Random accesses of any kind; then all anew."""
        for _ in range(self.plan.number(1, 8)):
            harsh(self.plan)
        self.plan.enable()
        self.start()

    def reset_machine(self) -> None:
        """Power off and on."""
        self.plan.cold_reset()
        self.start()
