"""What learns from shards: loader, variable-length attention, isolation proof, training, evaluation.

A row of the shards is a pack of documents and row order is training order. The trainers know the shard format
and nothing of pipelines. Importing this package, or `trainers.config`, loads no torch.
"""

__all__ = [
    "config",
    "evaluate",
    "isolation",
    "loader",
    "model",
    "train",
]
