"""Questions: their kinds, what is checked of code and calculations, and those that docstrings answer."""
