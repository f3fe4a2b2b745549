"""Numbers of four parts that are no addresses: releases, product codes, sections and figures.

The words before such a number say what it is. Names of versions and classifications (`релиз 3.0.95.36`,
`ОКПД2`) are believed where few words stand between; those of updates, documents and programs (`рис.`,
`Chrome`) only where no word for what has an address (`сервер обновлений`) stands beside them. Numbers in a
list or column are what the first of them is. And codes of the Russian classification of products are told by
their form: two, two, two and three digits, mostly with a zero at the end.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import (
    ALNUM,
    CLASSES,
    DIGIT,
    any_of,
    byte_at,
    byte_before,
    cyrillic_before,
    is_letter,
    number,
    run_end,
    word_at,
    word_before,
    word_list,
)
from filters.text.characters import decode, start_of_character, step
from filters.text.kernel import kernel

_VERSIONS = word_list(
    "ver version* build builds rev revision* release* firmware* вер верси* сборк* релиз* редакци* прошивк* "
    "ревизи* окпд* оквэд* окоф* кпес* гост* gost oid"
)
_VERSION_ENDINGS = word_list("version release build revision")
"""As in `AssemblyVersion`."""
_UPDATES = word_list("update* upgrade* patch* обновл* патч* платформ* конфигурац*")
_CODES = word_list(
    # Classifications, standards, catalogues.
    "окп окдп* океи вэд код кода коду кодом коде коды кодов кодам* классификатор* позици* артикул* арт "
    "снип* стандарт* code codes article cpv cpc nace "
    # Parts of documents.
    "section* sec chapter* clause* paragraph* figure* fig table tables tab appendix* annex* rule раздел* "
    "разд пункт* подпункт* параграф* статья статьи статье статью рис рисун* табл таблиц* приложени* прил "
    "формул* ред "
    # Programs.
    "package* plugin* driver* assembly* пакет* драйвер* модул* плагин* chrome* chromium* firefox* flash* "
    "player* openvpn* opera safari edge explorer webkit* acrobat* reader skype* java* windows android "
    "kernel python* php perl mysql postgres* framework* directx office photoshop delphi "
    "1с* 1c* бухгалтери* предприяти* зарплат* торговл* розниц* erp унф зуп"
)
_CODES_BESIDE = word_list("v п пп ст гл сп ту ch no глава главы главе главу")
"""Believed only where no word stands between."""
_ADDRESSEES = word_list(
    "ip ips ipv* айпи адрес* address* addr* server* сервер* host* хост* узел узла узлу узлом узле узлы "
    "ping* пинг* пропинг* traceroute* tracert* dns днс gateway* шлюз* proxy* прокси* ssh telnet rdp vpn "
    "впн whois router* роутер* маршрутизатор* подсет* сеть сети сетью subnet* network* domain* домен* port "
    "порт порта порту порты peer* connected connecting connection* соедин* подключ* curl wget "
    "nslookup dig iptables firewall* фаервол* ban banned бан забан* block* заблок* блокир* login logged "
    "username visitor* пользовател* посетител* участник* аноним* remote forwarded"
)
_JOINING = word_list("и или до по для and or to until of for the")
_PLACING = word_list("с со к на от через у из в from via at by on in")
"""Behind these stands an address, unless the word before them is a version's."""

_REACH = 96
_MOST_WORDS_BEHIND_VERSION, _MOST_WORDS_BEHIND_CODE = 3, 1
_COLUMN_REACH = 160
_CYRILLIC_REACH = 24
_RELEASE_BELOW = 32
"""`обновление с 8.3.18.128`: so small is the first part of a release."""
_ADDRESS, _UNKNOWN, _CODE = -1, 0, 1


@kernel
def is_code(data, at, stop, floor, end):
    """Whether the four-part number `data[at:stop]` is no address."""
    before = byte_before(data, at, floor)
    if before == ord("@") or before == ord("/") or _has_port(data, stop, end):
        return False
    named = _named(data, at, floor)
    if named != _UNKNOWN:
        return named == _CODE
    if (
        _is_product(data, at, stop)
        and data[stop - 1] == ord("0")
        and _beside_cyrillic(data, at, stop, floor, end)
    ):
        return True
    return _continues_column(data, at, stop, floor)


@kernel
def _has_port(data, stop, end):
    digits = run_end(data, stop + 1, min(end, stop + 7), DIGIT) - stop - 1
    return byte_at(data, stop, end) == ord(":") and 2 <= digits <= 5


@kernel
def _named(data, at, floor):
    """What the words before a number say that it is."""
    low = start_of_character(data, max(floor, at - _REACH), floor)
    here = at
    words = 0
    placed = False
    found = _UNKNOWN
    while here > low:
        last = start_of_character(data, here - 1, low)
        if not _in_word(data, last, here):
            if _is_boundary(data, last, here, low, words):
                return found
            here = last
            continue
        start, letters = _word_start(data, here, low)
        if start == low and low > floor:
            return found
        if not letters:
            start = _number_start(data, start, here, at, low)
            if words or start < 0:
                return found
        elif word_at(data, start, here, _ADDRESSEES) >= 0:
            return _ADDRESS
        elif word_at(data, start, here, _PLACING) >= 0:
            placed |= words == 0
        elif word_at(data, start, here, _JOINING) < 0:
            if _is_version(data, start, here) and words <= (0 if placed else _MOST_WORDS_BEHIND_VERSION):
                return _CODE
            if words <= _most_words_behind(data, start, here) and (
                not placed or _is_release(data, at, words)
            ):
                found = _CODE
            words += 1
        here = start
    return found


@kernel
def _most_words_behind(data, start, stop):
    """How many words may stand between this one and its number; -1 if it names no codes."""
    if word_at(data, start, stop, _UPDATES) >= 0:
        return _MOST_WORDS_BEHIND_VERSION
    if word_at(data, start, stop, _CODES) >= 0:
        return _MOST_WORDS_BEHIND_CODE
    return 0 if word_at(data, start, stop, _CODES_BESIDE) >= 0 else -1


@kernel
def _is_release(data, at, words):
    """Whether a number that follows `обновление с` and the like may be a release: its first part is small."""
    return words == 0 and number(data, at, run_end(data, at, at + 3, DIGIT)) < _RELEASE_BELOW


@kernel
def _in_word(data, at, stop):
    """Whether the character `data[at:stop]` is a letter or digit."""
    return CLASSES[data[at]] & DIGIT != 0 or is_letter(decode(data, at, stop))


@kernel
def _word_start(data, stop, low):
    """Where the run of letters and digits that ends at `stop` starts, and whether it has letters."""
    start = stop
    letters = False
    while start > low:
        last = start_of_character(data, start - 1, low)
        if not _in_word(data, last, start):
            break
        letters |= CLASSES[data[last]] & DIGIT == 0
        start = last
    return start, letters


@kernel
def _is_version(data, start, stop):
    return word_at(data, start, stop, _VERSIONS) >= 0 or word_before(data, stop, start, _VERSION_ENDINGS) >= 0


@kernel
def _is_boundary(data, last, here, low, words):
    """Whether the mark at `last` ends what is about the number: comma, sentence, cell, line, tag or mask.

    Tags such as `<ProductVersion>` are about it.
    """
    mark = data[last]
    if mark == ord("<"):
        return True
    if mark == ord(">"):
        return word_before(data, last, low, _VERSION_ENDINGS) < 0
    if mark == ord(",") or mark == ord(";"):
        return words > 0 or last == low or CLASSES[data[last - 1]] & DIGIT == 0
    if words == 0:
        return False
    if mark == ord(".") or mark == ord("!") or mark == ord("?"):
        return any_of(data[here], b" \t\r\n")
    return mark == 10 or mark == 9 or mark == ord("|")


@kernel
def _number_start(data, start, stop, at, low):
    """Where the number starts that ends with the digits `data[start:stop]`; -1 if one may not look beyond it.

    One may beyond numbers of four parts, a number before brackets (`8.3 (8.3.18.128)`), the 2 of `ОКПД 2`.
    """
    dots = 0
    while start - 1 > low and data[start - 1] == ord(".") and CLASSES[data[start - 2]] & DIGIT:
        start = _digits_start(data, start - 1, low)
        dots += 1
    in_brackets = data[at - 1] == ord("(") and stop >= at - 2 and stop - start <= 4
    second = dots == 0 and stop - start == 1 and data[start] == ord("2")
    return start if dots == 3 or in_brackets or second else -1


@kernel
def _digits_start(data, stop, low):
    while stop > low and CLASSES[data[stop - 1]] & DIGIT:
        stop -= 1
    return stop


@kernel
def _is_product(data, at, stop):
    """Whether a four-part number has the form of a product code: `26.20.15.110`."""
    return stop - at == 12 and data[at + 2] == data[at + 5] == data[at + 8] == ord(".")


@kernel
def _beside_cyrillic(data, at, stop, floor, end):
    """Whether Cyrillic stands shortly before a number, or follows with no digit, Latin or mask between."""
    if cyrillic_before(data, at, floor, _CYRILLIC_REACH):
        return True
    here = stop
    last = min(end, stop + _CYRILLIC_REACH)
    while here < last:
        if CLASSES[data[here]] & ALNUM or data[here] == ord("<") or data[here] == ord(">"):
            return False
        if is_letter(decode(data, here, end)):
            return True
        here = step(data, here, end)
    return False


@kernel
def _continues_column(data, at, stop, floor):
    """Whether a number that was left stands shortly before, and begins like this one or is a product, too."""
    low = max(floor, at - _COLUMN_REACH)
    here = at
    while here > low:
        if CLASSES[data[here - 1]] & DIGIT == 0:
            here -= 1
            continue
        last = here
        dots = 0
        while here > low and (CLASSES[data[here - 1]] & DIGIT or data[here - 1] == ord(".")):
            here -= 1
            dots += data[here] == ord(".")
        if dots == 3 and (
            _begin_alike(data, here, at) or (_is_product(data, here, last) and _is_product(data, at, stop))
        ):
            return True
    return False


@kernel
def _begin_alike(data, one, other):
    """Whether two dotted numbers have the first two parts in common."""
    dots = 0
    while dots < 2 and data[one] == data[other]:
        dots += data[one] == ord(".")
        one += 1
        other += 1
    return dots == 2
