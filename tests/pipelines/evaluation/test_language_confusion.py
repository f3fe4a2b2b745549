"""Language confusion of canned answers, with rates that the benchmark's definition gives by hand."""

import json
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.evaluation.confusion_prompts import ConfusionPrompt, prompts_of_held_out, read_prompts
from pipelines.evaluation.confusion_scores import score_confusion
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.language_confusion import ask_confusion, is_latin, judge
from pipelines.recipe.language_confusion import LanguageConfusion
from tests.pipelines.evaluation.mera_data import Canned
from tests.trainers.plain_models import byte_tokenizer

RUSSIAN = "В этом городе много старых домов и красивых улиц."
ENGLISH = "There are many old houses and beautiful streets in this town."
FRENCH = "Il y a beaucoup de vieilles maisons dans cette ville."
CHINESE = "这座城市有很多古老的房子和美丽的街道。"
JAPANESE = "この街には古い家がたくさんあります。"


def prompt(language: str, source: str = "own", task: str = "monolingual", id: str = "0") -> ConfusionPrompt:
    return ConfusionPrompt(task=task, source=source, language=language, id=id, text="?")


@pytest.mark.parametrize(
    ("language", "text", "lines", "words"),
    [
        ("ru", RUSSIAN, True, True),
        ("ru", f"{RUSSIAN}\n{ENGLISH}", False, None),
        ("ru", f"{RUSSIAN}\nOld houses, mostly.\nДа.", True, True),  # fewer than five words do not count
        ("ru", "Да, конечно.\nYes, of course.", None, None),
        ("ru", "", None, None),
        ("ru", "В этом городе много старых houses, и красивых улиц.", True, False),
        ("ru", "В этом городе много «streets» и красивых старых домов.", True, False),
        ("ru", "В этом городе Old Houses, API, the и файл main.py на https://example.com/page", True, True),
        ("ru", "В этом городе много домов, and/or красивых well-known улиц.", True, True),
        ("ru", "В этом городе много maisons и красивых старых улиц.", True, False),  # not English, not a list
        ("ru", f"{RUSSIAN}\nQ: {ENGLISH}", True, True),  # the next question is none of the answer
        ("uk", "У цьому місті багато старих будинків і красивих вулиць, streets тощо.", True, False),
        ("en", ENGLISH, True, None),
        ("en", f"{ENGLISH}\n\n{RUSSIAN}", False, None),
        ("fr", FRENCH, True, None),
        ("fr", ENGLISH, False, None),
        ("zh", CHINESE, True, True),
        ("zh", CHINESE.replace("房子", "houses"), True, False),
        ("zh", "2019年11月11日\n20010729 184208", None, None),
        ("zh", JAPANESE, False, None),
        ("ja", JAPANESE, True, True),
    ],
)
def test_answers_pass_by_lines_and_words_as_defined(language, text, lines, words):
    (reply,) = judge([prompt(language)], [text])
    assert (reply.lines, reply.words) == (lines, words)


def test_languages_of_other_scripts_are_known():
    assert [is_latin(code) for code in ("en", "fr", "vi", "tr", "id")] == [True] * 5
    assert [is_latin(code) for code in ("ru", "ar", "zh", "ja", "ko", "hi", "uk", "el", "th")] == [False] * 9


GOOD, LINE, WORD, SHORT = RUSSIAN, ENGLISH, RUSSIAN.replace("старых", "houses"), "Да."


def test_rates_are_those_of_the_definition():
    """Of source a 4 answers tell, 3 pass by lines, 2 of these by words; of b 2, 1 and 1; of French 1 of 2."""
    asked = [prompt("ru", "a")] * 5 + [prompt("ru", "b")] * 2 + [prompt("fr", "a")] * 2
    texts = [GOOD, GOOD, WORD, LINE, SHORT, GOOD, LINE, FRENCH, ENGLISH]
    found = score_confusion({"base": judge(asked, texts)}).tasks["monolingual"]
    russian = found.languages["ru"].scores["base"]
    line_rate, word_rate = (3 / 4 + 1 / 2) / 2, (2 / 3 + 1) / 2
    assert (russian.judged, found.languages["ru"].prompts) == (6, 7)
    assert russian.lpr.value == pytest.approx(line_rate)
    assert russian.wpr.value == pytest.approx(word_rate)
    assert russian.lcpr.value == pytest.approx(2 * line_rate * word_rate / (line_rate + word_rate))
    french = found.languages["fr"].scores["base"]
    assert (french.lpr.value, french.wpr, french.lcpr) == (0.5, None, None)
    assert found.all.scores["base"].lpr.value == pytest.approx((line_rate + 0.5) / 2)
    assert found.all.scores["base"].wpr.value == pytest.approx(word_rate)


def test_a_model_that_falls_silent_is_told_though_it_mixes_nothing():
    asked = [prompt("ru", id=str(n)) for n in range(60)]
    silent = ["", " \n", "...", "\nQ: and now?"] * 10
    found = score_confusion({"base": judge(asked, [SHORT] * 60), "new": judge(asked, silent + [GOOD] * 20)})
    of_all = found.tasks["monolingual"].all
    assert (of_all.scores["base"].answered.value, of_all.scores["new"].answered.value) == (1, 1 / 3)
    assert of_all.differences["new"]["answered"].interval[1] < -0.4
    assert of_all.scores["new"].lpr.value == 1


def test_a_model_that_changes_its_language_is_told_by_pairs():
    asked = [prompt("ru", id=str(n)) for n in range(60)] + [prompt("ru", task="crosslingual")] * 3
    base = judge(asked, [GOOD] * 57 + [LINE] * 3 + [SHORT] * 3)
    mixed = judge(asked, [LINE] * 12 + [WORD] * 20 + [GOOD] * 28 + [SHORT] * 3)
    found = score_confusion({"base": base, "mixed": mixed, "same": base})
    of_all = found.tasks["monolingual"].all
    less = of_all.differences["mixed"]
    assert less["lpr"].value == pytest.approx(48 / 60 - 57 / 60) and less["lpr"].interval[1] < 0
    assert (
        less["wpr"].value == pytest.approx(28 / 48 - 1)
        and less["wpr"].interval[1] < less["lcpr"].interval[1] < 0
    )
    low, high = of_all.differences["same"]["lpr"].interval
    assert low == pytest.approx(-high) and high < 0.06
    assert found.tasks["crosslingual"].all.scores["base"].lpr is None
    assert found.tasks["crosslingual"].all.differences["mixed"] == {
        "answered": found.tasks["crosslingual"].all.differences["same"]["answered"],
        **dict.fromkeys(("lpr", "wpr", "lcpr")),
    }
    written = json.loads(json.dumps(found.to_json()))["tasks"]["monolingual"]["all"]
    assert written["scores"]["base"]["judged"] == 60
    assert written["differences"]["mixed"]["lpr"]["interval"] == list(less["lpr"].interval)
    with pytest.raises(ValueError, match="mixed was asked other prompts"):
        score_confusion({"base": base, "mixed": mixed[1:]})


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Two files as the benchmark lays them out."""
    for task, more in (("monolingual", ""), ("crosslingual", "location,phrasing,")):
        folder = tmp_path / "test_sets" / task / "okapi"
        folder.mkdir(parents=True)
        values = "Start,reply in {x}," if more else ""
        rows = "".join(f'"Вопрос {n},\nкакой?",{values}ru,okapi\n' for n in range(5))
        (folder / "ru.csv").write_text(f"prompt,{more}language,source\n{rows}")
    return tmp_path / "test_sets"


def test_the_benchmarks_folder_is_read(benchmark):
    found = read_prompts(LanguageConfusion(path=str(benchmark), prompts=3))
    assert [each.task for each in found] == ["crosslingual"] * 3 + ["monolingual"] * 3
    assert {(each.source, each.language) for each in found} == {("okapi", "ru")}
    assert found[0].text in {f"Q: Вопрос {n},\nкакой?\nA:" for n in range(5)}
    assert len({each.id for each in found[:3]}) == 3
    assert found == read_prompts(LanguageConfusion(path=str(benchmark), prompts=3))
    assert found != read_prompts(LanguageConfusion(path=str(benchmark), prompts=3, seed=1))
    model = Canned(lambda text: RUSSIAN)
    replies = ask_confusion(model, found, LanguageConfusion(), 8)
    assert model.asked == [each.text for each in found] and all(reply.lines for reply in replies)


def test_prompts_of_ones_own_are_read(tmp_path):
    file = tmp_path / "own.jsonl"
    record = {"id": 7, "prompt": "Hello?", "language": "ru", "task": "crosslingual"}
    file.write_text(json.dumps(record) + "\n" + json.dumps(record | {"language": "fr", "task": None}) + "\n")
    config = LanguageConfusion(path=str(file), form="<{prompt}>", languages=("ru",))
    asked = ConfusionPrompt(task="crosslingual", source="own", language="ru", id="7", text="<Hello?>")
    assert read_prompts(config) == [asked]
    with pytest.raises(UserError, match="no prompt to be answered in one of"):
        read_prompts(config.model_copy(update={"languages": ("de",)}))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "prompt,language\nA,ru\n,ru\n", "a.csv:record 2: it has no text in `prompt`"),
        ("a.csv", "prompt\nA\n", "record 1: it has no text in `language`"),
        ("a.csv", "prompt,language\nA,Russian\n", "record 1: `language` is not known"),
        ("a.csv", "prompt,language,task\nA,ru,multi\n", "record 1: `task` is neither"),
        ("a.csv", "prompt,language\n", "there is no prompt"),
        ("a.csv", b"prompt,language\n\xff,ru\n", "cannot be read"),
        ("a.jsonl", "{", "a line is no JSON"),
        ("a.jsonl", "[]", "no JSON object"),
        ("a.txt", "", "suffix"),
    ],
)
def test_what_is_wrong_in_a_file_of_prompts_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said):
        read_prompts(LanguageConfusion(path=str(tmp_path / name)))


def test_held_out_documents_begin_prompts_in_their_language():
    model = PlainModel(model=None, tokenizer=byte_tokenizer())
    pieces = [model.encode(text * 2) for text in (RUSSIAN, ENGLISH, RUSSIAN, "1 2 3 4 5 6 " * 9)]
    found = prompts_of_held_out(pieces, LanguageConfusion(prompt_tokens=50, prompts=1), model)
    assert sorted((each.language, each.text) for each in found) == [
        ("en", ENGLISH[:50]),
        ("ru", model.decode(model.encode(RUSSIAN)[:50])),
    ]
    only = LanguageConfusion(prompt_tokens=50, languages=("en",))
    assert [each.language for each in prompts_of_held_out(pieces, only, model)] == ["en"]
