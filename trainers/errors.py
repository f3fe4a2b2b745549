"""What can go wrong in training, for callers that must not load torch to know it."""


class ResumeError(ValueError):
    """The run in the output folder cannot be continued as asked."""


class IsolationError(RuntimeError):
    """The documents of a pack influence each other."""


class TooLittleMemory(RuntimeError):
    """A micro batch does not fit into the memory of the GPU."""
