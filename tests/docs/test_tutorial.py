"""The tutorial, followed by the letter: its files are saved, its commands are given, in their order."""

import re
import subprocess
import sys
from pathlib import Path

from tests.pipelines.command_line import environment

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_the_tutorial_leads_to_a_model_that_answers(tmp_path):
    said = ""
    for language, name, text in BLOCK.findall(PAGE.read_text()):
        if name:
            (tmp_path / name).write_text(text)
        elif language == "sh":
            for line in text.splitlines():
                said = _given(line, tmp_path)
    assert "<|im_start|>assistant" in said
    assert (tmp_path / "runs/mine/report.html").is_file()


def _given(line: str, folder: Path) -> str:
    program, *arguments = line.split()
    module = {"coupage": ["-m", "pipelines"], "python": []}[program]
    command = [sys.executable, *module, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout
