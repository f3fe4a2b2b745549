"""The stages of a run, one file each: a stage is a pure function of its inputs, settings and version."""
