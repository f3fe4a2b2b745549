"""New documents made from corpus documents: each names its parent."""
