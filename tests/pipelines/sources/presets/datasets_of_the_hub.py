"""Small datasets with the files, columns and types of the real ones on the hub, by what their cards say."""

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

TIME = pa.timestamp("us")


def parquet(schema: pa.Schema, rows: list[dict], row_group_size: int = 5) -> bytes:
    buffer = io.BytesIO()
    complete = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(complete, schema), buffer, row_group_size=row_group_size)
    return buffer.getvalue()


def card(*configs: tuple[str, dict[str, str]]) -> bytes:
    """A README whose head names each configuration's files by split."""
    lines = ["---", "configs:"]
    for name, splits in configs:
        lines += [f"- config_name: {name}", "  data_files:"]
        for split, path in splits.items():
            lines += [f"  - split: {split}", f"    path: {path}"]
    return "\n".join([*lines, "---", "# A dataset", ""]).encode()


def prose(start: int, stop: int, word: str) -> list[str]:
    return [f"{word} number {number}: " + f"{word} {number} " * 60 for number in range(start, stop)]


FINEWEB = pa.schema(
    [
        *((name, pa.string()) for name in ("text", "id", "dump", "url", "date", "file_path", "language")),
        ("language_score", pa.float64()),
        ("token_count", pa.int64()),
    ]
)


def fineweb(files: int = 3, rows: int = 20) -> dict[str, bytes]:
    def row(number: int, text: str) -> dict:
        return {
            "text": text,
            "id": f"<urn:uuid:{number:036}>",
            "dump": "CC-MAIN-2024-10",
            "url": f"https://example.org/{number}",
            "date": "2024-02-21T00:00:00Z",
            "file_path": "s3://commoncrawl/crawl-data/CC-MAIN-2024-10/warc.gz",
            "language": "en",
            "language_score": 0.97,
            "token_count": 120,
        }

    def file(number: int) -> bytes:
        start = number * rows
        return parquet(FINEWEB, [row(start + n, t) for n, t in enumerate(prose(start, start + rows, "web"))])

    return {
        "README.md": card(("default", {"train": "data/*/*"}), ("sample-10BT", {"train": "sample/10BT/*"})),
        **{f"sample/10BT/{number:03}_00000.parquet": file(number) for number in range(files)},
        "data/CC-MAIN-2024-10/000_00000.parquet": file(9),
    }


def fineweb_2() -> dict[str, bytes]:
    strings = ("text", "id", "dump", "url", "date", "file_path", "language")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in strings),
            ("language_score", pa.float64()),
            ("language_script", pa.string()),
            ("minhash_cluster_size", pa.int64()),
            ("top_langs", pa.string()),
        ]
    )
    rows = [{"text": text, "id": str(n), "language": "rus"} for n, text in enumerate(prose(0, 12, "слово"))]
    return {
        "README.md": card(("rus_Cyrl", {"train": "data/rus_Cyrl/train/*", "test": "data/rus_Cyrl/test/*"})),
        "data/rus_Cyrl/train/000_00000.parquet": parquet(schema, rows),
        "data/rus_Cyrl/test/000_00000.parquet": parquet(schema, rows[:1]),
    }


def c4() -> dict[str, bytes]:
    def file(texts: list[str]) -> bytes:
        rows = (
            {"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": f"https://example.com/{number}"}
            for number, text in enumerate(texts)
        )
        return gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows), mtime=0)

    return {
        "README.md": card(
            ("en", {"train": "en/c4-train.*.json.gz", "validation": "en/c4-validation.*.json.gz"}),
            ("ru", {"train": "multilingual/c4-ru.*.json.gz"}),
        ),
        "en/c4-train.00000-of-01024.json.gz": file(prose(0, 30, "page")),
        "en/c4-train.00001-of-01024.json.gz": file(prose(30, 60, "page")),
        "en/c4-validation.00000-of-00008.json.gz": file(prose(60, 61, "page")),
        "multilingual/c4-ru.tfrecord-00000-of-04096.json.gz": file(prose(0, 10, "страница")),
        "multilingual/c4-ru-validation.tfrecord-00000-of-00004.json.gz": file(prose(10, 11, "страница")),
    }


THE_STACK_V2 = pa.schema(
    [
        *((name, pa.string()) for name in ("blob_id", "directory_id", "path", "content_id")),
        ("detected_licenses", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("license_type", "repo_name", "snapshot_id", "revision_id")),
        ("branch_name", pa.string()),
        *((name, TIME) for name in ("visit_date", "revision_date", "committer_date")),
        *((name, pa.int64()) for name in ("github_id", "star_events_count", "fork_events_count")),
        ("gha_license_id", pa.string()),
        *((name, TIME) for name in ("gha_event_created_at", "gha_created_at")),
        *((name, pa.string()) for name in ("gha_language", "src_encoding", "language")),
        *((name, pa.bool_()) for name in ("is_vendor", "is_generated")),
        ("length_bytes", pa.int64()),
        ("extension", pa.string()),
    ]
)


def the_stack_v2(rows: list[dict]) -> dict[str, bytes]:
    return {
        "README.md": card(("Python", {"train": "data/Python/train-*"})),
        "data/Python/train-00000-of-00001.parquet": parquet(THE_STACK_V2, rows),
    }


THE_STACK_V3 = pa.schema(
    [
        ("repo_path", pa.string()),
        ("repo_id", pa.int64()),
        ("commit_id", pa.string()),
        ("github_metadata", pa.struct([("stars", pa.int64()), ("description", pa.string())])),
        ("num_files", pa.int64()),
        (
            "files",
            pa.list_(
                pa.struct(
                    [
                        *((name, pa.string()) for name in ("content_id", "content", "file_path")),
                        ("size_bytes", pa.int64()),
                        ("file_timestamp", TIME),
                        ("language", pa.string()),
                        ("is_vendor", pa.bool_()),
                        ("license_type", pa.string()),
                        ("detected_licenses", pa.list_(pa.string())),
                    ]
                )
            ),
        ),
    ]
)


def the_stack_v3(repositories: int = 4) -> dict[str, bytes]:
    def file(repository: int, number: int, **other: object) -> dict:
        return {
            "content_id": f"{repository}-{number}",
            "content": f"# file {number} of repository {repository}\n" + f"x = {number}\n" * 30,
            "file_path": f"src/{number}.py",
            "size_bytes": 200,
            "language": "Python",
            "is_vendor": False,
            "license_type": "permissive",
            "detected_licenses": ["MIT", "Apache-2.0"],
            **other,
        }

    def row(number: int) -> dict:
        files = [
            file(number, 0),
            file(number, 1, language="C"),
            file(number, 2, is_vendor=True),
            file(number, 3, license_type="no_license", detected_licenses=[]),
            file(number, 4, detected_licenses=["BSD-3-Clause"]),
        ]
        return {"repo_path": f"owner/{number}", "repo_id": number, "commit_id": "c" * 40, "files": files}

    return {
        "README.md": card(("default", {"train": "data/*.parquet"})),
        "data/train-00000-of-08192.parquet": parquet(THE_STACK_V3, [row(n) for n in range(repositories)], 2),
    }


def grandmaster() -> dict[str, bytes]:
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    schema = pa.schema(
        [
            ("conversation", pa.list_(turn)),
            *((name, pa.string()) for name in ("source", "prompt_lang", "answer_lang", "short_answer")),
            ("cluster", pa.int64()),
        ]
    )

    def row(number: int) -> dict:
        turns = [
            {"role": "user", "content": f"Вопрос {number}?"},
            {"role": "assistant", "content": f"Ответ {number}. " * 20},
        ]
        return {"conversation": turns, "prompt_lang": "ru", "answer_lang": "ru", "cluster": number}

    return {
        "README.md": card(("default", {"train": "data/train-*", "test": "data/test-*"})),
        "data/train-00000-of-00001.parquet": parquet(schema, [row(number) for number in range(15)]),
        "data/test-00000-of-00001.parquet": parquet(schema, [row(99)]),
    }
