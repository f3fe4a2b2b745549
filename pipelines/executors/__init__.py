"""Where the tasks of a stage run: on this machine's cores or on a cluster."""
