"""UVM agents on the pins of the function under test."""
