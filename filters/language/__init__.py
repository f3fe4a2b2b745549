"""The language of documents: identification and codes."""
