"""What new text must pass before it becomes a document, one check a file."""
