"""Coverage-guided fuzzing: random guests and hosts that evolve towards new states of the function."""
