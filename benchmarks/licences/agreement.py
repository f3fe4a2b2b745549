"""How often the licence found in the texts of installed packages is the one that their metadata declare.

    python -m benchmarks.licences.agreement [FOLDER of site-packages]

`within`: the declared licences and others, of what is bundled. A text does not say whether later versions may
be chosen.
"""

import re
import sys
import time
from collections import Counter
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pipelines.sources.licences.column import declared_id
from pipelines.sources.licences.spdx import operands, spdx_of_all
from pipelines.sources.licences.texts import licence_of_text

LICENCE_FILE = re.compile(r"dist-info/.*(?:licen[cs]e|copying)[^/]*$", re.IGNORECASE)


def main(folders: list[str]) -> None:
    tally: Counter[tuple[str, str]] = Counter()
    seconds = files = 0.0
    for distribution in sorted(distributions(path=folders or sys.path), key=lambda d: d.metadata["Name"]):
        kind, declared = _declared(distribution)
        texts = _texts(distribution)
        started = time.perf_counter()
        found = [licence_of_text(text) for text in texts]
        seconds, files = seconds + time.perf_counter() - started, files + len(texts)
        outcome = _outcome(declared, found)
        tally[kind, outcome] += 1
        if outcome in ("differs", "nothing found"):
            print(f"{distribution.metadata['Name']:30} {declared} / {found}")
    for (kind, outcome), number in sorted(tally.items()):
        print(f"{kind:20} {outcome:15} {number:5}")
    print(f"{files:.0f} files in {seconds:.1f} s")


def _declared(distribution: Distribution) -> tuple[str, str | None]:
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return "expression", declared_id(expression)
    classifiers = [each for each in metadata.get_all("Classifier") or [] if each.startswith("License ::")]
    return "classifier or field", declared_id(classifiers) or declared_id(metadata.get("License"))


def _texts(distribution: Distribution) -> list[str]:
    paths = [
        Path(str(distribution.locate_file(f)))
        for f in distribution.files or ()
        if LICENCE_FILE.search(str(f))
    ]
    return [path.read_text(errors="replace") for path in paths if path.is_file()]


def _outcome(declared: str | None, found: list[str | None]) -> str:
    if declared is None:
        return "not declared"
    if not found:
        return "no file"
    licences = _plain(spdx_of_all(each for each in found if each))
    if not licences:
        return "nothing found"
    said = _plain(declared)
    return "same" if said == licences else "within" if said <= licences else "differs"


def _plain(expression: str) -> set[str]:
    return {re.sub("-(only|or-later)$", "", each) for each in operands(expression) if each != "unknown"}


if __name__ == "__main__":
    main(sys.argv[1:])
