"""The site of the documentation: it is built, and every link and anchor in it leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_no_link_leads_nowhere_and_every_page_is_in_the_menu(site):
    assert (site / "tutorial" / "index.html").is_file()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("recipe", ["mixtures.NAME", "sequence_length", "train.NAME.optimizer", "held_out.tokens_per_group"]),
        ("commands", ["coupage run", "--until", "coupage recipe new", "coupage shards export", "--format"]),
    ],
)
def test_the_reference_is_made_from_the_program(site, page, words):
    text = (site / "reference" / page / "index.html").read_text()
    assert all(word in text for word in words)
