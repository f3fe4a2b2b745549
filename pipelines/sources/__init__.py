"""Where documents come from: one reader a file, each yielding Arrow tables of the part schema."""
