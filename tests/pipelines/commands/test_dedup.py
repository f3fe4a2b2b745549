"""`coupage dedup`: planted duplicates are found, the evidence is right, everything else is kept."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.commands.conftest import write_lines


def evidence(folder):
    return {row["doc_id"]: row for row in pq.read_table(folder / "duplicates.parquet").to_pylist()}


def kept(folder):
    return pl.read_parquet(folder / "kept" / "*.parquet")


def jaccard(a: str, b: str, ngram: int = 5) -> float:
    """Of the sets of word runs; the words of these tests are plain."""
    words = ["".join(c if c.isalnum() else " " for c in text.lower()).split() for text in (a, b)]
    first, second = ({tuple(w[i : i + ngram]) for i in range(len(w) - ngram + 1)} for w in words)
    return len(first & second) / len(first | second)


@pytest.fixture(scope="module")
def planted(tmp_path_factory, texts) -> tuple:
    """Two files: `b.jsonl` holds copies of documents of `a.jsonl`."""
    folder = tmp_path_factory.mktemp("planted")
    first = write_lines(folder / "a.jsonl", [{"text": text, "n": n} for n, text in enumerate(texts)])
    near = "A few words in front of it. " + texts[7]
    related = texts[8][: len(texts[8]) // 2] + " " + texts[9][len(texts[9]) // 2 :]
    second = write_lines(
        folder / "b.jsonl",
        [
            {"id": "exact", "text": texts[3]},
            {"id": "spaced", "text": texts[4].upper().replace(" ", "  ")},
            {"id": "near", "text": near},
            {"id": "related", "text": related},
        ],
    )
    return first, second, near


def test_planted_duplicates_are_found_with_true_similarities(coupage, tmp_path, planted, texts):
    first, second, near = planted
    done = coupage("dedup", first, second, "-o", tmp_path / "out", "--json")
    found = evidence(tmp_path / "out")
    assert {name: (row["kept_doc_id"], row["method"]) for name, row in found.items()} == {
        "exact": ("a.jsonl:3", "exact"),
        "a.jsonl:4": ("spaced", "exact"),  # the longer text is kept
        "a.jsonl:7": ("near", "minhash"),
    }
    assert found["exact"]["similarity"] == found["a.jsonl:4"]["similarity"] == 1.0
    assert found["a.jsonl:7"]["similarity"] == pytest.approx(jaccard(texts[7], near))
    assert list(found["exact"]) == ["doc_id", "kept_doc_id", "similarity", "method", "cluster_size"]
    assert {row["cluster_size"] for row in found.values()} == {2}
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["kept"]) == (44, 41)
    assert summary["duplicates"] == {"exact": 2, "minhash": 1}
    rest = kept(tmp_path / "out")
    assert rest.columns == ["doc_id", "text", "url", "metadata"]
    everything = {f"a.jsonl:{n}": text for n, text in enumerate(texts)}
    assert {row["doc_id"]: row["text"] for row in rest.to_dicts() if row["doc_id"] in everything} == {
        name: text for name, text in everything.items() if name not in found
    }
    assert set(rest["doc_id"]) - set(everything) == {"spaced", "near", "related"}
    assert json.loads(rest.filter(pl.col("doc_id") == "a.jsonl:5")["metadata"][0]) == {"n": 5}


def test_documents_to_compare_against_win_and_are_not_kept(coupage, tmp_path, planted, texts):
    first, second, near = planted
    old = tmp_path / "old"
    old.mkdir()
    write_lines(old / "b.jsonl", [{"text": texts[1]}, {"text": near}, {"text": texts[3]}, {"text": texts[3]}])
    done = coupage("dedup", second, first, "--against", old / "b.jsonl", "-o", tmp_path / "out", "--json")
    found = {name: row["kept_doc_id"] for name, row in evidence(tmp_path / "out").items()}
    (name,) = {kept for removed, kept in found.items() if removed == "near"}
    assert name.endswith("old/b.jsonl:1")  # two files have one name, so folders tell them apart
    reference = name.removesuffix(":1")
    unlike = {row: kept for row, kept in found.items() if not kept.startswith(reference)}
    assert len(unlike) == 1 and list(unlike.values()) == ["spaced"]
    assert sorted(kept.removeprefix(reference) for kept in found.values() if kept != "spaced") == [
        ":0",
        ":1",
        ":1",
        ":2",
        ":2",
    ]
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["references"], summary["kept"]) == (44, 4, 38)
    assert not any(row.startswith(reference) for row in kept(tmp_path / "out")["doc_id"])
    assert "given twice" in coupage("dedup", first, "--against", first, "-o", tmp_path / "x", code=2).stderr


def test_exact_only_and_stricter_similarity_leave_near_duplicates(coupage, tmp_path, planted):
    first, second, _ = planted
    coupage("dedup", first, second, "-o", tmp_path / "exact", "--exact-only")
    assert set(evidence(tmp_path / "exact")) == {"exact", "a.jsonl:4"}
    coupage("dedup", first, second, "-o", tmp_path / "strict", "--verify", "0.999")
    assert set(evidence(tmp_path / "strict")) == {"exact", "a.jsonl:4"}


def test_repeated_ids_are_told_and_no_reason_to_drop(coupage, tmp_path, texts):
    file = write_lines(tmp_path / "a.jsonl", [{"id": "same", "text": text} for text in texts[:3]])
    done = coupage("dedup", file, "-o", tmp_path / "out")
    assert kept(tmp_path / "out")["text"].to_list() == texts[:3]
    assert "2 documents have an id that stood before" in done.stdout


def test_what_was_kept_can_be_read_again_under_its_ids(coupage, tmp_path, planted):
    first, second, _ = planted
    coupage("dedup", first, second, "-o", tmp_path / "out")
    coupage("dedup", *(tmp_path / "out" / "kept").iterdir(), "-o", tmp_path / "again")
    assert evidence(tmp_path / "again") == {}
    assert kept(tmp_path / "again")["doc_id"].equals(kept(tmp_path / "out")["doc_id"])


def test_bad_records_and_documents_without_words(coupage, tmp_path):
    (tmp_path / "odd.jsonl").write_text(
        '{"text": ""}\n{"text": "?!"}\n{"text": "--"}\n{broken\n{"text": ""}\n'
    )
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "none.parquet")
    done = coupage(
        "dedup", tmp_path / "odd.jsonl", tmp_path / "none.parquet", "-o", tmp_path / "out", "--json"
    )
    summary = json.loads(done.stdout)
    assert summary["bad_records"] == {"invalid JSON": 1}
    assert {row["kept_doc_id"] for row in evidence(tmp_path / "out").values()} == {"odd.jsonl:0"}
    assert kept(tmp_path / "out")["text"].to_list() == ["", "?!", "--"]
    coupage("dedup", tmp_path / "none.parquet", "-o", tmp_path / "nothing")
    assert evidence(tmp_path / "nothing") == {}
    assert "verify" in coupage("dedup", tmp_path / "odd.jsonl", "-o", "x", "--verify", "2", code=2).stderr


def test_the_same_bytes_with_any_workers(coupage, tmp_path, large_file):
    written = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        coupage("dedup", large_file, "-o", out, "--workers", workers)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        written.append({path.relative_to(out): path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert len(list((tmp_path / "1" / "kept").iterdir())) > 1
    assert len(evidence(tmp_path / "1")) == 100


def test_conversations_that_differ_in_a_call_alone_are_no_duplicates(coupage, tmp_path):
    def row(name, city):
        call = {"function": {"name": "weather", "arguments": json.dumps({"city": city})}}
        turns = [{"role": "user", "content": "How is it?"}, {"role": "assistant", "tool_calls": [call]}]
        return json.dumps({"id": name, "conversations": turns}) + "\n"

    chats = tmp_path / "chats.jsonl"
    chats.write_text(row("a", "Rome") + row("b", "Bern") + row("c", "Rome"))
    coupage("dedup", chats, "-o", tmp_path / "out", "--exact-only")
    assert set(evidence(tmp_path / "out")) == {"c"}
    assert kept(tmp_path / "out")["template_fields"].null_count() == 0
    again = tmp_path / "again.parquet"
    kept(tmp_path / "out").write_parquet(again)
    coupage("dedup", again, "-o", tmp_path / "same", "--exact-only", "--messages", "openai")
    first, second = (kept(tmp_path / name) for name in ("out", "same"))
    for column in ("doc_id", "text", "messages", "template_fields"):
        assert first[column].equals(second[column])
