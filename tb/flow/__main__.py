"""`python -m tb.flow <command>`: what the Makefile calls. The variables come in the environment."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from tb.flow.display import complain
from tb.flow.errors import FlowError
from tb.flow.process import die_with_parent
from tb.flow.variables import TAKEN, read_variables

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run one command; its exit status. A FlowError is one sentence on standard error and status 2."""
    if len(arguments) != 1 or arguments[0] not in TAKEN:
        complain(f"usage: python -m tb.flow {'|'.join(TAKEN)}")
        return 2
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = arguments[0]
    try:
        variables = read_variables(command, os.environ)
        return int(importlib.import_module(f"tb.flow.commands.{command}").run(variables))
    except FlowError as error:
        complain(f"make {command}: {error}")
        return 2
    except KeyboardInterrupt:
        complain(f"make {command}: interrupted; no results of this run were written.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
