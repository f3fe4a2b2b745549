"""Edits of text, made once when documents come in."""
