"""The `licences:` section: which licences it allows, and what it says of entries that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.recipe.licences import Licences, Verdict
from pipelines.sources.licences.spdx import spdx_id

LICENCES = ["MIT", "Apache-2.0", "GPL-3.0-only", "LGPL-2.1-or-later", "CC-BY-NC-4.0", "LicenseRef-gemma"]
POLICIES = [
    {},
    {"deny": ["GPL-*"]},
    {"deny": ["copyleft", "non-commercial"]},
    {"allow": ["permissive"]},
    {"allow": ["permissive", "LGPL-2.1"], "deny": ["Apache-2.0"]},
    {"allow": ["*"], "deny": ["LicenseRef-*"]},
]


@pytest.mark.parametrize(
    ("policy", "licence", "verdict"),
    [
        ({}, "MIT", "allowed"),
        ({}, None, "unknown"),
        ({}, "LicenseRef-gemma", "unknown"),
        ({}, "LicenseRef-permissive", "allowed"),
        ({"deny": ["GPL-*"]}, "GPL-2.0-or-later", "denied"),
        ({"deny": ["GPL-3.0"]}, "GPL-3.0-only", "denied"),
        ({"deny": ["GPL-3.0"]}, "GPL-3.0-or-later", "denied"),
        ({"deny": ["GPL-*"]}, "LGPL-2.1-only", "allowed"),
        ({"deny": ["copyleft"]}, "MPL-2.0", "denied"),
        ({"deny": ["copyleft"]}, "CC-BY-SA-4.0", "denied"),
        ({"deny": ["non-commercial"]}, "CC-BY-NC-SA-4.0", "denied"),
        ({"allow": ["permissive"]}, "ODC-By-1.0", "allowed"),
        ({"allow": ["permissive"]}, "CC0-1.0", "allowed"),
        ({"allow": ["permissive"]}, "LicenseRef-permissive", "allowed"),
        ({"allow": ["permissive"]}, "LicenseRef-public-domain", "allowed"),
        ({"allow": ["permissive"]}, "CC-BY-NC-4.0", "denied"),
        ({"allow": ["permissive"]}, "LicenseRef-gemma", "denied"),
        ({"allow": ["permissive", "LicenseRef-gemma"]}, "LicenseRef-gemma", "allowed"),
        ({"allow": ["permissive"]}, None, "unknown"),
        ({"allow": ["permissive"]}, "GPL-3.0-only OR MIT", "allowed"),
        ({"allow": ["permissive"]}, "GPL-3.0-only AND MIT", "denied"),
        ({"allow": ["permissive"]}, "MIT AND (Apache-2.0 OR GPL-3.0-only)", "allowed"),
        ({}, "LicenseRef-gemma OR MIT", "allowed"),
        ({}, "LicenseRef-gemma AND MIT", "unknown"),
        ({"deny": ["GPL-*"]}, "GPL-2.0-only WITH Classpath-exception-2.0", "denied"),
        ({"allow": ["GPL-2.0-only"]}, "GPL-2.0-only WITH Classpath-exception-2.0", "allowed"),
        ({"deny": ["apache-2.0", "mit"]}, "Apache-2.0", "denied"),
    ],
)
def test_a_licence_has_its_verdict(policy, licence, verdict):
    assert Licences(**policy).verdict(licence) == verdict


@settings(deadline=None)
@given(st.sampled_from(POLICIES), st.lists(st.sampled_from(LICENCES), min_size=2, max_size=4))
def test_of_a_choice_the_best_counts_and_of_a_sum_the_worst(policy, licences):
    licences = [spdx_id(licence) for licence in licences]
    section = Licences(**policy)
    order = [Verdict.DENIED, Verdict.UNKNOWN, Verdict.ALLOWED]
    single = [order.index(section.verdict(licence)) for licence in licences]
    assert section.verdict(spdx_id(" OR ".join(licences))) == order[max(single)]
    assert section.verdict(spdx_id(" AND ".join(licences))) == order[min(single)]


@settings(deadline=None)
@given(st.sampled_from(POLICIES), st.sampled_from([None, *LICENCES]), st.sampled_from(["warn", "allow"]))
def test_only_what_is_denied_is_dropped_where_unknown_stays(policy, licence, unknown):
    section = Licences(**policy, unknown=unknown)
    assert (section.reason(licence) is not None) == (section.verdict(licence) == Verdict.DENIED)
    assert not section.fails(licence)
    assert section.drops or section.reason(licence) is None


@pytest.mark.parametrize(
    ("entry", "near"),
    [
        ("Apache", "Apache-2.0"),
        ("Apache License 2.0", "Apache-2.0"),
        ("MTI", "MIT"),
        ("permisive", "permissive"),
        ("BSD-3", "BSD-3-Clause"),
        ("XYZW-*", None),
    ],
)
def test_an_entry_that_is_no_licence_is_refused_with_the_nearest(entry, near):
    with pytest.raises(ValidationError) as refused:
        Licences(allow=[entry])
    said = str(refused.value)
    assert f"`{entry}` is no licence" in said
    assert ("did you mean" in said) == (near is not None)
    assert near is None or f"did you mean `{near}`?" in said


def test_an_entry_is_one_licence():
    with pytest.raises(ValidationError) as refused:
        Licences(deny=["MIT OR Python-2.0"])
    assert "name each by itself: MIT, Python-2.0" in str(refused.value)
