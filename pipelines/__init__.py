"""How a recipe becomes work: recipe, plan, stages, executors, sources, lineage, report, command line."""

__all__ = [
    "commands",
    "errors",
    "recipe",
]
