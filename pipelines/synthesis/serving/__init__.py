"""vLLM on this machine: one server for all processes of a node, watched, gone with the last of them."""
