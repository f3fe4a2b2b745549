"""Ablations and the search for weights, on arms and grids whose truth is known."""
