import gzip

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.files import FilesConfig

from ..conftest import Reading


def token(number, form: str, misc: str = "_") -> str:
    return "\t".join([str(number), form, *["_"] * 7, misc]) + "\n"


FILE = (
    "# newdoc id = first\n# title = T\n# newpar\n# sent_id = 1\n# text = Хей, мир!\n"
    + token(1, "Хей", "SpaceAfter=No")
    + token(2, ",")
    + token(3, "мир", "SpaceAfter=No")
    + token(4, "!")
    + "\n# sent_id = 2\n"
    + token("1-2", "vámonos", "SpaceAfter=No")
    + token(1, "vamos")
    + token(2, "nos")
    + token("2.1", "empty")
    + token(3, "!")
    + "\n# newpar\n# sent_id = 3\n# text = Ende.\n"
    + token(1, "Ende")
    + token(2, ".")
    + "\n# newdoc id = second\n# text = Next\n"
    + token(1, "Next")
    + "\n"
)


def test_a_document_begins_at_newdoc(read):
    reading = read(
        {"a.conllu": FILE.encode(), "b.conllu.gz": gzip.compress(FILE.replace("id = ", "id = b-").encode())}
    )
    assert reading.texts == ["Хей, мир! vámonos!\n\nEnde.", "Next"] * 2
    assert reading.ids == ["s/first", "s/second", "s/b-first", "s/b-second"]
    assert orjson.loads(reading.documents[0]["metadata"]) == {
        "title": "T",
        "sentences": 3,
        "first_sent_id": "1",
        "last_sent_id": "3",
    }
    assert reading.quarantine == []


def test_a_file_without_newdoc_is_one_document(read):
    content = "# text = One.\n" + token(1, "One.") + "\n# text = Two.\n" + token(1, "Two.")
    reading = read({"a.conllu": content.encode(), "b.conllu": b"", "c.conllu": b"\n\n"})
    assert reading.texts == ["One.\nTwo."] and reading.ids == ["s/a.conllu:0"]


def test_what_is_no_conllu_is_set_aside_with_its_line(read):
    content = FILE.replace("2\t,", "2 ,")
    reading = read({"a.conllu": content.encode(), "b.conllu": b"# newdoc\n" + b"\xff\n"})
    assert reading.texts == ["Next"]
    assert [row[1:3] for row in reading.quarantine] == [
        ("line 7, byte 117", "invalid CoNLL-U"),
        ("line 2, byte 9", "invalid UTF-8"),
    ]


def test_a_limit_counts_documents(read):
    assert read({"a.conllu": FILE.encode()}, limit="1 documents").ids == ["s/first"]


FORMS = st.text(st.characters(codec="utf-8", categories=["L", "P"]), min_size=1, max_size=5)


@given(
    st.lists(st.lists(st.tuples(FORMS, st.booleans()), min_size=1, max_size=5), min_size=1, max_size=5),
    st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_forms_make_the_text_that_a_comment_would_say(tmp_path, sentences, commented):
    written, texts = "", []
    for sentence in sentences:
        text = "".join(form + ("" if joined else " ") for form, joined in sentence).strip()
        texts.append(text)
        written += f"# text = {text}\n" if commented else ""
        written += (
            "".join(
                token(number, form, "SpaceAfter=No" if joined else "_")
                for number, (form, joined) in enumerate(sentence, 1)
            )
            + "\n"
        )
    (tmp_path / "a.conllu").write_bytes(written.encode())
    reading = Reading(FilesConfig(reader="files", path="a.conllu").build("s", tmp_path))
    assert reading.texts == ["\n".join(texts)]
