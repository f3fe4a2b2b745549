"""Words that stand in most texts of a language: what they say of a text is little."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from filters.contamination.words import UNIT, find_words, word_tables

_ENGLISH = """
a about above after again all also am an and another any are as at be because been before being below between
both but by can could did do does doing done down during each either else ever every few first for from
further get given had has have having he her here hers him his how however i if in into is it its itself just
last least less let like made make many may me might more most much must my neither no nor not now of off
often on once one only or other our out over own per same say second see shall she should since so some still
such than that the their them then there these they this those three through to too two under until up upon us
use used using very was we well were what when where whether which while who whom whose why will with within
without would yes yet you your correct following statement statements question answer true false best choose
option options above none
"""
_RUSSIAN = """
а без бы был была были было быть в вам вас ваш весь вместо во вот все всего всех вы где да даже для до его ее
ей ему если есть еще же за здесь и из или им их к каждый как какая какие какой когда которая которые который
которых кто ли либо между меня мне может можно мой мы на над надо нас наш не него нее ней нет ни них но ну о
об один одна одно он она они оно от очень перед по под после потом почему при про раз с сам свой себя сейчас
со так также такой там те тебя тем то тогда того тоже той только том тот три ты у уже хотя чего чей чем что
чтобы эта эти этих это этого этой этом этот я является являются следующий следующее следующие вопрос ответ
верно неверно правильный утверждение
"""
_MARKERS = """
answer ans answers correct solution key label gold therefore hence thus
ответ ответы правильный верный решение итого
"""


@lru_cache(maxsize=1)
def common_words() -> np.ndarray:
    """The hashes of common words, sorted: uint64."""
    return _hashes(_ENGLISH + _RUSSIAN)


@lru_cache(maxsize=1)
def answer_markers() -> np.ndarray:
    """The hashes of words behind which an answer stands, sorted: uint64."""
    return _hashes(_MARKERS)


def _hashes(text: str) -> np.ndarray:
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    units = np.empty(len(data), dtype=UNIT)
    count = find_words(data, 0, len(data), word_tables(), np.empty(64, dtype=np.uint32), units)
    return np.unique(units["hash"][:count])
