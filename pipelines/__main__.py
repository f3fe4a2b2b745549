"""`python -m pipelines` is `coupage`."""

from pipelines.cli import main

main()
