"""The judging half of the golden model: what was seen on the bus goes in, verdicts come out."""
