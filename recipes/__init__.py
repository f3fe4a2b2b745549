"""The recipes shipped with the program, one YAML file each."""
