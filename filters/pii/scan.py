"""One pass over a text that finds all kinds, by the rare bytes that each kind has."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import string

import numpy as np

from filters.pii import api_keys
from filters.pii.api_keys import assigned_secret_end, json_web_token, prefixed_key, telegram_token_end
from filters.pii.cards import card_end
from filters.pii.emails import email
from filters.pii.ips import ipv4_end, ipv6_end
from filters.pii.kinds import API_KEY, CARD, EMAIL, INN, IP, PASSPORT, PHONE, PRIVATE_KEY, SNILS
from filters.pii.phones import phone
from filters.pii.private_keys import private_key_end
from filters.pii.russian import inn_end, passport_end, snils_end
from filters.pii.text import CLASSES, DIGIT, byte_before, run_end
from filters.text.kernel import kernel

_MOST_DIGITS = 19
_NUMBER, _MAIL, _PREFIX, _QUOTE, _DASHES, _TOKEN = (1 << bit for bit in range(6))


def _actions() -> np.ndarray:
    actions = np.zeros(256, dtype=np.uint8)
    for characters, action in (
        (string.digits, _NUMBER),
        ("@", _MAIL),
        (api_keys.ANCHORS, _PREFIX),
        ("\"'`", _QUOTE),
        ("-", _DASHES),
        ("J", _TOKEN),
    ):
        actions[[ord(character) for character in characters]] |= action
    return actions


_ACTIONS = _actions()


@kernel
def next_span(data, at, end, wanted, top_level_domains):
    """Start, end and kind of the first personal item in `data[at:end]`; the end is 0 if there is none.

    `at` is where the last one ended. Of the kinds that may start with one digit, the stricter is tried first.
    """
    floor = at
    while at < end:
        action = _ACTIONS[data[at]]
        if action == 0:
            at += 1
            continue
        if action & _NUMBER:
            if CLASSES[byte_before(data, at, floor)] & DIGIT == 0:
                start, stop, kind = _number(data, at, floor, end, wanted)
                if stop:
                    return start, stop, kind
        elif action & _MAIL and wanted[EMAIL]:
            start, stop = email(data, at, floor, end, top_level_domains)
            if stop:
                return start, stop, EMAIL
        if action & _DASHES and wanted[PRIVATE_KEY]:
            stop = private_key_end(data, at, end)
            if stop:
                return at, stop, PRIVATE_KEY
        if action & (_PREFIX | _TOKEN | _QUOTE) and wanted[API_KEY]:
            start, stop = _key(data, at, floor, end, action)
            if stop:
                return start, stop, API_KEY
        at += 1
    return end, 0, 0


@kernel
def _number(data, at, floor, end, wanted):
    """What starts with the digit at `at`; the number of digits in a row tells what can."""
    digits = run_end(data, at, min(end, at + _MOST_DIGITS + 1), DIGIT) - at
    if digits <= 4 and wanted[IP]:
        stop = ipv4_end(data, at, floor, end)
        if stop == 0:
            stop = ipv6_end(data, at, floor, end)
        if stop:
            return at, stop, IP
    if 8 <= digits <= 10 and wanted[API_KEY]:
        stop = telegram_token_end(data, at, floor, end)
        if stop:
            return at, stop, API_KEY
    if (digits == 10 or digits == 12) and wanted[INN]:
        stop = inn_end(data, at, floor, end)
        if stop:
            return at, stop, INN
    if (digits == 3 or digits == 11) and wanted[SNILS]:
        stop = snils_end(data, at, floor, end)
        if stop:
            return at, stop, SNILS
    if (digits == 2 or digits == 4 or digits == 10) and wanted[PASSPORT]:
        stop = passport_end(data, at, floor, end)
        if stop:
            return at, stop, PASSPORT
    if (digits == 4 or digits >= 14) and wanted[CARD]:
        stop = card_end(data, at, floor, end)
        if stop:
            return at, stop, CARD
    if digits <= 13 and wanted[PHONE]:
        start, stop = phone(data, at, floor, end)
        if stop:
            return start, stop, PHONE
    return at, 0, 0


@kernel
def _key(data, at, floor, end, action):
    """The key whose prefix, first `J` or quotation mark is at `at`."""
    if action & _PREFIX:
        start, stop = prefixed_key(data, at, floor, end)
        if stop:
            return start, stop
    if action & _TOKEN:
        start, stop = json_web_token(data, at, floor, end)
        if stop:
            return start, stop
    if action & _QUOTE:
        return at + 1, assigned_secret_end(data, at, floor, end)
    return at, 0
