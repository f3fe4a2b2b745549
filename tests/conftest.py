"""For all tests: one thread a process.

What the tests compute is so small that threads would only wait for each other. The variables are read when
torch and numpy are imported, and by the processes that tests start.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
