"""The curves of `benchmarks.vocabulary.models`: bits per byte over training tokens (needs matplotlib).

python -m benchmarks.vocabulary.figure RESULTS.json FIGURE.svg
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.student import half_interval

COLOURS = {
    "extended": "tab:green",
    "replaced": "tab:blue",
    "all weights": "tab:red",
    "embeddings": "tab:orange",
}
NAMES = {
    "extended": "extended, embeddings only",
    "replaced": "replaced, embeddings only",
    "all weights": "old vocabulary, all weights",
    "embeddings": "old vocabulary, embeddings only",
}


def draw(results: dict[str, Any], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "vocabulary"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for axes, language in zip(panels, ("Russian", "English"), strict=True):
        for arm in results["seeds"][0]["arms"]:
            tokens, mean, half = _curve(results, arm, language)
            axes.plot(tokens, mean, label=NAMES[arm] if language == "Russian" else None, color=COLOURS[arm])
            axes.fill_between(tokens, mean - half, mean + half, color=COLOURS[arm], alpha=0.15, linewidth=0)
        axes.set(xlabel="million tokens trained on", ylabel="bits per byte", title=f"held-out {language}")
    base = np.mean([one["base"]["curve"][-1]["English"] for one in results["seeds"]])
    panels[1].axhspan(0.99 * base, 1.01 * base, color="grey", alpha=0.15, label="the base ± 1 %", linewidth=0)
    figure.legend(loc="outside upper center", ncols=3)
    figure.savefig(file, metadata={"Date": None})


def _curve(results: dict[str, Any], arm: str, language: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Million tokens, the mean over seeds, and half its 95 % interval."""
    curves = [one["arms"][arm]["curve"] for one in results["seeds"]]
    values = np.array([[point[language] for point in curve] for curve in curves])
    tokens = np.array([point["tokens"] for point in curves[0]]) / 1e6
    return tokens, values.mean(axis=0), half_interval(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    options = parser.parse_args()
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    draw(json.loads(options.results.read_text()), options.figure)


if __name__ == "__main__":
    main()
