"""Evaluation of a trained model beside its base: loss, benchmarks, language, facts in long texts."""
