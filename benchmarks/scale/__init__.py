"""The reducing stages at scale: sidecars of documents without texts, and what the stages need for them."""
