"""Order: the mixture that a model has seen after each row, against the random draws of the datasets library.

    python -m benchmarks.order

Three ways to mix the same documents of 12 groups by the same weights, each row 2,048 tokens:

- quota order: `mixers.plan.plan_mixture`;
- random rows: packed rows, drawn by `datasets.interleave_datasets` with the weights as probabilities;
- random documents: whole documents drawn so, to be joined and cut into rows, as is common.

Prints how far each strays from the weights and writes ``docs/figures/order.svg`` (needs matplotlib).
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, interleave_datasets

from mixers.budget import Mixture
from mixers.plan import plan_mixture

SEQUENCE_LENGTH = 2048
TOKENS = 4000 * SEQUENCE_LENGTH
WEIGHTS = {f"group{number}": 0.6**number for number in range(12)}
SHARES = np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values())


def simulated_documents():
    """Groups differ in the typical length of their documents: from short answers to books."""
    rng = np.random.default_rng(0)
    medians = rng.permutation(np.geomspace(80, 8000, len(WEIGHTS)))
    tokens = [
        np.clip(rng.lognormal(np.log(median), 1, int(4 * TOKENS * share / median) + 50), 4, 200_000)
        for median, share in zip(medians, SHARES, strict=True)
    ]
    lengths = np.concatenate(tokens).astype(np.int64)
    groups = np.repeat(list(WEIGHTS), [len(part) for part in tokens])
    return pa.table(
        {
            "group": groups,
            "tokens": lengths,
            "bytes": 4 * lengths,
            "indivisible": pa.array(np.zeros(len(lengths), bool)),
        }
    )


def drawn(tokens, group):
    """The tokens and groups that `interleave_datasets` gives until a group is used up."""
    parts = [
        Dataset.from_dict(
            {"tokens": tokens[group == number], "group": np.full((group == number).sum(), number)}
        )
        for number in range(len(WEIGHTS))
    ]
    mixed = interleave_datasets(parts, probabilities=SHARES, seed=0, stopping_strategy="first_exhausted")
    return np.array(mixed["tokens"]), np.array(mixed["group"])


def deviations(tokens, group):
    """After each item the tokens of all, and the largest distance of a group from its share of them."""
    seen = np.cumsum(tokens)
    worst = np.zeros(len(tokens))
    for number, share in enumerate(SHARES):
        np.maximum(worst, np.abs(np.cumsum(tokens * (group == number)) - share * seen), out=worst)
    return seen, worst


def measure():
    """For each way its tokens and groups in training order."""
    documents = simulated_documents()

    def columns(table):
        numbers = {name: number for number, name in enumerate(WEIGHTS)}
        return table["tokens"].to_numpy(), np.array([numbers[name] for name in table["group"].to_pylist()])

    def rows_of(tokens):
        mixture = Mixture(tokens=tokens, weights=WEIGHTS, sequence_length=SEQUENCE_LENGTH)
        return plan_mixture(documents, mixture, seed=0).rows

    ways = {
        "quota order": columns(rows_of(TOKENS)),
        "random rows": drawn(*columns(rows_of(2 * TOKENS))),
        "random documents": drawn(*columns(documents)),
    }
    enough = {name: np.searchsorted(np.cumsum(tokens), TOKENS) + 1 for name, (tokens, _) in ways.items()}
    return {name: (tokens[: enough[name]], group[: enough[name]]) for name, (tokens, group) in ways.items()}


def plot(ways, file):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "order"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for name, (tokens, group) in ways.items():
        seen, worst = deviations(tokens, group)
        shown = np.unique(np.linspace(0, len(seen) - 1, 1500).astype(int))
        axes.plot(seen[shown] / 1e6, worst[shown] / SEQUENCE_LENGTH, label=name, linewidth=1)
    axes.axhline(1, color="grey", linestyle=":", label="one row: the promise")
    axes.set(xlabel="million tokens seen", ylabel="largest distance from a quota, in rows", yscale="log")
    axes.set_xlim(0, TOKENS / 1e6)
    figure.legend(loc="outside upper center", ncols=4)
    figure.savefig(file, metadata={"Date": None})


def main():
    ways = measure()
    for name, (tokens, group) in ways.items():
        seen, worst = deviations(tokens, group)
        built = np.bincount(group, weights=tokens, minlength=len(SHARES)) / tokens.sum()
        off = int(np.argmax(np.abs(built - SHARES)))
        print(
            f"{name:>16}: at most {worst.max() / SEQUENCE_LENGTH:8.2f} rows from a quota "
            f"in {seen[-1] / 1e6:.1f} M tokens; worst share {built[off]:.2%}, asked {SHARES[off]:.2%}"
        )
    plot(ways, Path(__file__).parents[1] / "docs/figures/order.svg")


if __name__ == "__main__":
    main()
