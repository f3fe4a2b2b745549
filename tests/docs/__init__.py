"""The documentation: its site is built, its tutorial is followed."""
