"""Licences that the first lines of files name, in the comments of many languages."""

import pytest

from pipelines.sources.licences.header import licence_of_header

GPL = """This program is free software; you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation; either version 2 of the License, or
(at your option) any later version.
"""
LGPL = """This library is free software; you can redistribute it and/or
modify it under the terms of the GNU Lesser General Public
License version 2.1 as published by the Free Software Foundation.
"""
APACHE = """Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0
"""
MPL = """This Source Code Form is subject to the terms of the Mozilla Public
License, v. 2.0. If a copy of the MPL was not distributed with this
file, You can obtain one at http://mozilla.org/MPL/2.0/.
"""
RUST = """Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or
http://www.apache.org/licenses/LICENSE-2.0> or the MIT license
<LICENSE-MIT or http://opensource.org/licenses/MIT>, at your
option. This file may not be copied, modified, or distributed
except according to those terms.
"""
NOTICES = {
    GPL: "GPL-2.0-or-later",
    LGPL: "LGPL-2.1-only",
    APACHE: "Apache-2.0",
    MPL: "MPL-2.0",
    RUST: "Apache-2.0 OR MIT",
    "Use of this source code is governed by a BSD-style\nlicense in the LICENSE file.\n": "LicenseRef-bsd",
    "Author: Some Body\nLicense: BSD 3 clause\n": "BSD-3-Clause",
    "@license MIT\n": "MIT",
    "Released under the MIT license\n": "MIT",
    "SPDX-License-Identifier: MIT OR Apache-2.0\n": "Apache-2.0 OR MIT",
    "SPDX-License-Identifier: MIT\nSPDX-License-Identifier: ISC\n": "ISC AND MIT",
    "GNU General Public License v3.0+ (see COPYING)\n": "GPL-3.0-or-later",
    "Licensed under a Creative Commons license, http://creativecommons.org/licenses/by/4.0/\n": "CC-BY-4.0",
    "Permission is hereby granted, free of charge, to any person obtaining a copy\nof this software": "MIT",
    "Ask for permission before you use it\n": None,
    "License: see the LICENSE file\n": None,
    "Copyright 2020 Some Body\n": None,
}
COMMENTS = {
    "python": ("", "# ", ""),
    "c": ("/*\n", " * ", " */\n"),
    "c++": ("", "// ", ""),
    "html": ("<!--\n", "", "-->\n"),
    "lisp": ("", ";; ", ""),
    "sql": ("", "-- ", ""),
    "docstring": ('"""\n', "", '"""\n'),
    "tex": ("", "% ", ""),
}


@pytest.mark.parametrize("comment", COMMENTS.values(), ids=COMMENTS)
@pytest.mark.parametrize(("notice", "expression"), NOTICES.items())
def test_a_notice_names_its_licence(notice, expression, comment):
    first, mark, last = comment
    head = first + "".join(f"{mark}{line}\n" for line in notice.splitlines()) + last + "x = 1\n"
    assert licence_of_header(head) == expression


def test_the_identifier_may_stand_in_one_line_with_the_comment():
    assert licence_of_header("/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */\nint x;") == (
        "GPL-2.0-only WITH Linux-syscall-note"
    )
    assert licence_of_header("<!-- SPDX-License-Identifier: CC-BY-4.0 -->") == "CC-BY-4.0"


def test_what_a_program_says_in_a_string_is_not_its_licence():
    assert licence_of_header('"""SPDX-License-Identifier: MIT\n\nWhat it does."""') == "MIT"
    assert licence_of_header('HEAD = "// SPDX-License-Identifier: MIT\\n"\n') is None
    assert licence_of_header("names = ('SPDX-License-Identifier: ISC',)\n") is None
