"""Duplicates: exact, MinHash and its candidates, true similarity, survivors, recurring lines."""
