"""From a recipe to its stages: the only place that knows how stages follow one another."""
