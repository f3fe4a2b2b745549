"""Contamination: recall, precision by mechanism, spans, rewritten code and speed, on real benchmarks.

    python -m benchmarks.contamination --data DIR [--quick] [--seed N] [PART...]

Run from the project's root. DIR holds the public data files that data.py names, a folder for each source.
PARTs:

- `data`: the hard negatives by mechanism, and how many are left out because they hold an item word by word;
- `planting`: recall of planted items by edits (asked and measured), benchmark, form and place; spans; Russian
  beside English;
- `negatives`: alarms by mechanism on hard negatives; `alarms`: every alarm on real text, with its excerpt;
- `rewritten`: HumanEval rewritten in Python and JavaScript, by normalised tokens and structure alone;
- `speed`: sizes of the index, beside `annotate`, and beside `decontaminate` of PyPI, which needs
  `pip install decontaminate` in an environment of its own: `--peer PATH/TO/python` names its Python.

Everything is drawn with one seed. `--quick` takes a sample.
"""
