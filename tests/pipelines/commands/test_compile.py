"""`coupage compile` compiles what runs will need, and no run needs a folder to keep it in."""

import subprocess
import sys

from tests.pipelines.command_line import ROOT, environment

NOT_COMPILED = """if True:
    import contextlib, sys
    from numba.core.dispatcher import Dispatcher
    from pipelines.commands import compile, run
    from pipelines.execution.executors.base import run_task

    def signatures():
        packages = ("filters", "mixers", "tokenizer_tools")
        modules = [m for name, m in list(sys.modules.items()) if name.startswith(packages)]
        kernels = {d for m in modules for d in vars(m).values() if isinstance(d, Dispatcher)}
        return {(d.py_func.__module__, d.py_func.__name__, str(s)) for d in kernels for s in d.signatures}

    class InThisProcess(contextlib.nullcontext):
        def run(self, schedule):
            while taken := schedule.take():
                run_task(taken[0].stage, schedule.workdir, taken[0].task)
                schedule.done(taken[0])

    for call in compile.calls():
        call()
    compiled = signatures()
    run.make_executor = lambda *_: InThisProcess()
    run.run(sys.argv[1], workdir=sys.argv[2])
    print(len(compiled), *sorted(signatures() - compiled), sep="\\n")
"""

UNWRITABLE = """if True:
    from numba.core import caching

    def refuse(self):
        raise PermissionError("read-only")

    caching._CacheLocator.ensure_cache_path = refuse
    import numpy as np
    from filters.text.json_elements import ElementEnds
    from mixers.gather import gather_segments

    assert ElementEnds().find(b"[1,2]").tolist() == [2, 4]
    out, first, two = np.zeros(2), np.zeros(1, int), np.full(1, 2)
    gather_segments(np.arange(2.0), first, two, out, first)
    assert out.tolist() == [0, 1]
"""


def run_python(code: str, *arguments: object) -> list[str]:
    """The lines that code prints in a process of its own."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_says_what_it_does(coupage_process):
    said = coupage_process("compile", "--workers", 1).stdout.splitlines()
    assert said[0].startswith("compiling kernels in 1 process")
    assert said[-1].startswith("kernels compiled in ")


def test_a_run_finds_every_kernel_compiled(recipe, tmp_path):
    number, *missing = run_python(NOT_COMPILED, recipe, tmp_path / "run")
    assert int(number) > 50
    assert not missing


def test_kernels_work_where_nothing_can_be_written():
    run_python(UNWRITABLE)
