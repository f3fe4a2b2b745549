"""What a document is: text kernels, signals, rules, duplicates. Arrow in, Arrow out; no files."""

__all__ = [
    "classify",
    "dedup",
    "edits",
    "language",
    "pii",
    "quality",
    "text",
]
