"""Makes what licences are recognised by, `pipelines/sources/licences/spdx_list/`, from the SPDX License List.

    npm pack spdx-license-list && tar xzf spdx-license-list-*.tgz
    python -m benchmarks.licences.make_templates package

The package (CC0-1.0) is SPDX's list with the text of each licence, a JSON file each.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.sources.licences.spdx import spdx_id
from pipelines.sources.licences.templates import runs

FOLDER = Path(__file__).parents[2] / "pipelines/sources/licences/spdx_list"
CUT = "..."
"""All that follows is left out."""
RECOGNISED = """
0BSD AFL-3.0 AGPL-3.0-only APSL-2.0 Apache-1.1 Apache-2.0 Artistic-1.0-Perl Artistic-2.0 BSD-1-Clause
BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-3-Clause-LBNL BSD-4-Clause
BSD-Source-Code BSL-1.0 BUSL-1.1 BlueOak-1.0.0 CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0
CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-ND-3.0
CC-BY-ND-4.0 CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1
CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 CECILL-2.1 CECILL-B CECILL-C CPL-1.0 ECL-2.0
EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 Elastic-2.0 FTL GFDL-1.1-only GFDL-1.2-only GFDL-1.3-only GPL-1.0-only
GPL-2.0-only GPL-3.0-only HPND ICU IJG ISC LGPL-2.0-only LGPL-2.1-only LGPL-3.0-only LPPL-1.3c Libpng MIT
MIT-0 MIT-CMU MPL-1.0 MPL-1.1 MPL-2.0 MS-PL MS-RL MulanPSL-2.0 NCSA OFL-1.1 ODC-By-1.0 ODbL-1.0 OSL-3.0
OpenSSL PDDL-1.0 PHP-3.01 PSF-2.0 PostgreSQL Python-2.0 QPL-1.0 Ruby SSPL-1.0 Sleepycat UPL-1.0 Unicode-3.0
Unicode-DFS-2016 Unlicense Vim W3C WTFPL X11 ZPL-2.1 Zlib bzip2-1.0.6 curl libpng-2.0 libtiff
""".split()

NAMES = "Neither the name of the copyright holder nor the names of its contributors may"
AUTHOR = {
    "THE COPYRIGHT HOLDERS AND CONTRIBUTORS": "THE AUTHOR",
    "THE COPYRIGHT HOLDER OR CONTRIBUTORS": "THE AUTHOR",
}
WORDINGS: dict[str, list[dict[str, str]]] = {
    "BSD-2-Clause": [AUTHOR],
    "BSD-3-Clause": [
        {NAMES: "The names of its contributors may not"},
        {NAMES: "The name of the author may not", **AUTHOR},
    ],
    "BSD-4-Clause": [{NAMES: "The name of the author may not"}],
    "ISC": [{"ISC DISCLAIMS": "THE AUTHOR DISCLAIMS", "ISC BE": "THE AUTHOR BE"}],
    "LGPL-3.0-only": [{"GNU GENERAL PUBLIC LICENSE": CUT}],
}
"""Other wordings of licences: what is replaced in each, by what."""


def wordings(key: str, text: str) -> Iterator[str]:
    """The text of a licence, and the other wordings of it."""
    yield text
    for replaced in WORDINGS.get(key, ()):
        other = re.sub(r"(?<=\S)[ \t]*\n[ \t]*(?=\S)", " ", text)
        for old, new in replaced.items():
            before, found, after = other.partition(old)
            assert found, (key, old)
            other = before if new == CUT else before + new + after
        yield other


def main(package: Path) -> None:
    listed = json.loads((package / "spdx.json").read_bytes())
    names = {key: listed[key]["name"] for key in sorted(listed)}
    (FOLDER / "names.json").write_text(json.dumps(names, ensure_ascii=False, indent=0) + "\n")
    texts = [
        (key, runs(wording))
        for key in RECOGNISED
        for wording in wordings(
            key, json.loads((package / f"licenses/{key}.json").read_bytes())["licenseText"]
        )
    ]
    assert all(spdx_id(key) == key for key, _ in texts)
    distinct = [np.unique(of) for _, of in texts]
    np.savez_compressed(
        FOLDER / "templates.npz",
        ids=np.array([key for key, _ in texts]),
        starts=np.cumsum([0, *map(len, distinct[:-1])]),
        runs=np.concatenate(distinct),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
