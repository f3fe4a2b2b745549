"""From the LaTeX of a paper to readable text: its files, its macros, its structure."""
