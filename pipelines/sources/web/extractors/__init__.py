"""Extractors: what finds the text of a page. A new one is a file here and a line in `EXTRACTORS`."""
