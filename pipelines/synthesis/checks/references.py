"""References to a text that the reader does not have: a question and its answer must stand alone."""

from __future__ import annotations

import re

from pipelines.synthesis.checks.words import words
from pipelines.synthesis.draft import Rejection
from pipelines.synthesis.passage import Turns

_SHOWN = 12
"""Words at the beginning of a passage by which it is known in a turn."""
_NOUN = (
    r"(?:passages?|texts?|excerpts?|articles?|documents?|paragraphs?|snippets?|extracts?|abstract"
    r"|author|writer)"
)
_WHICH = r"(?:given|provided|above|following|preceding|previous|original|source|present|quoted|entire)"
_SAYS = (
    r"(?:says?|said|states?|mentions?|describes?|explains?|discuss(?:es)?|suggests?|argues?|notes?|claims?"
    r"|refers?|implies"
    r"|imply|highlights?|emphasi[sz]es?|presents?|talks?|lists?|indicates?"
    r"|(?:does\ not|doesn['’]t)\ (?:say|mention|state|provide|specify)"
    r"|mentioned|described|discussed|stated|provided|about)"
)
_RU_NOUN = r"(?:текст|отрыв(?:ок|к)|фрагмент|абзац|пассаж|документ|стать|параграф)"
_RU_WHICH = (
    r"(?:эт(?:ом|ой|ого|ому|от|а)|данн\w{2,3}|(?:выше|ниже)?привед[её]нн\w{2,3}|представленн\w{2,3}|предложенн\w{2,3}"
    r"|предоставленн\w{2,3}|исходн\w{2,3}|указанн\w{2,3}|вышеуказанн\w{2,3})"
)
_LAW = r"(?!\w*\ (?:№|\d|[IVX]))"
_REFERS = re.compile(
    rf"""
    \b(?:according\ to|based\ on|as\ (?:per|stated|mentioned|described|noted|explained|discussed|shown
      |outlined|indicated|seen)
        (?:\ (?:in|by))?|(?:mentioned|described|discussed|stated|presented|given|provided|outlined
          |referenced|covered|listed|cited|found)\ (?:in|by))
      \ (?:the|this|that|these)\ (?:{_WHICH}\ )?(?:{_NOUN}|(?:{_WHICH})\ (?:information|context|material
        |content|section|story)|context)\b
    | \b(?:the|this|that)\ {_WHICH}\ (?:passages?|texts?|excerpts?|articles?|documents?|paragraphs?
      |snippets?|information\ (?:above|provided))\b
    | \b(?:the|this|that)\ (?:passage|excerpt|snippet)\b(?!\ (?:of|to|from|through|into|between|for|way
      |over|across|by|grave))
    | \b(?:the|this|that)\ (?:text|article|document|paragraph|author|writer)\ {_SAYS}\b
    | \b(?:do|does|did|is|was)\ (?:the|this)\ (?:text|passage|article|document|paragraph|author
      |writer)\ (?:of\ the\ (?:text|passage|article)\ )?
      (?:{_SAYS}|mean|use|call|consider|give|think|believe|want|make|compare|include|try)\b
    | \bin\ (?:the|this|that)\ (?:text|article|paragraph|document|passage|excerpt)\b
      (?!\ of\b|,?\ (?:we|i|you)\b)
    | \b(?:text|passage|article|document|paragraph|excerpt|information|context)\ (?:above|below|provided
      |given\ above)\b
    | \b(?:the|this)\ (?:text|passage|article|excerpt)['’]s\b
    | \bas\ (?:was\ )?(?:mentioned|described|stated|noted|shown|explained|discussed|indicated
      |said)\ (?:above|below|earlier|previously)\b
    | \b(?:согласно|исходя\ из|на\ основ(?:е|ании)|в\ соответствии\ с[о]?|судя\ по|опираясь\ на
      |основываясь\ на|по|из|о|об)
      \ (?:{_RU_WHICH}\ {_RU_NOUN}\w{{0,4}}{_LAW} | (?:текст|отрывк|фрагмент|пассаж)(?:у|а|ом
        |е)?\b (?!\ \w+(?:а|и|ы|ой|ов|ия)\b))
    | \b(?:согласно|судя\ по)\ (?:тексту|отрывку|статье|документу|фрагменту|абзацу|контексту|автору)\b{_LAW}
    | \bв\ (?:{_RU_WHICH}\ )(?:тексте|отрывке|статье|фрагменте|абзаце|пассаже|документе)\b
      (?!,?\ (?:мы|я|вы)\b){_LAW}
    | \bв\ (?:отрывке|пассаже)\b (?!\ из\b)
    | \bв\ тексте\b (?!\ (?:закона|договора|документа|сообщения|письма|программы|песни|романа|книги
      |конституции|библии|указа|соглашения
        |стихотворения|гимна|работы|произведения|поэмы|присяги|приказа|постановления|кода|страницы
          |евангелия|корана|рукописи|статьи\ \d))
    | \bв\ (?:тексте|статье|документе|абзаце|фрагменте)\ (?:говорится|упоминается|упомянут\w*|описывается
      |описан\w*|сказано|указано|указан\w*|приводится|объясняется
        |рассказывается|идет|идёт|отмечается|обсуждается)
    | \bкак\ (?:было\ )?(?:указан|сказан|упомянут|упомина|описан|отмечен|отмечал|говорил|показан|написан
      |изложен)\w*\ (?:выше|ниже|ранее|в\ (?:тексте|отрывке|статье|документе|фрагменте))
    | \b(?:упомянут|описан|указан|привед[её]н|изложен|перечислен|представлен|названн?
      |обсужда)\w*\ (?:выше|в\ (?:{_RU_WHICH}\ )?(?:тексте|отрывке|статье|фрагменте|документе|абзаце
      |пассаже))\b
    | \b(?:выше|ниже)(?:упомянут|указанн|привед[её]нн|описанн|изложенн)\w*\ {_RU_NOUN}
    | \b(?:{_RU_WHICH}\ )?(?:текст|отрывок|автор(?:\ (?:текста|статьи|отрывка))?|статья
      |фрагмент)\ (?:говорит|описывает|утверждает|сообщает|упоминает|объясняет|рассказывает
      |подч[её]ркивает|не\ (?:содержит|упоминает|указывает))\b
    | \bавтор(?:а|у|ом|ы)?\ (?:{_RU_WHICH}\ )?(?:текста|отрывка|статьи|фрагмента)\b
    | \b(?:laut|gemäß|nach)\ (?:dem|diesem|des|der)\ (?:\w+\ )?(?:text|abschnitt|artikel|auszug
      |passage)s?\b | \bim\ (?:obigen\ |vorliegenden\ )?(?:text|abschnitt|artikel|auszug)\b
    | \b(?:selon|d['’]après)\ (?:le|ce|cet)\ (?:texte|passage|article|extrait)\b | \bdans\ (?:le|ce
      |cet)\ (?:texte|passage|article|extrait)\b
    | \b(?:según|de\ acuerdo\ con)\ (?:el|este)\ (?:texto|pasaje|artículo|fragmento)\b | \ben\ (?:el
      |este)\ (?:texto|pasaje|artículo|fragmento)\b
    | (?:根据|依据|按照)(?:上|这|该|本|给定的|所给)?(?:文|段落|文章|短文|材料|段文字|文本)
    | 文中 | (?:上|本)文(?:中|所|提)
    | (?:وفق[اًا]?|حسب|بناء\ على)\ (?:ل?لنص|النص|للمقطع|المقطع) | في\ (?:هذا\ )?(?:النص|المقطع)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPEAKS_OF_SOURCE = re.compile(
    rf"""
    \b(?:the|this|that)\ (?:given|provided|above|source|original)\ (?:passage|text|excerpt|document
      |article|snippet)\b
    | \b(?:the|this|that)\ (?:passage|excerpt|snippet)\ {_SAYS}\b | \b(?:passage|text|excerpt)\ (?:above
      |provided|given)\b
    | \b(?:исходн|привед[её]нн|предоставленн)\w{{2,3}}\ (?:текст|отрыв|фрагмент) | \bв\ (?:данном
      |этом)\ (?:отрывке|фрагменте)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What a text must not say that may speak of itself as "this article"."""
_SPOKEN_OF = re.compile(
    r"passage|text|excerpt|article|document|paragraph|snippet|extract|abstract|context|author|writer|above|below|earlier"
    r"|previously|information|material|текст|отрыв|фрагмент|абзац|пассаж|документ|стать|параграф|контекст|автор|выше|ниже"
    r"|ранее|abschnitt|artikel|auszug|extrait|texto|pasaje|artículo|fragmento|文|材料|段落|النص|المقطع|للنص|للمقطع",
    re.IGNORECASE,
)
"""A quick look at whether there is anything to look for."""
_SPACE = re.compile(r"\s+")


def reference_fault(text: str, *, of_itself: bool = False) -> Rejection | None:
    """`refers_to_text` where a question, an answer or a text speaks of one that the reader does not see.

    `of_itself` says that it may speak of itself, as an article does.
    """
    if not _SPOKEN_OF.search(text):
        return None
    line = _SPACE.sub(" ", text)
    found = (_SPEAKS_OF_SOURCE if of_itself else _REFERS).search(line)
    return Rejection.of("refers_to_text", line[max(0, found.start() - 100) :]) if found else None


def is_shown(passage: str, turns: Turns) -> bool:
    """Whether a turn of the user shows the passage: whether it holds the passage's first words."""
    beginning = " ".join(words(passage[:400])[:_SHOWN])
    asked = (turn["content"] for turn in turns if turn["role"] in ("user", "system"))
    return any(beginning in " ".join(words(content)) for content in asked)
