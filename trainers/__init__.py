"""What learns from shards: loader, variable-length attention, training and evaluation."""
