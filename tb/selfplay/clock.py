"""Simulated time: tasks that wait for a while or for each other, run in the order of their times."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any, TypeVar

_T = TypeVar("_T")


class Signal:
    """Something that happens once; whoever waits for it gets its value."""

    __slots__ = ("done", "value", "waiters")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.waiters: list[Task] = []


Wait = int | Signal
Steps = Generator[Wait, Any, _T]
"""What a task runs: it yields nanoseconds to sleep, or a signal to wait for."""


class Task:
    """A running generator. `alive` is taken away to stop it: it is then never resumed."""

    __slots__ = ("alive", "steps")

    def __init__(self, steps: Steps[Any]) -> None:
        self.steps = steps
        self.alive = True


class Clock:
    """Runs tasks and calls. `now` is in ns and never falls."""

    def __init__(self) -> None:
        self.now = 0
        self._turn = 0
        self._heap: list[tuple[int, int, Task | Callable[[], None], Any]] = []

    def spawn(self, steps: Steps[Any], delay: int = 0) -> Task:
        """Start a task `delay` ns from now."""
        task = Task(steps)
        self._push(delay, task, None)
        return task

    def call(self, delay: int, what: Callable[[], None]) -> None:
        """Call `what` in `delay` ns."""
        self._push(delay, what, None)

    def fire(self, signal: Signal, value: Any = None) -> None:
        """The signal happens now; its waiters go on in this moment, after what runs."""
        if signal.done:
            return
        signal.done, signal.value = True, value
        for task in signal.waiters:
            self._push(0, task, value)
        signal.waiters.clear()

    def clear(self) -> None:
        """Forget everything that was to happen."""
        self._heap.clear()

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Let time pass until nothing is left to happen, or `goes_on` says no between two things."""
        heap = self._heap
        while heap and goes_on():
            self.now, _, what, value = heappop(heap)
            if not isinstance(what, Task):
                what()
            elif what.alive:
                self._step(what, value)

    def _step(self, task: Task, value: Any) -> None:
        try:
            wait = task.steps.send(value)
        except StopIteration:
            task.alive = False
            return
        if isinstance(wait, Signal):
            if wait.done:
                self._push(0, task, wait.value)
            else:
                wait.waiters.append(task)
        else:
            self._push(wait, task, None)

    def _push(self, delay: int, what: Task | Callable[[], None], value: Any) -> None:
        self._turn += 1
        heappush(self._heap, (self.now + delay, self._turn, what, value))
