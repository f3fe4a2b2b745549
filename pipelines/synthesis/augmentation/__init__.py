"""Knowledge augmentation, a way a file; entities, and passages on the same topic."""
