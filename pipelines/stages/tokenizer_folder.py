"""The folder of a tokenizer in the output of a stage."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipelines.execution.output import Output
from tokenizer_tools.load import TokenizerFiles

FOLDER = "tokenizer"


def write_tokenizer(files: TokenizerFiles, output: Output) -> None:
    """Write the folder, which `AutoTokenizer.from_pretrained` opens."""
    with tempfile.TemporaryDirectory() as temporary:
        files.save(temporary)
        output.copy_folder(Path(temporary), FOLDER)
