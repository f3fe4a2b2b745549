"""How well a tokenizer fits texts, what it costs there, and whether it is worth changing."""

__all__ = ["coverage", "recommendation", "trial"]
