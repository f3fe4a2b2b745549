"""The survey of a source's documents: how signals lie, samples of each verdict, and hosts."""
