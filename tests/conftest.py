"""For all tests: one thread a process, and no test fails because the machine is busy.

What the tests compute is so small that threads would only wait for each other. The variables are read when
torch and numpy are imported, and by the processes that tests start.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
