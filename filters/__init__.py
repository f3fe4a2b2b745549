"""What a document is: text kernels, signals, rules, duplicates. Arrow in, Arrow out; no files."""
