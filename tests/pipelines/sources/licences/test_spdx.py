"""What is declared as a licence, and the SPDX expression that it becomes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.licences.spdx import LONGEST, UNKNOWN, known_id, operands, spdx_id, spdx_of_all

DECLARED = {
    "odc-by": "ODC-By-1.0",
    "apache-2.0": "Apache-2.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc0-1.0": "CC0-1.0",
    "mit": "MIT",
    "bsd": "LicenseRef-bsd",
    "other": "LicenseRef-other",
    "llama3.1": "LicenseRef-llama3.1",
    "permissive": "LicenseRef-permissive",
    "public-domain": "LicenseRef-public-domain",
    "no_license": UNKNOWN,
    "unknown": UNKNOWN,
    "": UNKNOWN,
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD (3 clause)": "BSD-3-Clause",
    "New BSD License": "BSD-3-Clause",
    "The MIT License (MIT)": "MIT",
    "GPLv3": "GPL-3.0-only",
    "GPLv2+": "GPL-2.0-or-later",
    "GPL (>= 2)": "GPL-2.0-or-later",
    "GNU GPL v2 or later": "GPL-2.0-or-later",
    "GNU Affero General Public License v3.0": "AGPL-3.0-only",
    "CC BY-SA 4.0 International": "CC-BY-SA-4.0",
    "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International": "CC-BY-NC-SA-4.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved": UNKNOWN,
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: zlib/libpng License": "Zlib",
    "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "MIT OR Apache-2.0": "Apache-2.0 OR MIT",
    "mit or apache 2.0": "Apache-2.0 OR MIT",
    "MIT/Apache-2.0": "Apache-2.0 OR MIT",
    "MIT, Apache 2.0": "Apache-2.0 AND MIT",
    "Public domain in the USA.": "LicenseRef-public-domain",
    "http://www.gnu.org/copyleft/fdl.xhtml": "GFDL-1.1-or-later",
    "(MIT) OR (ISC)": "ISC OR MIT",
    "MIT and (ISC)": "ISC AND MIT",
    "(MIT OR Apache-2.0) AND Unicode-3.0": "Unicode-3.0 AND (Apache-2.0 OR MIT)",
    "GPL-2.0+ WITH Classpath-exception-2.0": "GPL-2.0-or-later WITH Classpath-exception-2.0",
    "MIT OR Our Own": "LicenseRef-our-own OR MIT",
    "free for research, see the web page": "LicenseRef-free-for-research-see-the-web-page",
    "https://creativecommons.org/licenses/by/4.0": "CC-BY-4.0",
    "http://creativecommons.org/licenses/by-nc-sa/3.0/deed.ru": "CC-BY-NC-SA-3.0",
    "https://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0",
    "https://opensource.org/licenses/MIT": "MIT",
    "https://www.apache.org/licenses/LICENSE-2.0.txt": "Apache-2.0",
    "https://www.gnu.org/licenses/gpl-3.0.html": "GPL-3.0-only",
    "https://opendatacommons.org/licenses/by/1.0/": "ODC-By-1.0",
    "https://www.mozilla.org/en-US/MPL/2.0/": "MPL-2.0",
    "MIT (https://opensource.org/licenses/MIT)": "MIT",
}


@pytest.mark.parametrize(("declared", "expression"), DECLARED.items())
def test_what_is_declared_has_its_expression(declared, expression):
    assert spdx_id(declared) == expression


PIECES = [*DECLARED, "(", ")", " and ", " OR ", " WITH ", ",", "/", "+", " or later", "LicenseRef-a-or-b"]


@settings(deadline=None)
@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(PIECES), max_size=9).map("".join),
        st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join),
    )
)
def test_an_expression_is_its_own_and_of_known_characters(declared):
    expression = spdx_id(declared)
    assert spdx_id(expression) == expression
    assert expression.isascii() and expression.isprintable() and len(expression) <= LONGEST
    assert known_id(declared) in (None, expression)


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(DECLARED.values())), max_size=5))
def test_of_several_all_hold(names):
    found = spdx_of_all(names)
    expected = {one for name in names if name != UNKNOWN for one in operands(name)}
    if any(" OR " in name for name in names):  # what is said twice may be said once
        assert set(operands(found)) <= expected
    else:
        assert (set(operands(found)) if found != UNKNOWN else set()) == expected


def test_names_in_other_scripts_stay_apart():
    assert spdx_id("Лицензия") != spdx_id("许可证")
    assert spdx_id("Лицензия").startswith("LicenseRef-")
