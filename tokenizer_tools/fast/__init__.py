"""Text to ids by compiled loops over Arrow buffers: cut into words, each looked up or merged."""

__all__ = ["encoder", "word_table"]
