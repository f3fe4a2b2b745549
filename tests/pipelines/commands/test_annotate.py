"""`coupage annotate`: ids, columns, verdicts, bad records, and what is done with an output folder."""

import gzip
import json
import signal
import subprocess
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from filters.quality.rules import preset
from filters.quality.signals import SIGNALS, compute_signals
from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.conftest import command, environment


def signals_of(folder):
    return pq.read_table(folder / "signals.parquet")


def test_every_kind_of_file_gives_the_columns_and_ids_of_the_contract(coupage, tmp_path, texts):
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in texts[:4]]
    (tmp_path / "plain.jsonl").write_bytes(lines[0] + b"\n" + lines[1])
    (tmp_path / "zipped.jsonl.gz").write_bytes(gzip.compress(lines[2]))
    (tmp_path / "packed.jsonl.zst").write_bytes(zstandard.compress(lines[3]))
    pq.write_table(pa.table({"id": ["own", None], "text": texts[4:6]}), tmp_path / "table.parquet")
    write_lines(tmp_path / "ids.jsonl", [{"id": 7, "text": texts[6]}, {"id": "../x", "text": texts[7]}])
    names = ["plain.jsonl", "zipped.jsonl.gz", "packed.jsonl.zst", "table.parquet", "ids.jsonl"]
    coupage("annotate", *names, "-o", "out", cwd=tmp_path)
    table = signals_of(tmp_path / "out")
    assert table.column_names == ["doc_id", *SIGNALS, "language", "language_score", "keep", "reason"]
    assert table.column("doc_id").to_pylist() == [
        "plain.jsonl:0",
        "plain.jsonl:1",
        "zipped.jsonl.gz:0",
        "packed.jsonl.zst:0",
        "own",
        "table.parquet:1",
        "7",
        "../x",
    ]
    expected = compute_signals(pa.array(texts[:8], pa.large_string()))
    assert table.select(list(SIGNALS)).to_pylist() == expected.to_pylist()
    assert set(table.column("keep").to_pylist()) == {True}
    assert pq.read_table(tmp_path / "out" / "quarantine.parquet").num_rows == 0


def test_rules_give_the_first_reason_and_their_thresholds_can_be_set(coupage, tmp_path, texts):
    file = write_lines(
        tmp_path / "web.jsonl", [{"text": t} for t in (texts[0], "Too short.", "{ } " + texts[1])]
    )
    judged = ["--rules", "gopher_quality", "--rules", "c4"]
    done = coupage("annotate", file, "-o", tmp_path / "out", *judged, "--json")
    assert signals_of(tmp_path / "out").column("reason").to_pylist() == [
        None,
        "gopher_quality.min_words",
        "c4.max_curly_brackets",
    ]
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["kept"]) == (3, 1)
    assert summary["dropped"] == {"gopher_quality.min_words": 1, "c4.max_curly_brackets": 1}
    assert set(summary["failed"]) == {rule.name for name in ("gopher_quality", "c4") for rule in preset(name)}
    coupage("annotate", file, "-o", tmp_path / "loose", "--rules", "c4", "--set", "c4.max_curly_brackets=9")
    assert signals_of(tmp_path / "loose").column("reason").to_pylist() == [None, "c4.min_sentences", None]


def test_bad_records_are_counted_and_kept_with_their_place(coupage, tmp_path, texts):
    good = json.dumps({"text": texts[0]}).encode()
    records = [
        good,
        b"{not json",
        b'{"text": "\xff\xfe"}',
        b'{"text": "\\ud800"}',
        b'{"text": null}',
        b'{"text": 5}',
        b'{"txt": "x"}',
        b"[1]",
        b'{"text": ""}',
        b'{"id": "", "text": "\\u0000<script>alert(1)</script>\\u202e"}',
        b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ]
    (tmp_path / "hostile.jsonl").write_bytes(b"\n".join(records))
    whole = gzip.compress((good + b"\n") * 50)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-30])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is none PAR1")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    names = ["hostile.jsonl", "cut.jsonl.gz", "broken.parquet", "empty.jsonl"]
    done = coupage("annotate", *names, "-o", "out", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    bad = pq.read_table(tmp_path / "out" / "quarantine.parquet")
    assert bad.column_names == ["file", "position", "reason", "sample", "bytes", "records"]
    assert sum(summary["bad_records"].values()) == bad.num_rows
    of_lines = [row for row in bad.to_pylist() if row["file"] == "hostile.jsonl"]
    assert [int(row["position"].split(",")[0].removeprefix("line ")) for row in of_lines] == [
        2, 3, 4, 5, 6, 7, 8, 11,
    ]  # fmt: skip
    assert {"cut.jsonl.gz", "broken.parquet"} < set(bad.column("file").to_pylist())
    ids = signals_of(tmp_path / "out").column("doc_id").to_pylist()
    assert ids[:3] == ["hostile.jsonl:0", "hostile.jsonl:8", "hostile.jsonl:9"]
    assert summary["documents"] == len(ids)
    assert "invalid UTF-8 (1)" in done.stderr and "quarantine.parquet" in done.stderr


def test_input_without_a_single_document_is_wrong_but_an_empty_file_is_not(coupage, tmp_path):
    (tmp_path / "none.jsonl").write_text('{"content": "x"}\n')
    failed = coupage("annotate", tmp_path / "none.jsonl", "-o", tmp_path / "out", code=2)
    assert "none.jsonl:line 1, byte 0" in failed.stderr and "no field `text`" in failed.stderr
    (tmp_path / "empty.jsonl").write_text("")
    coupage("annotate", tmp_path / "empty.jsonl", "-o", tmp_path / "empty")
    assert signals_of(tmp_path / "empty").num_rows == 0
    assert signals_of(tmp_path / "empty").column_names == [
        "doc_id",
        *SIGNALS,
        "language",
        "language_score",
        "keep",
        "reason",
    ]


def test_files_of_one_name_are_told_apart_by_their_folders(coupage, tmp_path, texts):
    for folder, text in zip("ab", texts, strict=False):
        (tmp_path / folder).mkdir()
        write_lines(tmp_path / folder / "part.jsonl", [{"text": text}])
    coupage("annotate", "a/part.jsonl", tmp_path / "b" / "part.jsonl", "-o", "out", cwd=tmp_path)
    assert signals_of(tmp_path / "out").column("doc_id").to_pylist() == ["a/part.jsonl:0", "b/part.jsonl:0"]


def test_signals_describe_the_edited_text(coupage, tmp_path):
    texts = ["It doesnâ€™t matter.\nMenu", "Menu", "Write to ann.smith@mail-server.org now"]
    file = write_lines(tmp_path / "web.jsonl", [{"text": text} for text in texts])
    edits = ["--edit", "fix_encoding", "--edit", "c4_lines", "--edit", "mask_pii"]
    option = ["--set", "c4_lines.terminal_punctuation=false"]
    done = coupage("annotate", file, "-o", tmp_path / "out", *edits, *option, "--json")
    sizes = signals_of(tmp_path / "out").column("bytes").to_pylist()
    assert sizes == [len("It doesn’t matter.".encode()), len("Write to <email> now")]
    summary = json.loads(done.stdout)
    assert summary["documents"] == 2
    changed = {
        edit["edit"]: (edit["documents_changed"], edit["documents_emptied"]) for edit in summary["edits"]
    }
    assert changed == {
        "fix_encoding": (1, 0),
        "normalize_lines": (0, 0),
        "c4_lines": (2, 1),
        "mask_pii": (1, 0),
    }


def test_verdicts_do_not_hang_on_line_ends_unless_asked(coupage, tmp_path):
    lines = [f"The river met the mountain for the {n}th time, and they will meet again." for n in range(40)]
    ends = ["\n", "\r\n", " \n", "\r"]
    file = write_lines(tmp_path / "web.jsonl", [{"text": end.join([*lines, ""])} for end in ends])
    judged = [file, "--rules", "fineweb"]
    done = coupage("annotate", *judged, "-o", tmp_path / "out", "--json")
    table = signals_of(tmp_path / "out")
    assert len(set(table.column("punctuated_line_fraction").to_pylist())) == 1
    assert len(set(table.column("reason").to_pylist())) == 1
    assert json.loads(done.stdout)["edits"][0]["counts"] == {
        "line_breaks": 80,
        "trailing_blanks": 40,
        "nulls": 0,
        "byte_order_marks": 0,
    }
    coupage("annotate", *judged, "-o", tmp_path / "raw", "--set", "normalize_lines=false")
    punctuated = signals_of(tmp_path / "raw").column("punctuated_line_fraction").to_pylist()
    assert [share > 0.5 for share in punctuated] == [True, False, False, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl"], "missing.jsonl: there is no such file"),
        (["folder"], "folder: is a folder"),
        (["good.jsonl", "./good.jsonl"], "given twice"),
        (["notes.docx"], "its suffix does not say how to read it"),
        (["good.jsonl", "--rules", "gopher_qualty"], "Did you mean 'gopher_quality'"),
        (["good.jsonl", "--set", "c4.min_sentences=3"], "belongs to no preset"),
        (["good.jsonl", "--rules", "c4", "--set", "c4.min_sentences"], "there is no `=`"),
        (["good.jsonl", "--rules", "c4", "--set", "c4.min_sentences=few"], "thresholds.c4.min_sentences"),
        (["good.jsonl", "--set", "normalize_lines=perhaps"], "normalize_lines"),
        (["good.jsonl", "--edit", "fix_encodng"], "Did you mean 'fix_encoding'"),
        (["good.jsonl", "--edit", "c4_lines", "--set", "c4_lines.marks=no"], "terminal_punctuation"),
        ([], "FILES"),
    ],
)
def test_wrong_input_ends_with_2_and_writes_nothing(coupage, tmp_path, arguments, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.docx").write_text("x")
    write_lines(tmp_path / "good.jsonl", [{"text": "x"}])
    failed = coupage("annotate", *arguments, "-o", "out", cwd=tmp_path, code=2)
    assert said in failed.stderr and "Traceback" not in failed.stderr
    assert not (tmp_path / "out").exists()


def test_results_are_kept_for_the_same_input_and_never_overwritten(coupage, tmp_path, texts):
    file = write_lines(tmp_path / "a.jsonl", [{"text": texts[0]}])
    out = tmp_path / "out"
    first = coupage("annotate", file, "-o", out, "--json").stdout
    written = (out / "signals.parquet").stat().st_mtime_ns
    assert coupage("annotate", file, "-o", out, "--json").stdout == first
    assert (out / "signals.parquet").stat().st_mtime_ns == written
    assert not (out / ".work").exists()
    assert "other inputs or settings" in coupage("annotate", file, "-o", out, "--rules", "c4", code=2).stderr
    (out / "signals.parquet").unlink()
    coupage("annotate", file, "-o", out)
    assert signals_of(out).num_rows == 1
    write_lines(file, [{"text": texts[1]}, {"text": texts[2]}])
    coupage("annotate", file, "-o", out, code=2)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "signals.parquet").write_text("mine")
    for _ in range(2):
        coupage("annotate", file, "-o", foreign, code=2)
    assert (foreign / "signals.parquet").read_text() == "mine"
    assert "cannot be made" in coupage("annotate", file, "-o", file / "out", code=2).stderr


def test_a_large_file_gives_the_same_bytes_with_any_workers_and_after_a_kill(coupage, tmp_path, large_file):
    rules = ("--rules", "gopher_repetition")
    coupage("annotate", large_file, "-o", tmp_path / "one", *rules, "--workers", 1)
    arguments = ("annotate", large_file, "-o", tmp_path / "two", *rules, "--workers", 2)
    killed = subprocess.Popen(command(*arguments), env=environment(), stderr=subprocess.DEVNULL)
    stages = tmp_path / "two" / ".work" / "stages"
    while not list(stages.glob("ingest-*/manifest.json")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "two" / "signals.parquet").exists()
    assert "ingest files: cached" in coupage(*arguments).stderr
    one, two = ((tmp_path / name / "signals.parquet").read_bytes() for name in ("one", "two"))
    assert one == two
    ids = signals_of(tmp_path / "two").column("doc_id").to_pylist()
    assert ids == [f"large.jsonl:{number}" for number in range(1000)]
