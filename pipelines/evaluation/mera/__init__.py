"""MERA, the benchmark of Russian: asked, scored where answers are open, and archived for its site."""
