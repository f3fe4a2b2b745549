"""What a mixture is: budgets, packing, order, shards and the ledger that proves them."""
