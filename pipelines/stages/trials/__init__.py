"""Trials: short trainings on mixtures, to tell what a mixture is worth."""
