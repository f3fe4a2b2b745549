"""The commands, one file each: what a person types, and what the person is shown."""
