"""Offers one function to one virtual machine, from the socket's opening to the results, for any target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tb.guest_vm.file_disk import FileDisk
from tb.guest_vm.server_options import ServerOptions, ServerResults
from tb.guest_vm.watched import WatchedFunction
from tb.vfio_user.function import Function
from tb.vfio_user.server import Listener, serve
from tb.vfio_user.session import Session


async def offer(
    function: Function, disk: FileDisk, options: ServerOptions, stop: Callable[[], str | None] = lambda: None
) -> ServerResults:
    """Serve the first client that comes until it leaves, or `stop` gives a reason (a sentence).

    Scores and clocks are the caller's to fill in.

    The wait for the client blocks this process, which is what a simulation with nothing to do should do.
    """
    results = ServerResults()
    with Listener(Path(options.socket)) as listener, open(options.accesses, "w", encoding="utf-8") as log:
        connection = listener.accept(options.client_limit_s)
        if connection is None:
            results.ending = f"no client came within {options.client_limit_s:.0f} s"
            return results
        listener.close()  # one client only: the socket's file goes as soon as it is there
        watched = WatchedFunction(function, log)
        session, ending = await serve(connection, watched, options.mode, stop)
    results.ending, results.client_left = ending.sentence, ending.client_left
    results.accesses = [(*key, count) for key, count in sorted(watched.accesses.items())]
    results.requests, results.bytes = dict(disk.requests), dict(disk.bytes)
    _add_session(results, session)
    return results


def _add_session(results: ServerResults, session: Session) -> None:
    counts = session.counts
    results.resets = counts.resets
    results.protocol_errors = session.errors
    results.interrupts = {
        "MSI-X messages": counts.interrupts.messages,
        "MSI-X events": counts.interrupts.events,
        "INTx events": counts.interrupts.lines,
        "dropped": counts.interrupts.dropped,
    }
