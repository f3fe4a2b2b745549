"""Names of languages, as lid.176 has them: two letters (ISO 639-1) where there are two, else three or so.

GlotLID (Kargaran et al. 2023, arXiv 2310.16248) names a language by three letters and a script: `rus_Cyrl`.
Here that is `ru`; a script that is not the usual one of a language stays with it: `ru-Latn`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

UNKNOWN = "und"
"""The language of a text that has too little to tell (BCP 47: undetermined)."""

LID_176 = tuple(
    (
        "af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb "
        "ckb co cs cv cy da de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom "
        "gu gv he hi hif hr hsb ht hu hy ia id ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw "
        "ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl my myv mzn nah nap "
        "nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn sco "
        "sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo "
        "wa war wuu xal xmf yi yo yue zh"
    ).split()
)
"""The languages of lid.176."""

_TWO_LETTERS = dict(
    item.split(":")
    for item in (
        "aar:aa abk:ab afr:af aka:ak amh:am ara:ar arg:an asm:as ava:av ave:ae aym:ay aze:az bak:ba "
        "bam:bm bel:be ben:bn bis:bi bod:bo bos:bs bre:br bul:bg cat:ca ces:cs cha:ch che:ce chu:cu "
        "chv:cv cor:kw cos:co cre:cr cym:cy dan:da deu:de div:dv dzo:dz ell:el eng:en epo:eo est:et "
        "eus:eu ewe:ee fao:fo fas:fa fij:fj fin:fi fra:fr fry:fy ful:ff gla:gd gle:ga glg:gl glv:gv "
        "grn:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi hmo:ho hrv:hr hun:hu hye:hy ibo:ig "
        "ido:io iii:ii iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv jpn:ja kal:kl kan:kn "
        "kas:ks kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku "
        "lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu lug:lg mah:mh mal:ml mar:mr mkd:mk "
        "mlg:mg mlt:mt mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl "
        "nno:nn nob:no nor:no nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa pli:pi pol:pl por:pt "
        "pus:ps que:qu roh:rm ron:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk slv:sl sme:se smo:sm "
        "sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr ssw:ss sun:su swa:sw swe:sv tah:ty "
        "tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw "
        "uig:ug ukr:uk urd:ur uzb:uz ven:ve vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi yor:yo zha:za "
        "zho:zh zul:zu "
        # The chief language of a group that has a two-letter code as a whole.
        "als:sq arb:ar ayr:ay azj:az cmn:zh ekk:et fil:tl gaz:om gug:gn khk:mn kmr:ku lvs:lv npi:ne "
        "ory:or pbt:ps pes:fa plt:mg quy:qu swh:sw uzn:uz ydd:yi zsm:ms"
    ).split()
)
"""ISO 639-3 to 639-1."""

_USUAL_SCRIPTS = {
    language: script
    for script, languages in {
        "Arab": "ar arz azb ckb fa ks lrc mzn pnb ps sd ug ur acm acq aeb ajp apc ars ary glk skr",
        "Armn": "hy",
        "Avst": "ae",
        "Beng": "as bn bpy",
        "Cans": "cr iu",
        "Cyrl": (
            "ab av ba be bg bxr ce cu cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sr tg tt tyv uk xal"
        ),
        "Deva": "bh dty gom hi mai mr ne new sa awa bho mag",
        "Ethi": "am ti",
        "Geor": "ka xmf",
        "Grek": "el",
        "Gujr": "gu",
        "Guru": "pa",
        "Hang": "ko",
        "Hani": "wuu yue zh",
        "Hebr": "he yi",
        "Jpan": "ja",
        "Khmr": "km",
        "Knda": "kn",
        "Laoo": "lo",
        "Mlym": "ml",
        "Mymr": "my",
        "Orya": "or",
        "Sinh": "si",
        "Taml": "ta",
        "Telu": "te",
        "Thaa": "dv",
        "Thai": "th",
        "Tibt": "bo dz",
        "Yiii": "ii",
    }.items()
    for language in languages.split()
}
"""The script a language is usually written in, where that is not Latin (ISO 15924)."""


def language_code(label: str) -> str:
    """The code of a model's label: `rus_Cyrl` is `ru`, `rus_Latn` is `ru-Latn`, `ru` is `ru`."""
    language, _, script = label.partition("_")
    if not script:
        return label
    code = _TWO_LETTERS.get(language, language)
    return code if script == _USUAL_SCRIPTS.get(code, "Latn") else f"{code}-{script}"


def check_codes(codes: Iterable[str], known: Collection[str]) -> None:
    """Raises ValueError for a code that a model does not know, naming the nearest one it does."""
    for code in codes:
        if code not in known:
            meant = _TWO_LETTERS.get(code.partition("_")[0].lower(), code.lower())
            near = (
                [meant] if meant in known else difflib.get_close_matches(meant, sorted(known), n=1, cutoff=0)
            )
            raise ValueError(f"There is no language {code!r} in the model. Did you mean {near[0]!r}?")
