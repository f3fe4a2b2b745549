"""Words that the affix rules would split wrongly, and contractions that are two or three words.

These are the exceptions of spaCy's English tokenizer (`spacy/lang/en/tokenizer_exceptions.py` and
`spacy/lang/tokenizer_exceptions.py`), restated as the patterns they come from: `don't` is `do` + `n't`,
`they'd've` is `they` + `'d` + `'ve`, `e.g.` and `:-)` stay whole.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from filters.text.hashing import find_slot, hash_bytes, hash_text
from filters.text.kernel import inline_kernel

_SLOTS = 4096

_PRONOUNS = "i you he she it we they"
_QUESTION_WORDS = "who what when where why how there that this these those"
_NEGATED = "ca could do does did had may might must need ought sha should wo would"
_NEGATED_ALONE = "ai are is was were have has dare"
_WITH_HAVE = "could might must should would"
_DROPPED_G = "doin goin nothin nuthin ol somethin havin lovin"
_NOT_CONTRACTIONS = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"

_WHOLE = """
' '' \\") \\t \\n <space> C++ a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä.
ö. ü. — 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock
O'clock em 'em ll 'll nuff 'nuff 'd a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e.
I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. Mt. Ak.
Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan.
Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore.
Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o:
:} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-|
]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD
XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O
O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\\(ツ)/¯
(╯°□°）╯︵┻━┻ ><(((*>
"""

_SPLIT = """
I|'m I|m I|'m|a I|m|a y'|all y|all how|'d|'y not|'ve not|ve can|not gon|na got|ta let|'s c'm|on
"""


def _contractions() -> list[tuple[str, ...]]:
    """Pieces of contractions, subject or verb first, with the apostrophe and without."""
    found: list[tuple[str, ...]] = []

    def add(*pieces: str) -> None:
        found.append(pieces)
        found.append(tuple(piece.replace("'", "") for piece in pieces))

    for word in (_PRONOUNS + " " + _QUESTION_WORDS).split():
        for tail in (("'ll",), ("'ll", "'ve"), ("'d",), ("'d", "'ve")):
            add(word, *tail)
    for word in "i you we they who what when where why how there these those".split():
        add(word, "'ve")
    for word in "you we they who what when where why how there these those".split():
        add(word, "'re")
    for word in "he she it who what when where why how there that this".split():
        add(word, "'s")
    for word in _NEGATED.split():
        add(word, "n't")
        add(word, "n't", "'ve")
    for word in _NEGATED_ALONE.split():
        add(word, "n't")
    for word in _WITH_HAVE.split():
        add(word, "'ve")
    return found


@lru_cache(maxsize=1)
def exceptions() -> dict[str, tuple[str, ...]]:
    """Each exception and its pieces, in lower case, capitalised, and with a typographic apostrophe."""
    pieces = [tuple(item.split("|")) for item in _SPLIT.split()]
    pieces += [("i", *item[1:]) for item in pieces if item[0] == "I"]
    pieces += _contractions()
    pieces += [(item[0].capitalize(), *item[1:]) for item in pieces if item[0] not in ("y", "y'")]
    pieces += [
        (form,)
        for word in _DROPPED_G.split()
        for form in (word, word.title(), word + "'", word.title() + "'")
    ]
    pieces += [(word,) for word in _WHOLE.split()]
    pieces += [(str(hour), period) for hour in range(1, 13) for period in ("am", "a.m.", "pm", "p.m.")]
    pieces += [("°", scale, ".") for scale in "cfkCFK"]
    table = {"".join(item): item for item in pieces if "".join(item) not in _NOT_CONTRACTIONS.split()}
    for word, item in list(table.items()):
        if "'" in word:
            table[word.replace("'", "’")] = tuple(piece.replace("'", "’") for piece in item)
    return table


class ExceptionTable(NamedTuple):
    """A hash table of the exceptions for kernels."""

    keys: np.ndarray
    """Open-addressing hash table: the hash of an exception, 0 where empty: uint64."""
    pieces: np.ndarray
    """Bytes of each piece of an exception: uint8, (slots, 3)."""
    marked: np.ndarray
    """Whether an exception, such as an emoticon, has more than letters and digits: bool, (slots,)."""
    filter: np.ndarray
    """One bit for each hash modulo 2**16, set where an exception has it: uint64, (1024,)."""
    starts: np.ndarray
    """Whether a marked exception starts with a byte: bool, (256,)."""
    longest: int
    """Bytes of the longest exception."""


@lru_cache(maxsize=1)
def exception_table() -> ExceptionTable:
    """The hash table of all exceptions."""
    keys = np.zeros(_SLOTS, dtype=np.uint64)
    sizes = np.zeros((_SLOTS, 3), dtype=np.uint8)
    marked = np.zeros(_SLOTS, dtype=np.bool_)
    bits = np.zeros(1024, dtype=np.uint64)
    starts = np.zeros(256, dtype=np.bool_)
    for word, pieces in exceptions().items():
        key = hash_text(word)
        slot = find_slot(keys, _SLOTS - 1, key)
        keys[slot] = key
        sizes[slot, : len(pieces)] = [len(piece.encode()) for piece in pieces]
        marked[slot] = not word.isalnum()
        bits[(int(key) >> 6) % 1024] |= np.uint64(1 << int(key) % 64)
        starts[word.encode()[0]] |= marked[slot]
    longest = max(len(word.encode()) for word in exceptions())
    return ExceptionTable(keys, sizes, marked, bits, starts, longest)


@inline_kernel
def find_exception(data, begin, end, exceptions):
    """The slot of the exception `data[begin:end]`, or -1."""
    if end <= begin or end - begin > exceptions.longest:
        return -1
    return exception_slot(hash_bytes(data, begin, end), exceptions)


@inline_kernel
def exception_slot(key, exceptions):
    """The slot of the exception with this hash, or -1."""
    if not may_be_exception(key, exceptions):
        return -1
    slot = find_slot(exceptions.keys, _SLOTS - 1, key)
    return slot if exceptions.keys[slot] else -1


@inline_kernel
def may_be_exception(key, exceptions):
    """Whether a run with this hash may be an exception."""
    bits = exceptions.filter[np.int64((key >> np.uint64(6)) & np.uint64(1023))]
    return (bits >> (key & np.uint64(63))) & np.uint64(1) != 0
