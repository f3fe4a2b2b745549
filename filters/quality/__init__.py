"""Quality: signals by family, and the rules over them."""
