"""Contamination: items of benchmarks in documents, with the span and what of the item is there."""
