"""Keys and tokens of services, by their prefixes; and quoted values of names such as `api_key`.

Prefixes, alphabets and lengths are those of gitleaks' rules (`config/gitleaks.toml`) and of the services' own
documentation. A key must look random: as many different characters as eight, of two kinds among digits,
capitals and small letters, so that `ghp_xxxxxxxx...` is none. A new one is a line in `_RULES`.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.pii.text import (
    ALNUM,
    CLASSES,
    DIGIT,
    DOTTED,
    HEX,
    LOWER,
    SECRET,
    TOKEN,
    UPPER,
    byte_at,
    byte_before,
    is_random,
    literal_at,
    run_end,
    starts_apart,
    word_at,
    word_before,
    word_list,
)
from filters.text.kernel import kernel

_FEWEST_CHARACTERS = 8


class Rule(NamedTuple):
    """What follows a prefix: so many bytes of a class."""

    prefix: str
    alphabet: int
    shortest: int
    longest: int = 0
    """The same as the shortest by default."""


_RULES = (
    Rule("AKIA", UPPER | DIGIT, 16),  # Amazon
    Rule("ASIA", UPPER | DIGIT, 16),
    Rule("ABSK", ALNUM, 109, 269),
    Rule("AIza", TOKEN, 35),  # Google
    Rule("GOCSPX-", TOKEN, 28),
    Rule("ghp_", ALNUM, 36, 251),  # GitHub
    Rule("gho_", ALNUM, 36, 251),
    Rule("ghu_", ALNUM, 36, 251),
    Rule("ghs_", ALNUM, 36, 251),
    Rule("ghr_", ALNUM, 36, 251),
    Rule("github_pat_", TOKEN, 82, 251),
    Rule("glpat-", TOKEN, 20, 300),  # GitLab
    Rule("gldt-", TOKEN, 20, 300),
    Rule("glrt-", TOKEN, 20, 300),
    Rule("glptt-", HEX, 40),
    Rule("xoxb-", TOKEN, 20, 200),  # Slack
    Rule("xoxp-", TOKEN, 20, 200),
    Rule("xoxa-", TOKEN, 20, 200),
    Rule("xoxr-", TOKEN, 20, 200),
    Rule("xoxs-", TOKEN, 20, 200),
    Rule("xoxe-", TOKEN, 20, 200),
    Rule("xapp-", TOKEN, 20, 200),
    Rule("sk_live_", ALNUM, 10, 250),  # Stripe
    Rule("rk_live_", ALNUM, 10, 250),
    Rule("sk_test_", ALNUM, 10, 250),
    Rule("rk_test_", ALNUM, 10, 250),
    Rule("sk-", ALNUM, 32, 64),  # OpenAI and services that follow it
    Rule("sk-proj-", TOKEN, 40, 250),
    Rule("sk-svcacct-", TOKEN, 40, 250),
    Rule("sk-admin-", TOKEN, 40, 250),
    Rule("sk-or-v1-", HEX, 64),
    Rule("sk-ant-", TOKEN, 40, 250),  # Anthropic
    Rule("hf_", ALNUM, 34, 40),  # Hugging Face
    Rule("api_org_", ALNUM, 34),
    Rule("gsk_", ALNUM, 52),  # Groq
    Rule("pplx-", ALNUM, 48),  # Perplexity
    Rule("xai-", ALNUM, 80),  # xAI
    Rule("npm_", ALNUM, 36),
    Rule("pypi-AgE", TOKEN, 50, 1000),
    Rule("rubygems_", HEX, 48),
    Rule("dckr_pat_", TOKEN, 27),  # Docker
    Rule("dop_v1_", HEX, 64),  # DigitalOcean
    Rule("doo_v1_", HEX, 64),
    Rule("shpat_", HEX, 32),  # Shopify
    Rule("shpss_", HEX, 32),
    Rule("SK", HEX, 32),  # Twilio
    Rule("SG.", DOTTED, 66),  # SendGrid
    Rule("glsa_", TOKEN, 41),  # Grafana
    Rule("lin_api_", ALNUM, 40),  # Linear
    Rule("ntn_", ALNUM, 46),  # Notion
    Rule("AQVN", TOKEN, 35, 38),  # Yandex Cloud
    Rule("YCAJE", TOKEN, 20),
    Rule("YC", TOKEN, 38),
    Rule("y0_", TOKEN, 50, 80),
    Rule("t1.", DOTTED, 100, 400),
)

_RAREST_FIRST = "_-QJXZKYVWUGHNDFLOBPERCMSIAT0123456789"


def _anchor(prefix: str) -> int:
    """Which byte of a prefix to look for: one that is rare in text."""
    return min(range(len(prefix)), key=lambda index: (_RAREST_FIRST + prefix).index(prefix[index]))


_BY_ANCHOR = sorted(_RULES, key=lambda rule: rule.prefix[_anchor(rule.prefix)])
_PREFIXES = np.array([list(rule.prefix.ljust(16, "\0").encode()) for rule in _BY_ANCHOR], dtype=np.uint8)
_SIZES = np.array([len(rule.prefix) for rule in _BY_ANCHOR])
_ANCHORS = np.array([_anchor(rule.prefix) for rule in _BY_ANCHOR])
_ALPHABETS = np.array([rule.alphabet for rule in _BY_ANCHOR])
_SHORTEST = np.array([rule.shortest for rule in _BY_ANCHOR])
_LONGEST = np.array([rule.longest or rule.shortest for rule in _BY_ANCHOR])
_ANCHOR_BYTES = np.array([ord(rule.prefix[_anchor(rule.prefix)]) for rule in _BY_ANCHOR])
_BEFORE_ANCHOR = np.zeros((256, 256), dtype=np.bool_)
for _rule in _RULES:
    if _anchor(_rule.prefix) >= 2:
        _BEFORE_ANCHOR[tuple(_rule.prefix[_anchor(_rule.prefix) - 2 :][:2].encode())] = True
_FIRST_RULE = np.searchsorted(_ANCHOR_BYTES, np.arange(257))

ANCHORS = "".join(sorted({chr(byte) for byte in _ANCHOR_BYTES}))
"""The bytes at which to ask for a prefix."""


@kernel
def prefixed_key(data, at, floor, end):
    """Where the key starts and ends whose prefix has its rarest byte at `at`; the end is 0 if none does."""
    if (data[at] == ord("-") or data[at] == ord("_")) and (
        at < floor + 2 or not _BEFORE_ANCHOR[data[at - 2], data[at - 1]]
    ):
        return at, 0
    for rule in range(_FIRST_RULE[data[at]], _FIRST_RULE[data[at] + 1]):
        start = at - _ANCHORS[rule]
        if start < floor or not _has_prefix(data, start, end, rule) or not starts_apart(data, start, floor):
            continue
        body = start + _SIZES[rule]
        stop = run_end(data, body, min(end, body + _LONGEST[rule] + 1), _ALPHABETS[rule])
        if (
            _SHORTEST[rule] <= stop - body <= _LONGEST[rule]
            and not CLASSES[byte_at(data, stop, end)] & ALNUM
            and byte_at(data, stop, end) != ord("_")
            and is_random(data, body, stop, _FEWEST_CHARACTERS)
            and not _is_example(data, body, stop)
        ):
            return start, stop
    return at, 0


@kernel
def _has_prefix(data, start, end, rule):
    size = _SIZES[rule]
    if start + size > end:
        return False
    index = 0
    while index < size and data[start + index] == _PREFIXES[rule, index]:
        index += 1
    return index == size


@kernel
def json_web_token(data, at, floor, end):
    """Where the token starts and ends whose first `J` is at `at`; `eyJ` is `{"` in base64 (RFC 7519)."""
    start = at - 2
    if start < floor or not literal_at(data, start, end, b"eyJ"):
        return start, 0
    if CLASSES[byte_before(data, start, floor)] & DOTTED:
        return start, 0
    stop = run_end(data, start, end, TOKEN)
    for _ in range(2):
        first = stop + 1
        if stop - start < 10 or byte_at(data, stop, end) != ord("."):
            return start, 0
        stop = run_end(data, first, end, TOKEN)
        if stop - first < 10:
            return start, 0
    return start, stop


@kernel
def telegram_token_end(data, at, floor, end):
    """Where the token of a Telegram bot ends that starts with the digit at `at`; 0 if there is none."""
    colon = run_end(data, at, min(end, at + 11), DIGIT)
    if not 8 <= colon - at <= 10 or not literal_at(data, colon, end, b":AA"):
        return 0
    stop = run_end(data, colon + 1, min(end, colon + 37), TOKEN)
    apart = stop - colon == 36 and starts_apart(data, at, floor)
    return stop if apart and is_random(data, colon + 3, stop, _FEWEST_CHARACTERS) else 0


_SECRETS = word_list(
    "secret passwd password apikey api_key api-key secretkey secret_key secret-key "
    "accesskey access_key access-key authkey auth_key auth-key"
)
_TOKEN = word_list("token")
_TOKENS = word_list(
    "access api auth bearer bot github gitlab hf personal refresh security session slack telegram"
)
_EXAMPLE = word_list("example*")
_SHORTEST_SECRET, _LONGEST_SECRET = 16, 128
_FEWEST_SECRET_CHARACTERS = 10


@kernel
def assigned_secret_end(data, at, floor, end):
    """Where the secret ends that starts behind the quotation mark at `at`; 0 if there is none.

    `name = "value"` or `"name": "value"`, where the name ends with a word such as `token`, and the value
    changes between digits, capitals and small letters at one of four characters at least, as random ones do.
    """
    if not _assigns(data, at, floor):
        return 0
    stop = run_end(data, at + 1, min(end, at + 2 + _LONGEST_SECRET), SECRET)
    size = stop - at - 1
    if not _SHORTEST_SECRET <= size <= _LONGEST_SECRET or byte_at(data, stop, end) != data[at]:
        return 0
    changes = 0
    for index in range(at + 2, stop):
        if data[index] == ord(".") and data[index - 1] == ord("."):
            return 0
        changes += _changes(data[index - 1], data[index])
    random = 4 * changes >= size and is_random(data, at + 1, stop, _FEWEST_SECRET_CHARACTERS)
    return stop if random and not _is_example(data, at + 1, stop) else 0


@kernel
def _is_example(data, at, stop):
    """Whether a key says that it is an example, as those in documentation do."""
    for index in range(at, stop - 6):
        if data[index] | 0x20 == ord("e") and word_at(data, index, stop, _EXAMPLE) >= 0:
            return True
    return False


@kernel
def _changes(left, right):
    """Whether two characters are of different kinds among digits, capitals and small letters."""
    kinds = DIGIT | UPPER | LOWER
    one, other = CLASSES[left] & kinds, CLASSES[right] & kinds
    return one != 0 and other != 0 and one != other


@kernel
def _assigns(data, at, floor):
    """Whether `=` or `:` and a name of a secret stand before `at`."""
    here = _before_spaces(data, at, floor)
    sign = byte_before(data, here, floor)
    if sign == ord(">") and byte_before(data, here - 1, floor) == ord("="):
        here -= 1
    elif sign != ord("=") and sign != ord(":"):
        return False
    here -= 1
    if byte_before(data, here, floor) == ord(":"):
        here -= 1
    here = _before_spaces(data, here, floor)
    if byte_before(data, here, floor) == ord("]"):
        here -= 1
    quote = byte_before(data, here, floor)
    if quote == ord('"') or quote == ord("'"):
        here -= 1
    token = word_before(data, here, floor, _TOKEN)
    if token < 0:
        return word_before(data, here, floor, _SECRETS) >= 0
    before = byte_before(data, token, floor)
    joined = before == ord("_") or before == ord("-")
    if not joined and CLASSES[before] & ALNUM == 0:
        return True
    return word_before(data, token - joined, floor, _TOKENS) >= 0


@kernel
def _before_spaces(data, at, floor):
    """The position behind the last byte before `at` that is no space, at most two bytes before."""
    for _ in range(2):
        if byte_before(data, at, floor) == ord(" "):
            at -= 1
    return at
