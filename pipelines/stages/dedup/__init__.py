"""Deduplication, a stage a file: preference, candidates, texts of pairs, verified pairs, survivors."""
