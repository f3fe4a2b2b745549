"""Refusals: a model that says that it cannot, or does not know, instead of an answer.

What refuses stands at the beginning of an answer, or at the beginning of a sentence of a short one: a text
that tells of refusals is none.
"""

from __future__ import annotations

import re

from pipelines.synthesis.checks.words import word_count
from pipelines.synthesis.draft import Rejection

_SHORT = 60
"""Words of an answer whose every sentence counts."""
_START = 400
"""Characters of a longer one that count, as far as its first sentences go."""

_SORRY = r"""
    (?:i['’]?m|i\ am|we['’]re|we\ are)\ (?:(?:really|very|so|deeply|truly)\ )?sorry\b
      (?!\ (?:for\ your|to\ hear))
    | (?:i|we|my)\ (?:sincerely\ |deeply\ |must\ )?apologi(?:es|[sz]e)\b
    | sorry\b ,?\ (?:but\b|i\b)
    | извините | простите | прошу\ прощения | приношу\ (?:свои\ )?извинения
    | (?:es\ )?tut\ mir\ (?:sehr\ )?leid | entschuldigung,
    | (?:je\ suis\ )?désolée?\b | lo\ siento\b | lo\ lamento\b | desculpe\b | sinto\ muito | mi\ dispiace
    | (?:很|非常|十分)?(?:抱歉|对不起) | 申し訳(?:ありません|ございません)
    | ごめんなさい | 죄송합니다 | عذرا | آسف | أعتذر
"""
_CANNOT = r"""
    (?:unfortunately|regrettably)?,?\ ?(?:but\ )?
      (?:i|we)\ (?:can\ ?not|can['’]?t|could\ not|couldn['’]t|won['’]?t|will\ not|am\ (?:unable
        |not\ able)|['’]?m\ (?:unable|not\ able)
        |do\ not\ have|don['’]?t\ have|have\ no)\ (?!help\ but\b|but\b|wait\b)
      (?:to\ )?(?:directly\ |really\ |accurately\ |the\ |any\ |enough\ |sufficient\ |access|specific\ )?
      (?:help|assist|answer|provide|fulfil|comply|create|generate|write|discuss|continue|engage|determine
        |complete|respond
        |give|offer|access|translate|produce|find|see|information|context|details|data|ability|capability
          |knowledge|support|do\ (?:that|this)|to\b)
    | i['’]?m\ (?:unable|not\ able)\ to | i\ am\ (?:unable|not\ able)\ to
    | (?:unfortunately,?\ )?(?:the|this)\ (?:\w+\ )?(?:passage|text|article|document|context|excerpt)
      \ (?:does\ not|doesn['’]t)\ (?:\w+\ )?(?:mention|provide|contain|specify|say|include|state|give
        |answer)\b
    | (?:unfortunately,?\ )?there\ (?:is|isn['’]t)\ (?:not\ enough|no|insufficient|enough|any)\b
      (?=[^.\n]{0,80}\b(?:information|mention|passage|text|answer|question|provide|specify|context|data
        |detail))
    | (?:к\ сожалению,?\ )?(?:но\ )?я\ не\ имею\ (?:возможности|доступа|права|информации)
    | (?:к\ сожалению,?\ )?(?:но\ )?я\ не\ (?:могу|смогу|в\ состоянии|способ\w+)
      (?!\ не\b)\ (?:вам\ |с\ этим\ |тебе\ |точно\ )?
      (?:помо|ответ|предостав|выполн|созда|обсужд|напис|продолж|дать|сказать|сгенер|получ|просм|рассказ
        |доступ|информ|перев|это|этого|поддерж|определ|участв)
    | к\ сожалению,?\ (?:я|мне|у\ меня|в\ (?:тексте|отрывке|предоставленн\w+)|информац)
    | я\ не\ (?:обладаю|располагаю|знаю\ ответа)
    | у\ меня\ нет\ (?:доступа|информации|данных|возможности|достаточ)
    | (?:в\ (?:данном\ |этом\ |предоставленном\ |приведенном\ |приведённом\ )?(?:тексте|отрывке|документе
      |статье|контексте)\ )
      (?:об\ этом\ |это\ )?(?:не\ (?:указан|упомина|сказан|содерж|говор|сообща|приводит)
        |нет\ (?:информации|сведений|данных|ответа|упомин))
    | (?:недостаточно|нет|отсутствует)\ (?:достаточной\ )?(?:информаци|данных|сведени|контекст)\w*
    | (?:информаци\w+|данны\w+|сведени\w+)\ (?:об\ этом\ |по\ этому\ \w+\ )?(?:не\ (?:указан|предоставл
      |содерж|найден)\w*|отсутству\w+|нет\b)
    | (?:leider\ )?(?:kann|darf)\ ich\ (?:\w+\ ){0,6}nicht
      | ich\ kann\ (?:\w+\ ){0,6}nicht\ (?:\w+\ ){0,3}(?:helfen|beantworten|beantwort|erstellen)
    | je\ ne\ peux\ pas\ (?:vous\ )?(?:aider|répondre|fournir) | no\ puedo\ (?:ayudar|responder
      |proporcionar|cumplir)
    | (?:我|本人)(?:无法|不能|没有办法|没办法)(?:回答|提供|帮助|完成|协助|满足) | 无法(?:回答|提供)
    | لا\ (?:أستطيع|يمكنني)
"""
_MACHINE = r"""
    as\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model|llm)\b [^.\n]{0,60}
      (?:,\ |\ )(?:i|my|me|it['’]s|it\ is)\b
    | i['’]?(?:m|\ am)\ (?:just\ |only\ |merely\ )?an?\ (?:ai\b|artificial|(?:large\ )?language\ model
      |virtual\ assistant)
    | как\ (?:искусственный\ интеллект|ии\b|ai\b|языковая\ модель|большая\ языковая|нейросеть
      |виртуальный\ помощник|модель\ (?:ии|искусственного))[^.\n]{0,60} (?:,\ |\ )(?:я|у\ меня|мне|мо[йяие])\b
    | (?:будучи|являясь)\ (?:искусственным\ интеллектом|языковой\ моделью|ии\b)
    | я\ (?:[—–-]\ ?|являюсь\ |всего\ лишь\ |просто\ |только\ )*(?:языков\w+\ модел\w+|ии\b
      |искусственн\w+\ интеллект\w*|нейросет\w+|виртуальн\w+\ (?:помощник|ассистент)\w*)
    | als\ (?:ki\b|künstliche\ intelligenz|sprachmodell) | en\ tant\ qu['’e]\ ?(?:ia\b|intelligence|modèle)
    | como\ (?:una?\ )?(?:ia\b|inteligencia\ artificial|modelo\ de\ (?:lenguaje|linguagem))
    | 作为(?:一个|一名|一种)?(?:ai|人工智能|语言模型|大型语言) | أنا\ (?:نموذج|ذكاء)
"""
_LEAD = (
    r"(?:(?:oh|well|hmm|hi|hello|no|yes|but|however|thank\ you[^.!\n]{0,40}"
    r"|ну|но|увы|нет|да|здравствуйте|спасибо[^.!\n]{0,40})[,.!]?\ ){0,2}"
)
_REFUSES = re.compile(rf"{_LEAD}(?:{_SORRY}|{_CANNOT}|{_MACHINE})", re.IGNORECASE | re.VERBOSE)
_ANYWHERE = re.compile(
    r"\b(?:as an ai(?: language)? model|as a(?: large)? language model|as an ai assistant"
    r"|как языковая модель|я языковая модель)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?…:])\s+|\n+|(?<=[。！？])")
_MARKUP = " \t*_#>•-"


def refusal_fault(text: str) -> Rejection | None:
    """`refusal` where an answer refuses, in any of a dozen languages, English and Russian above all."""
    short = word_count(text) <= _SHORT
    start = text if short else text[:_START]
    sentences = [sentence.strip(_MARKUP) for sentence in _SENTENCE.split(start)]
    sentences = [sentence for sentence in sentences if sentence]
    for sentence in sentences if short else sentences[:2]:
        if _REFUSES.match(" ".join(sentence.split())):
            return Rejection.of("refusal", text)
    return Rejection.of("refusal", text) if _ANYWHERE.search(start) else None
