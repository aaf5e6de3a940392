"""`python -m tb.oracle [--profile NAME|FILE] [DIRECTORY]`: hold the golden model against recorded traces.

Exit status 0: no difference. 1: differences, or a trace that cannot be replayed. 2: nothing could be done.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tb.models.profile import Profile, ProfileError, load_profile
from tb.oracle.decode import first_mismatch, shown
from tb.oracle.replay import Difference, Result, replay
from tb.oracle.trace import TraceError, find

RECORDED = Path(__file__).parents[2] / "tests" / "data" / "qemu"
SHOWN = 4  # differences of one file that are told in full


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def report(result: Result, name: str) -> None:
    """One line a file; below it what is wrong with it, if anything."""
    if result.fault:
        say(f"{name}: cannot be replayed: {result.fault}")
        return
    count = len(result.differences)
    say(
        f"{name}: {result.observations} observations, {count} {'difference' if count == 1 else 'differences'}"
    )
    for difference in result.differences[:SHOWN]:
        say("  " + sentence(difference))
    if count > SHOWN:
        say(f"  and {count - SHOWN} more")
    for option in result.unmodelled:
        say(f"  note: the device option {option} has no model and was left out")
    for command in dict.fromkeys(result.skipped):
        say(f"  note: the host command {command} has no model and was left out")


def sentence(difference: Difference) -> str:
    """What was looked at, what was recorded, what the model says, and the rule it belongs to."""
    row = difference.row
    expected, saw = difference.expected, difference.saw
    width = f", {row['size']} bytes" if "size" in row else ""
    return (
        f"line {difference.line}: {difference.place} ({row['op']}{width}): "
        f"expected {shown(expected, row)}, seen {shown(saw, row)}{first_mismatch(expected, saw)} "
        f"[{difference.rule}]"
    )


def run(directory: Path, profile: Profile) -> int:
    """Replay every trace below ``directory``, or the one that it is; returns the exit status."""
    started = time.perf_counter()
    results = []
    for path in find(directory):
        result = replay(path, profile)
        report(result, path.name if path == directory else path.relative_to(directory).as_posix())
        results.append(result)
    observations = sum(result.observations for result in results)
    differences = sum(len(result.differences) for result in results)
    faults = [result for result in results if result.fault]
    if faults:
        say(f"{len(faults)} of {len(results)} traces cannot be replayed")
    say(
        f"oracle: {len(results)} files, {observations} observations, {differences} differences, "
        f"{time.perf_counter() - started:.2f} s"
    )
    return 1 if differences or faults else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="oracle", description="Hold the golden model against recorded traces."
    )
    parser.add_argument("directory", nargs="?", type=Path, default=RECORDED, help="where the traces are")
    parser.add_argument("--profile", default="QEMU_7_2", help="name of a shipped profile, or a TOML file")
    chosen = parser.parse_args(arguments)
    try:
        return run(chosen.directory, load_profile(chosen.profile))
    except (TraceError, ProfileError) as error:
        sys.stderr.write(f"oracle: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
