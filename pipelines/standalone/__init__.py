"""The commands that need no recipe: each part of the program on the user's own files, shards and models."""
