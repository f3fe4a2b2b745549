"""Peak memory of the loss, forward and backward, in chunks and with a whole matrix of logits.

python benchmarks/loss_memory.py [--vocabulary N] [--tokens N] [--hidden N] [--device cpu|cuda]

Each way has a process of its own. Hidden states, output head and a gradient for each exist before; given is
what the peak adds to them: on a CPU of the resident set, on a GPU of what is allocated.
"""

import argparse
import multiprocessing
import resource
import sys
import time

WAYS = ("chunks", "whole")


def measure(way: str, vocabulary: int, tokens: int, hidden: int, device: str) -> tuple[float, int, float]:
    """The loss, the bytes that it added at its peak, and its seconds."""
    import torch
    from torch.nn.functional import cross_entropy

    from trainers.loss import linear_cross_entropy

    torch.manual_seed(0)
    states = torch.randn(tokens, hidden, device=device, requires_grad=True)
    head = torch.randn(vocabulary, hidden, device=device).div_(hidden**0.5).requires_grad_()
    for parameter in (states, head):
        parameter.grad = torch.zeros_like(parameter).fill_(1e-30)  # filled, so that its pages exist
    targets = torch.randint(0, vocabulary, (tokens,), device=device)
    small = torch.randn(64, 64, device=device, requires_grad=True)
    cross_entropy(small @ small.T, targets[:64] % 64).backward()  # libraries load what they need
    before = peak(device)
    started = time.perf_counter()
    if way == "chunks":
        loss = linear_cross_entropy(states, head, targets, tokens)
    else:
        loss = cross_entropy((states @ head.T).float(), targets)
    loss.backward()
    value = loss.item()
    return value, peak(device) - before, time.perf_counter() - started


def peak(device: str) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("vocabulary", 151_936), ("tokens", 4096), ("hidden", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    print(f"vocabulary {arguments.vocabulary:,}, {arguments.tokens:,} tokens, width {arguments.hidden:,}")
    for way in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            loss, added, seconds = pool.apply(measure, (way, *vars(arguments).values()))
        print(f"{way:<7} {added / 2**30:6.2f} GiB   {seconds:6.1f} s   loss {loss:.6f}")


if __name__ == "__main__":
    main()
