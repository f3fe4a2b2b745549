"""Classifiers: what a recipe says of them, how they are trained, and how they are applied to texts."""
