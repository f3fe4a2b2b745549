"""Two runs side by side: what was changed from one to the other, and what that changed."""
