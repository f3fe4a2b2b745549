"""Documents for the tests of mixers: tables of lengths, and nothing else."""

import numpy as np
import pyarrow as pa


def web_lengths(count, seed=0, median=500, spread=1.1, longest=200_000):
    """Token counts as web text has them: log-normal, from a few tokens to books."""
    lengths = np.random.default_rng(seed).lognormal(np.log(median), spread, count)
    return np.clip(lengths, 3, longest).astype(np.int64)


def table(groups, tokens, indivisible=False, bytes_per_token=4, **columns):
    """A documents table, as `plan_mixture` takes it."""
    tokens = np.asarray(tokens, np.int64)
    return pa.table(
        {
            "group": pa.array(groups, pa.string()).dictionary_encode(),
            "tokens": tokens,
            "bytes": tokens * bytes_per_token + np.arange(len(tokens)) % 5,
            "indivisible": pa.array(np.broadcast_to(indivisible, len(tokens))),
            **columns,
        }
    )


def corpus(sizes, seed=0, **lengths):
    """A table with ``sizes[group]`` documents per group, of web-like lengths, mixed."""
    groups = np.repeat(np.array(list(sizes), dtype=str), list(sizes.values()))
    np.random.default_rng(seed).shuffle(groups)
    return table(groups.tolist(), web_lengths(len(groups), seed, **lengths))
