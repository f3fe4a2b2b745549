"""What texts cost in tokens, and in money where a price is known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """Text that a model is trained on, or reads and writes."""

    bytes: int
    price: float | None = None
    """Of a million tokens."""

    def cost(self, bytes_per_token: float) -> dict[str, float | None]:
        """Its `tokens`, and their `money`.

        Assumes that the text is like the sample, and that all tokens cost the same: a larger vocabulary makes
        the head dearer, a shorter text makes attention cheaper, and neither is counted.
        """
        tokens = self.bytes / bytes_per_token
        money = None if self.price is None else tokens / 1e6 * self.price
        return {"tokens": tokens, "money": money}


def new_parameters(tokens: int, hidden_size: int) -> int:
    """Parameters that new tokens add: a row of the embeddings and one of the head, which may be the same."""
    return 2 * tokens * hidden_size
