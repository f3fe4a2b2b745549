"""What publishes a dataset: the card, metadata for machines, the summary that the EU's AI Act asks for."""
