"""What a faulty copy and the simulation that runs it must agree on."""

from __future__ import annotations

# The package of the copy that holds which faults are on, and its file.
PACKAGE_NAME = "planted_faults"
FILE_NAME = "rtl/planted_faults.sv"
# The plusargs that turn faults on, each one.
FAULT_PLUSARGS = ("fault", "second_fault")
