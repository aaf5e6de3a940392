"""The golden model as the judge: observed facts go in, verdicts come out."""
