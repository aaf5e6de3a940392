"""`make oracle`: the golden model against recorded traces of QEMU, or those in the folder TRACES."""

from __future__ import annotations

from tb.flow.variables import Variables
from tb.oracle.__main__ import main


def run(variables: Variables) -> int:
    """Exit status of the oracle: 0 only without a difference."""
    arguments = [] if variables.profile is None else ["--profile", variables.profile]
    if variables.traces is not None:
        arguments.append(str(variables.traces))
    return main(arguments)
