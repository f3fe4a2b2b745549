"""Licences are known by their texts, also those of the packages that are installed here."""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest

from pipelines.sources.licences.spdx import UNKNOWN, operands, spdx_id, spdx_of_all
from pipelines.sources.licences.texts import licence_of_text
from tests.pipelines.sources.licences.mit import MIT

BSD2 = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this
   list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.
{third}
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
THIRD = """3. Neither the name of Some Body, Inc. nor the names of its contributors may be
   used to endorse or promote products derived from this software without
   specific prior written permission.
"""


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (MIT, "MIT"),
        (MIT.replace("\n", " "), "MIT"),
        ("".join(f" * {line}\n" for line in MIT.splitlines()), "MIT"),
        (BSD2.format(third=""), "BSD-2-Clause"),
        (BSD2.format(third=THIRD), "BSD-3-Clause"),
        (MIT + "\n\n" + BSD2.format(third=THIRD), "BSD-3-Clause AND MIT"),
        (
            f"You may use this under either of these, at your option:\n{MIT}\n{BSD2.format(third='')}",
            "BSD-2-Clause OR MIT",
        ),
        (
            f'"Commons Clause" License Condition v1.0: you may not sell it.\n{MIT}',
            "LicenseRef-commons-clause AND MIT",
        ),
        (
            "Licensed under the Apache License, Version 2.0 or the MIT license, at your option.",
            "Apache-2.0 OR MIT",
        ),
        ("This code is released into the public domain.", "LicenseRef-public-domain"),
        ("Shopping list: two licences, bread", None),
        ("", None),
    ],
)
def test_a_text_has_its_licence(text, expression):
    assert licence_of_text(text) == expression


def test_packages_have_the_licence_that_they_declare():
    """By more than nine tenths: some say little ("BSD"), some bundle what they do not declare."""
    agreed, judged = 0, []
    for distribution in distributions():
        declared = spdx_id(distribution.metadata.get("License-Expression") or "")
        files = [
            f for f in distribution.files or () if re.search(r"dist-info/.*(?:LICEN[CS]E|COPYING)", str(f))
        ]
        if declared == UNKNOWN or not files or len(files) > 3:
            continue
        texts = [Path(str(distribution.locate_file(file))).read_text(errors="replace") for file in files]
        if sum(map(len, texts)) > 50_000:
            continue
        found = spdx_of_all(licence for text in texts if (licence := licence_of_text(text)))
        agreed += set(_plain(declared)) <= set(_plain(found))
        judged.append((distribution.metadata["Name"], declared, found))
    assert not judged or agreed > 0.9 * len(judged), judged


def _plain(expression):
    """The licences of an expression; a text does not say whether later versions may be chosen."""
    return [re.sub("-(only|or-later)$", "", one) for one in operands(expression)]


def test_isc_is_told_from_0bsd_whoever_disclaims():
    isc = """Copyright (c) 2020, Jane Doe

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee
is hereby granted, provided that the above copyright notice and this permission notice appear in all
copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS
SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE
AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE
OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS
SOFTWARE.
"""
    proviso = ", provided that the above copyright notice and this permission notice appear in all copies"
    assert licence_of_text(isc) == "ISC"
    assert licence_of_text(" ".join(isc.split()).replace(proviso, "")) == "0BSD"
