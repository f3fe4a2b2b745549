"""How work is done: stages, their output and manifests, seals, locks."""
