"""How much memory a process has needed."""

import resource
import sys


def peak_memory() -> int:
    """Largest number of bytes so far: of the GPU if there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
