"""How new documents are made in a run: which documents are asked about, and what comes back."""
