"""Classifiers in a run: examples, models, training, scores, verdicts by percentile."""
