"""`outcome.html`: it needs nothing beside it, says all, and takes no label for markup."""

import re

from pipelines.report.outcome.page import outcome_page
from pipelines.report.outcome.verdicts import verdicts_of
from tests.pipelines.report.outcome.contents import content, row

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m"


def page(name: str) -> str:
    estimates = {name: (0.5, (0.4, 0.6)), "base": (0.4, None), "stage1": (0.45, (0.4, 0.5))}
    rows = [row(name, {name: (0.1, (0.05, 0.15))}, {name: (0.05, None)}, estimates)]
    variants = {"base": "base", "stage1": "stage", name: "also"}
    found = content({"held_out": rows, "benchmarks": rows}, variants)
    found["groups"]["domain"] = [name]
    found["tables"]["held_out"]["notes"] = [name]
    found["not_measured"].append({"measure": "facts", "variants": [name], "why": name})
    found["verdicts"] = verdicts_of(found)
    return outcome_page(found)


def test_names_are_no_markup():
    text = page(HOSTILE)
    assert "<img" not in text and "\x1b" not in text
    assert "&lt;/script&gt;&lt;img src=x" in text
    assert text.count("</script>") == page("other").count("</script>")


def test_all_numbers_and_what_is_missing_are_there():
    text = page("other")
    assert "0.500 <small>0.400 to 0.600</small>" in text
    assert "+0.100 <small>+0.050 to +0.150</small>" in text
    assert "no data of it were given (<code>outcome.mera</code>)" in text
    assert text.index('id="verdicts"') < text.index('id="variants"') < text.index('id="held_out"')


def test_it_loads_nothing():
    text = page("other")
    assert "default-src 'none'" in text
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#)', outside)
