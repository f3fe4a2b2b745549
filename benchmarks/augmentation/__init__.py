"""Whether knowledge augmentation teaches a model more than the same number of tokens of anything else."""
