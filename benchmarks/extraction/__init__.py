"""How well extractors find the text, code, tables and formulas of real pages, and how fast."""
