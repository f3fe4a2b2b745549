"""Unicode scripts: which there are, which characters and tokens are of them, and which a text uses."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.words import WordCounts

SCRIPTS = tuple(
    """
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee
    Chorasmian Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
    Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati
    Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khmer
    Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam
    Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive
    Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari New_Tai_Lue Newa Nko
    Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic
    Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene
    Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham
    SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le
    Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Ugaritic Vai Wancho
    Warang_Citi Yezidi Yi Zanabazar_Square
    """.split()
)
"""The scripts of letters, by Unicode's names, as RE2 knows them."""

HARDLY_USED = 1e-4
"""A script with a smaller share of a text's letters is one that the text does not use."""


def check_scripts(names: Iterable[str]) -> None:
    """Whether there are such scripts.

    Raises:
        TokenizerError: One is none; the message names what may have been meant.
    """
    for name in names:
        if name not in SCRIPTS:
            near = get_close_matches(name.capitalize(), SCRIPTS, 3, 0.5)
            meant = f" Did you mean {' or '.join(near)}?" if near else " Names are Unicode's, such as Han."
            raise TokenizerError(f"There is no script {name!r}.{meant}")


def used_scripts(words: WordCounts) -> set[str]:
    """The scripts with at least HARDLY_USED of the letters of a text."""
    text = words.words.cast(pa.large_string())
    lengths = pc.utf8_length(text).to_numpy(zero_copy_only=False)
    characters = np.frombuffer("".join(text.to_pylist()).encode("utf-32-le"), np.uint32)
    occurrences = np.bincount(characters, np.repeat(words.counts, lengths))
    distinct = np.flatnonzero(occurrences)
    letters = pa.array(map(chr, distinct), pa.string())
    counts = occurrences[distinct] * _matches(letters, r"[\p{L}\p{M}]")
    of_script = {name: float(counts @ _matches(letters, rf"\p{{{name}}}")) for name in SCRIPTS}
    least = HARDLY_USED * float(counts.sum())
    return {name for name, count in of_script.items() if count >= max(least, 1e-300)}


def written_in(texts: pa.StringArray, scripts: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts have letters, all of these scripts, and no digits.

    A mark that belongs to no script of its own counts as one of any.
    """
    if not scripts:
        return np.zeros(len(texts), bool)
    some = "".join(rf"\p{{{name}}}" for name in sorted(scripts))
    only = _matches(texts, rf"^(?:[^\p{{L}}\p{{M}}\p{{N}}]|[{some}\p{{Inherited}}])*$")
    return only & _matches(texts, rf"[{some}]") & ~_matches(texts, r"\p{N}")


def _matches(texts: pa.StringArray, pattern: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found
