"""How well a search for mixtures finds the best one."""
