"""Whether the verdicts of `coupage outcome` fall on the models that have the faults."""
