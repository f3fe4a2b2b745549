"""Texts that tests of several checks share."""

from pipelines.sources.language_model import bundled_model, load_identifier

IDENTIFIER = load_identifier(str(bundled_model()))

ENGLISH = (
    "The Vasa was built for King Gustavus Adolphus between 1626 and 1628. The warship sank on 10 August "
    "1628, after sailing roughly 1,300 metres into her maiden voyage, because she was dangerously "
    "unstable. Thirty of the crew died. She was found again in the late 1950s and raised in 1961, with "
    "98 percent of the oak intact."
)
RUSSIAN = (
    "Озеро Байкал в Восточной Сибири — самое глубокое озеро планеты: его наибольшая глубина составляет "
    "1642 метра. Площадь водной поверхности — 31 722 км², что примерно равно площади Бельгии. В озеро "
    "впадает около трёхсот рек, а вытекает одна — Ангара. В 1996 году Байкал внесли в список всемирного "
    "наследия ЮНЕСКО."
)
GERMAN = "Der Rhein entspringt in den Alpen und mündet nach mehr als tausend Kilometern in die Nordsee."
CHINESE = "长江是中国最长的河流，全长六千三百多公里，流经十一个省级行政区，最后注入东海。"
ARABIC = "نهر النيل أطول أنهار العالم، وينبع من بحيرة فيكتوريا ويصب في البحر الأبيض المتوسط."
