"""Classifiers: fastText and linear heads, their validation, percentiles."""
