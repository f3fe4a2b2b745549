"""Where the tasks of a stage run: on this machine's cores, under Slurm, under Ray."""
