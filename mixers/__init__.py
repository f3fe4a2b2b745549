"""What a mixture is: budgets, packing, order, shards and the ledger that proves them."""

__all__ = [
    "budget",
    "export",
    "gather",
    "groups",
    "layout",
    "ledger",
    "order",
    "packing",
    "plan",
    "search",
    "shard_index",
    "shards",
]
