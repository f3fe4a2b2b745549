"""Contamination: items of benchmarks in documents. Semantic: in other words, or in another language."""
