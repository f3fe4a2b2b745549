"""Everything that carries a version: where it stands, and the output that it stands for."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from filters.classify import fasttext_text, linear_head, percentiles
from filters.contamination import code as code_units
from filters.contamination import frequency, index, match
from filters.contamination import words as contamination_words
from filters.contamination.items import ITEMS
from filters.contamination.judge import Thresholds
from filters.dedup import boilerplate, candidates, exact, jaccard, minhash, survivors
from filters.edits.edits import EDITS
from filters.language import identify
from filters.quality import bad_words
from filters.quality.signals import FAMILIES, compute_signals
from mixers import plan, remixed, shard_index, shards
from mixers.budget import Mixture, Overflow
from mixers.gather import gather_segments
from mixers.ledger import Ledger
from pipelines.evaluation import passages
from pipelines.sources import (
    arxiv,
    benchmarks,
    formats,
    limit,
    python_code,
    python_environment,
    software_heritage,
)
from pipelines.sources.archives import members
from pipelines.sources.base import Quarantine, Unit
from pipelines.sources.code import choice, dependencies, generated, git, languages
from pipelines.sources.code import content as source_text
from pipelines.sources.code.attributes import Said
from pipelines.sources.code.git import GitConfig
from pipelines.sources.code.objects import Entry
from pipelines.sources.documents import records as document_records
from pipelines.sources.embedders import Embedder
from pipelines.sources.files import FilesConfig
from pipelines.sources.language_model import bundled_model, load_identifier
from pipelines.sources.latex import paper
from pipelines.sources.licences import classes as licence_classes
from pipelines.sources.licences import header as licence_headers
from pipelines.sources.licences import spdx, templates
from pipelines.sources.licences import texts as licence_texts
from pipelines.sources.remote.cache import BlobCache
from pipelines.sources.schema import PART_SCHEMA
from pipelines.sources.web import read as read_pages
from pipelines.sources.web.options import Pages
from pipelines.stages import hash_sampling
from pipelines.stages.contamination import item_texts, semantic
from pipelines.synthesis import chunks
from pipelines.synthesis.ask import Answer
from pipelines.synthesis.augment import Augment
from pipelines.synthesis.augmentation import topics
from pipelines.synthesis.augmentation.topics import related
from pipelines.synthesis.checks import checks
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.chunks import chunk_spans
from pipelines.synthesis.draft import Draft, RejectedError
from pipelines.synthesis.method import Method
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.qa import Questions
from pipelines.synthesis.questions import docstring_qa
from pipelines.synthesis.rephrase import Rephrase
from pipelines.synthesis.translate import Translate
from tests.pipelines.sources.archives.packing import packed
from tests.pipelines.sources.documents.making import epub, pdf
from tokenizer_tools import backends, chat, encode, train
from tokenizer_tools.fit import coverage
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary import learn
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter

CORPUS = orjson.loads((Path(__file__).parent / "texts.json").read_bytes())
"""Texts in which every kernel has something to do. They never change: hashes rest on them."""
TEXTS: list[str] = CORPUS["texts"]
CODE: str = CORPUS["code"]
TEXT = pa.array(TEXTS, pa.large_string())
MESSAGES = pa.array(CORPUS["conversations"], PART_SCHEMA.field("messages").type)


class Kernel(NamedTuple):
    """Something that decides bytes of a run."""

    name: str
    file: str
    """Where its version stands."""
    version: int
    output: Callable[[], Any]


def fingerprint(value: Any) -> str:
    """The hash of arrays, tables and plain values; of floats nine digits count."""
    digest = hashlib.sha256()
    for piece in _pieces(value):
        digest.update(piece)
    return digest.hexdigest()[:32]


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, pa.Table):
        value = {name: value.column(name) for name in value.column_names}
    if isinstance(value, pa.Array | pa.ChunkedArray | np.ndarray):
        value = value.to_pylist() if not isinstance(value, np.ndarray) else value.tolist()
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key).encode()
            yield from _pieces(item)
    elif isinstance(value, list | tuple):
        yield f"[{len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    else:
        yield (f"{value:.9g}" if isinstance(value, float) else repr(value)).encode() + b"\0"


def _signals(family: str) -> Callable[[], Any]:
    return lambda: [compute_signals(TEXT, words, [family]) for words in ("unicode", "whitespace")]


def _edit(name: str) -> Callable[[], Any]:
    return lambda: EDITS[name]().apply(TEXT)


def _bad_words() -> Any:
    lists = {"en": ("museum", "one paragraph"), "zh": ("面包",), None: ("хлеб", "день")}
    trees = [bad_words.BadWords.build(words, language) for language, words in lists.items()]
    return [bad_words.count_bad_words(TEXT, tree) for tree in trees]


def _language() -> Any:
    identified = load_identifier(str(bundled_model())).identify(TEXT)
    scores = [round(score, 4) for score in identified.column("language_score").to_pylist()]
    return [identified.column("language"), scores]


def _bands() -> pa.FixedSizeListArray:
    config = minhash.MinHash(bands=20, rows=4)
    return config.band_keys(config.signatures(TEXT))


def _band(number: int) -> np.ndarray:
    return np.ascontiguousarray(_bands().flatten().to_numpy().reshape(-1, 20)[:, number])


@cache
def _pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    documents = np.arange(len(TEXTS))
    found = [candidates.candidate_pairs(_band(band), documents).pairs for band in range(20)]
    a, b = candidates.ends(np.unique(np.concatenate(found)))
    return a, b, jaccard.verified(a, b, TEXT, 5)


def _candidates() -> Any:
    huge = np.repeat(np.arange(3, dtype=np.uint64), [2, 40, 300])
    return [
        *candidates.candidate_pairs(huge, np.arange(len(huge)), 3),
        *candidates.candidate_pairs(_band(0), np.arange(len(TEXTS))),
    ]


def _survivors() -> Any:
    a, b, similarity = _pairs()
    sizes = np.array([len(text) for text in TEXTS])
    place = np.argsort(np.argsort(-sizes, kind="stable"))
    group = exact.first_equal(exact.content_hash(TEXT))
    return list(survivors.survivors(place, group, a, b, similarity, sizes > 5, 0.7))


def _boilerplate() -> Any:
    outputs = []
    editable = np.ones(len(TEXTS), bool)
    for unit in ("line", "paragraph"):
        config = boilerplate.Boilerplate(unit=unit, min_documents=2)
        recurring = config.recurring([config.occurrences(TEXT, editable)])
        outputs.append([*recurring, *config.removed(TEXT, editable, recurring)])
    return outputs


def _percentiles() -> Any:
    places = np.array([3, -1, 1, 2, 4, 0])
    shares = percentiles.percentiles(places, 5)
    best = percentiles.best([shares, shares[::-1]])
    return [places, shares, best, percentiles.buckets(shares, 20), percentiles.in_top(places, 0.4, 5)]


def _linear_head() -> Any:
    rng = np.random.Generator(np.random.PCG64(3))
    embeddings = rng.normal(size=(60, 8)).astype(np.float32)
    labels = (embeddings[:, 0] > 0).astype(np.int32)
    head = linear_head.train_head(embeddings, labels, 2)
    return [[round(float(value), 3) for value in row] for row in head.probabilities(embeddings)]


def _hash_sampling() -> Any:
    keys = hash_sampling.first_words(exact.content_hash(TEXT))
    return [hash_sampling.held_out_draw(keys, 5), hash_sampling.example_draw(keys, 5)]


@cache
def _tokenizer() -> TokenizerFiles:
    return train.train_tokenizer([TEXT], train.TokenizerTraining(vocabulary_size=1200))


def _backends() -> Any:
    definition = orjson.dumps(encode.encoding_definition(_tokenizer())).decode()
    kinds = (backends.Coupage, backends.Reference)
    return [kind(definition, control_tokens=False).encode(TEXT) for kind in kinds]


def _changed_vocabulary() -> Any:
    words = WordCounter(_tokenizer())
    words.add(pa.array([CODE], pa.large_string()))
    scripts = VocabularyReplacement(tokens=5, scripts=("Cyrillic", "Han"))
    return [
        change_vocabulary(_tokenizer(), words.counts(), extension=added, replacement=replaced).files.hash
        for added, replaced in ((VocabularyExtension(tokens=60), None), (None, scripts))
    ]


def _fit() -> Any:
    fit = coverage.Fit(encode.Encoder.build(_tokenizer(), TEXT), TEXT)
    return [fit.by(), [[term.term, term.count, term.tokens] for term in fit.worst_terms()]]


def _encoded() -> Any:
    encoder = encode.Encoder.build(_tokenizer(), TEXT)
    encoded = encoder.encode(TEXT)
    return [encoded.ids, encoded.offsets]


def _chats() -> Any:
    encoded = chat.ChatEncoder.build(_tokenizer()).encode(MESSAGES)
    return [encoded.ids, encoded.offsets, encoded.assistant_mask, encoded.resume, encoded.failures]


def _documents() -> pa.Table:
    tokens = 1 + np.arange(400) * 7919 % 300
    return pa.table(
        {
            "group": pa.array([("chat", "web", "law")[n % 3] for n in range(400)]).dictionary_encode(),
            "tokens": tokens,
            "bytes": 4 * tokens,
            "indivisible": np.arange(400) % 3 == 0,
            "gap_start": tokens // 8,
            "gap": tokens // 4,
        }
    )


@cache
def _plan(overflow: Overflow = "drop") -> plan.MixturePlan:
    weights = {"chat": 20.0, "web": 50.0, "law": 30.0}
    mixture = Mixture(tokens=30_000, sequence_length=256, weights=weights, max_epochs=3, overflow=overflow)
    return plan.plan_mixture(_documents(), mixture, 7)


def _plans() -> Any:
    held_out = plan.plan_held_out(_documents(), 256, 4000, 7)
    return [
        [one.rows, one.segments, orjson.loads(one.ledger.model_dump_json())]
        for one in (_plan(), _plan("truncate_context"), held_out)
    ]


def _remixed() -> Any:
    with TemporaryDirectory() as name:
        folder, made = Path(name) / "stage", Path(name) / "remixed"
        folder.mkdir()
        made.mkdir()
        file = _shard_file(folder)
        segments = {
            "row": np.repeat([0, 1, 2], [10, 20, 20]),
            "position": np.arange(50),
            "doc_id": [str(n) for n in range(50)],
            "first_token": np.zeros(50, int),
            "tokens": _plan().segments["tokens"][:50],
            "epoch": np.zeros(50, int),
            "bytes": np.arange(50),
        }
        shards.write_segments(folder, [pa.table(segments)])
        ledger = Ledger(
            unit="tokens",
            sequence_length=file.tokens,
            total=None,
            rows=file.rows,
            tokens=file.tokens,
            longest_row=file.tokens,
            constraints=(),
            groups=(),
        )
        shards.write_index(
            folder,
            [file],
            tokenizer_hash="",
            sequence_length=file.tokens,
            seed=0,
            recipe_fingerprint="",
            ledger=ledger,
        )
        stage = shards.Shards.open(folder)
        web, chat = (remixed.RowsOf(shards=stage, rows=np.array(rows)) for rows in ([0, 2], [1]))
        remixed.write_remix(remixed.remix(web, [chat], 0.5), made)
        return [shards.Shards.open(made).index.files[0].hash, shards.Shards.open(made).segments]


def _shards() -> Any:
    with TemporaryDirectory() as folder:
        return _shard_file(Path(folder)).model_dump()


def _shard_file(folder: Path) -> shards.ShardFile:
    lengths = _plan().segments["tokens"].to_numpy()[:50].astype(np.int64)
    ids = np.empty(lengths.sum(), np.uint16)
    starts = np.cumsum(lengths) - lengths
    gather_segments(np.arange(len(ids), dtype=np.uint16)[::-1].copy(), starts, lengths, ids, starts)
    return shards.write_shard_file(
        folder / shards.shard_file_name(0, 1),
        input_ids=ids,
        row_offsets=np.array([0, *np.cumsum(lengths)[[9, 29, 49]]]),
        seq_lengths=lengths.astype(np.int32),
        seq_offsets=np.array([0, 10, 30, 50]),
        groups=["web", "chat", "web"],
        assistant_masks=(ids % 3 == 0).astype(np.uint8),
        masked_rows=np.array([False, True, False]),
    )


def _sampling() -> Any:
    """The units that limits of both kinds leave of files of several sizes."""

    def cut(file: int) -> Callable[[int], list[Unit]]:
        starts = range(0, 40 * file, 10)
        return lambda size: [Unit(str(file), "", n, n + 10, n, 5000, rows=10) for n in starts]

    files = {str(file): cut(file) for file in range(99)}
    total = sum(40 * file * 500 for file in range(99))
    limits = [limit.Limit(documents=777), limit.Limit(bytes=10**6), limit.Limit(bytes=total // 2)]
    return [list(map(str, each.sample(files, total, 10**6, len))) for each in limits]


def _contents() -> Any:
    """Records of The Stack v2 with their texts, from blobs that are in the cache already."""
    ids = ["a" * 40, "b" * 40, "c" * 40]
    blobs = [gzip.compress("é".encode("latin-1")), b"damaged", gzip.compress(b"\xff")]
    rows = [(n, -1, -1, 9, {"blob_id": blob_id, "src_encoding": "latin-1"}) for n, blob_id in enumerate(ids)]
    with TemporaryDirectory() as folder:
        cache = BlobCache(Path(folder), 10**6)
        for blob_id, blob in zip(ids, blobs, strict=True):
            cache.put(blob_id, blob)
        return list(map(str, software_heritage.SoftwareHeritage(cache).complete(rows)))


def _files() -> Any:
    """Documents and bad records of a file of each kind."""
    lines = [
        *(orjson.dumps({"id": n, "text": text, "x": n}) for n, text in enumerate(TEXTS[:9])),
        b'{"text": ',
    ]
    call = {"name": "look", "arguments": {"city": "Bonn"}}
    said = [
        {"from": "human", "value": "Q", "train": False},
        {"from": "function_call", "value": orjson.dumps(call).decode()},
    ]
    talks = [
        {"conversations": said, "system": "S", "tools": orjson.dumps([{"name": "look"}]).decode()},
        {"instruction": "I", "input": "more", "output": "A"},
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "A"}], "thinking": "R"}]},
        {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
    ]
    contents = {
        "a.jsonl": b"\n".join(lines) + b"\n\xff\n",
        "d.jsonl": b"\n".join(map(orjson.dumps, talks)),
        "b.txt": CODE.encode(),
        "c.csv": b'text,more\n"one, two",3\nfour,5\n',
        "e.tsv": b'text\tmore\n6" and "7"\t3\n',
        "f.tsv": b'text\tmore\n"6"" and"\t3\n',
    }
    rows = []
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
            source = FilesConfig(reader="files", path=name).build("s", Path(folder))
            quarantine = Quarantine()
            for unit in source.units(1000):
                rows += [table.to_pylist() for table in source.read(unit, quarantine)]
            rows.append([row.reason for row in quarantine.rows])
    return rows


LICENCES = (
    "mit",
    "GPLv2+",
    "BSD (3 clause)",
    "Apache License, Version 2.0 or MIT",
    "odc-by",
    "llama3.1",
    "no_license",
)
CLASSED = (
    "MIT",
    "GPL-3.0-only",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-ND-4.0",
    "LicenseRef-bsd",
    "LicenseRef-x",
)
NOTICES = (
    "# SPDX-License-Identifier: MIT OR Apache-2.0",
    "// Use of this source code is governed by a BSD-style license.",
    "GNU Lesser General Public License; either version 2.1, or (at your option) any later version",
    "Licensed under the Apache License, Version 2.0 or the MIT license, at your option.",
    "No licence.",
)
ISC = """Permission to use, copy, modify, and distribute this software for any purpose with or without fee is
hereby granted, provided that the above copyright notice and this permission notice appear in all copies.
THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE
FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING
OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE."""


def _web_pages() -> Any:
    """Documents and bad records of an archive, and a file of HTML in another charset."""
    body = "<title>T</title><p>жук</p><pre>a\nb</pre><table><tr><td>1<td>2<tr><td>3<td>4</table>"
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body.encode()
    head = "WARC/1.0\r\nWARC-Type: {}\r\nContent-Type: application/http\r\nContent-Length: {}\r\n\r\n"
    records = [
        head.format(kind, len(response) + more).encode() + response + b"\r\n\r\n"
        for kind, more in (("request", 0), ("response", 0), ("response", 9))
    ]
    math = '<p><script type="math/tex">x</script></p>'
    contents = {"a.warc": b"".join(records), "b.html": (body + math).encode("cp1251")}
    rows = []
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
            config = FilesConfig(reader="files", path=name, pages=Pages(extractor="whole_page"))
            source = config.build("s", Path(folder))
            quarantine = Quarantine()
            for unit in source.units(1000):
                rows += [table.to_pylist() for table in source.read(unit, quarantine)]
            rows.append([[row.reason for row in quarantine.rows], quarantine.no_documents])
    return rows


def _all_of(config: Any, files: dict[str, bytes]) -> Any:
    """Documents and bad records of a source over files."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        source = config.build("s", Path(folder))
        quarantine = Quarantine()
        tables = [table for unit in source.units(1 << 20) for table in source.read(unit, quarantine)]
        return [[table.to_pylist() for table in tables], [row[:3] for row in quarantine.rows]]


def _archives() -> Any:
    found = [("a.jsonl", orjson.dumps({"text": TEXTS[0]})), ("../b.txt", b"x"), ("c.txt", CODE.encode())]
    files = {f"a{suffix}": packed(found, suffix) for suffix in (".zip", ".tar", ".tar.gz")}
    return _all_of(FilesConfig(reader="files", path="."), files)


def _books_and_papers() -> Any:
    chapters = {"a.xhtml": f"<h1>One</h1><p>{escape(TEXTS[0])}</p>", "b.xhtml": "<ul><li>x</li></ul>"}
    lines = [line.encode("ascii", "ignore").decode() for line in CODE.splitlines()]
    sentences = "# newdoc id = d\n# text = A b.\n1\tA\t_\t_\t_\t_\t_\t_\t_\t_\n"
    files = {
        "a.epub": epub(chapters, said="<dc:title>T</dc:title>"),
        "b.pdf": pdf([lines[:40], lines[40:80]]),
        "c.conllu": sentences.encode(),
    }
    return _all_of(FilesConfig(reader="files", path="."), files)


PAPER = r"""\documentclass{article}\newcommand{\R}[1]{\mathbb{R}^#1}\title{T}
\begin{document}\section{One} Let $x\in\R{n}$, see~\cite{a}. G\"odel, Erd\H{o}s.
\begin{align}a&=b\label{c}\end{align}\begin{tabular}{l}a & b\\c\end{tabular}
"""


def _paper() -> bytes:
    return (PAPER + "\n\nIt has words enough to be a paper." * 10 + "\\end{document}").encode()


def _papers() -> Any:
    found = [("2101/2101.00001.gz", gzip.compress(_paper())), ("2101/2101.00002.pdf", b"%PDF")]
    return _all_of(arxiv.ArxivConfig(reader="arxiv", path="."), {"bulk.tar": packed(found, ".tar")})


def _python_code() -> Any:
    module = python_code.parse_python(CODE)
    assert module is not None
    return [(one.title, python_code.docstring_of(one.node)) for one in python_code.documented(module)]


SOURCES = [
    *(
        ("a.h", CODE),
        ("a.h", "class A;\n#include <vector>\n"),
        ("a.m", "% sums\n"),
        ("a.pl", "a(X) :- b(X).\n"),
    ),
    *(
        ("a.ts", "let x = 1\n"),
        ("a.sql", "SELECT 1;\n"),
        ("a.v", "Proof. Qed.\n"),
        ("run", "#!/usr/bin/env node\n"),
    ),
    *(("a.go", "// Code generated by x. DO NOT EDIT.\npackage a\n"), ("a.js", "x" * 200), ("Cargo.lock", "")),
    *(
        ("a.kt", "// @generated\n"),
        ("a.py", "import b\nfrom c import d\n"),
        ("b.py", "import c\n"),
        ("c.py", ""),
    ),
]
"""Paths and contents of source files."""


def _programming_languages() -> Any:
    return [languages.language_of(path, text.encode()) for path, text in SOURCES]


def _generated_files() -> Any:
    return [generated.generated_kind(path, text.encode()) for path, text in SOURCES]


def _character_sets() -> Any:
    encodings = ("utf-8", "utf-16", "cp1251", "koi8_r", "cp1252")
    texts = [text.encode(encoding, "replace") for text in TEXTS for encoding in encodings]
    return [(source_text.is_binary(text), source_text.decoded(text)) for text in texts]


def _chosen_files() -> Any:
    chosen = [choice.Choice(), choice.Choice(documentation=True), choice.Choice(frozenset(["Go", "Python"]))]
    paths = ("vendor/a.c", "docs/a.py", "README.md", "a.json", *(path for path, _ in SOURCES))
    entries = [Entry(path, "100644", "", 1) for path in paths]
    by_path = [each.unread_by_path(entry, Said()) for each in chosen for entry in entries]
    return [by_path, *(each.read(path, b"x = 1\n", Said()) for each in chosen for path in paths)]


def _import_order() -> Any:
    return dependencies.in_dependency_order(
        [dependencies.imports_of(path, "Python", text) for path, text in SOURCES if path.endswith(".py")]
    )


def _repositories() -> Any:
    with TemporaryDirectory() as folder:
        repository = Path(folder) / "repo"
        for path, text in dict(SOURCES).items():
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            (repository / path).write_text(text)
        who = {
            f"GIT_{who}_{what}": "2026-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER") for what in NAMES
        }
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for command in ("init -q -b main", "add -A", "commit -q -m c"):
            subprocess.run(["git", *command.split()], cwd=repository, env=os.environ | who | own, check=True)
        options = [{}, {"document": "repository", "order": "dependencies"}]
        sources = [GitConfig(reader="git", path="repo", **each).build("s", Path(folder)) for each in options]
        return [
            table.to_pylist()
            for source in sources
            for unit in source.units(1 << 20)
            for table in source.read(unit, Quarantine())
        ]


NAMES = ("NAME", "EMAIL", "DATE")


def _questions() -> Any:
    row = {field.name: None for field in PART_SCHEMA} | {
        "doc_id": "a",
        "text": CODE,
        "source": "code",
        "domain": "code",
        "metadata": "{}",
    }
    documents = pa.Table.from_pylist([row], PART_SCHEMA)
    return docstring_qa.docstring_questions(documents, source="qa", domain="qa")


METHODS: tuple[Method, ...] = (
    Questions(domains=["d"], per_passage=9),
    Translate(domains=["d"], to="ru"),
    Augment(domains=["d"]),
    Rephrase(domains=["d"], styles=["textbook", "encyclopaedia", "dialogue"]),
)


def _method(method: Method) -> Kernel:
    file = type(method).__module__.replace(".", "/") + ".py"
    return Kernel(f"method {method.method}", file, method.VERSION, lambda: _made(method))


def _passages() -> list[Passage]:
    texts = [text for text in (*TEXTS, CODE) if text.strip()]
    return [
        Passage(id=f"{n}#0", parent_id=str(n), text=text, language="en", source="s", domain="d")
        for n, text in enumerate(texts)
    ]


def _made(method: Method) -> list[str]:
    """What a method makes of texts when the model says what `_says` says."""

    async def make() -> list[str]:
        making, passages = method.build(Prompts()), _passages()
        found = []
        for number, passage in enumerate(passages):
            try:
                found += await making(passage.with_related((passages[number - 1],)), _says)
            except RejectedError as error:
                found.append(error.rejection)
        return [
            repr(replace(each, prompt="", instructions=()) if isinstance(each, Draft) else each)
            for each in found
        ]

    return asyncio.run(make())


async def _says(prompt: Any, values: Any, *, schema: Any = None, draw: int = 0) -> Answer:
    """The answer of a model that repeats what it is given, or the beginning, in the form that is wanted."""
    given = next(value for value in values.values() if isinstance(value, str) and value)
    said = given.swapcase() if "text" in values else given[: 400 + draw]
    return Answer(orjson.dumps(_filled(schema, said)).decode() if schema else said, "stop")


def _filled(schema: Any, said: str) -> Any:
    """A value of a JSON schema."""
    if schema.get("type") == "object":
        return {name: _filled(each, said) for name, each in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_filled(schema["items"], said[start:]) for start in range(schema.get("minItems", 1))]
    return schema["enum"][0] if "enum" in schema else said


def _checked() -> list[str]:
    """The verdicts on drafts that say what their passage says, what another says, or what was asked."""
    identifier = load_identifier(str(bundled_model()))
    passages = _passages()

    async def make(passage: Passage, ask: Any) -> list[Draft]:
        others = [passage, *passages[:8]]
        return [
            Draft(kind="k", language="en", prompt="p", text=each.text[:500], claims=each.text[:500])
            for each in others
        ]

    async def verdicts() -> list[str]:
        making = checked(make, checks.Checks(), Prompts(), identifier)
        return [getattr(each, "reason", "") for passage in passages for each in await making(passage, _says)]

    return asyncio.run(verdicts())


@cache
def _items() -> pa.Table:
    """Items that are in the texts and the code, and one that is not."""
    lines = [line.strip() for text in TEXTS for line in text.splitlines() if len(line.split()) > 6]
    half = len(lines) // 2
    pairs = list(zip(lines[:half], lines[half:], strict=False))
    rows = [{"question": question, "answer": answer} for question, answer in pairs]
    rows += [
        {"passage": max(TEXTS, key=len)},
        {"question": "Which one is not here?", "choices": ["a b c", "d"]},
    ]
    body = CODE[CODE.index("def ") :].split("\n\n\n")[0]
    rows.append({"question": "Write it.", "solution": body})
    named = [{"benchmark": "b", "item_id": str(n), "split": "test", **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(named, schema=ITEMS)


def _units_of(texts: list[str]) -> Any:
    buffers = index.read_only_buffers(pa.array(texts, pa.large_string()))
    words = index.all_words(*buffers, contamination_words.word_tables())
    return [words[0][name] for name in ("hash", "start", "end", "flags")]


def _code_units() -> Any:
    buffers = index.read_only_buffers(pa.array([CODE, *TEXTS], pa.large_string()))
    units = index.all_code(*buffers, code_units.code_tables(), code_units.name_memory())
    return [units[0][name] for name in ("hash", "start", "end", "flags")]


def _index() -> Any:
    built = index.build_index(_items())
    sequences = [values for part in (built.words, built.code) for values in part]
    rounded = [np.round(values, 4) if values.dtype.kind == "f" else values for values in sequences]
    return [built.items, *rounded]


def _matches() -> Any:
    texts = pa.array([*TEXTS, CODE], pa.large_string())
    found = match.find_matches(texts, index.build_index(_items()), Thresholds())
    return [[round(v, 3) if isinstance(v, float) else v for v in row.values()] for row in found.to_pylist()]


def _benchmark() -> Any:
    records = [
        {"id": n, "question": text, "choices": ["one", "two"], "answer": 1} for n, text in enumerate(TEXTS)
    ]
    with TemporaryDirectory() as folder:
        (Path(folder) / "exam.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)))
        read = benchmarks.BenchmarkConfig(path="exam.jsonl").read("exam", Path(folder))
        return [read.items, [row.reason for row in read.set_aside.rows]]


class _WordEmbedder(Embedder):
    """Counts of words by their length: a text has the same vector anywhere."""

    identity = "test"

    def embed(self, texts):
        counts = np.zeros((len(texts), 32), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                counts[row, min(len(word), 31)] += 1
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def _candidates_by_meaning() -> Any:
    embedder = _WordEmbedder()
    reference = semantic.Reference.build(_items(), embedder, TEXT)
    found = semantic.find_candidates(TEXT, reference, embedder, 0.9, semantic.PassageCounts())
    return [found.drop_columns(["score"]), [round(score, 3) for score in found.column("score").to_pylist()]]


class _Corpus:
    """Texts in one file."""

    fingerprint, files = "texts", 1

    def texts(self, file: int, rows: Any = None) -> Iterator[tuple[int, str]]:
        """All of them, or those at some rows."""
        whole = list(enumerate((*TEXTS, CODE)))
        yield from whole if rows is None else [whole[row] for row in rows]


def _passages_found() -> list[str]:
    with TemporaryDirectory() as folder:
        found = passages.Passages.of(_Corpus(), Path(folder), 200)
        return found.before([text[:80] for text in TEXTS], 2)


def _module(name: str, module: Any, output: Callable[[], Any]) -> Kernel:
    return Kernel(name, module.__name__.replace(".", "/") + ".py", module.VERSION, output)


KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        *(
            Kernel(f"signals {name}", f"filters/quality/{name}.py", family.version, _signals(name))
            for name, family in FAMILIES.items()
        ),
        *(
            Kernel(f"edit {name}", "filters/edits/edits.py", edit.version, _edit(name))
            for name, edit in EDITS.items()
        ),
        _module("bad words", bad_words, _bad_words),
        _module("language", identify, _language),
        _module("content hash", exact, lambda: exact.content_hash(TEXT)),
        _module("minhash", minhash, _bands),
        _module("candidates", candidates, _candidates),
        _module("similarity", jaccard, _pairs),
        _module("survivors", survivors, _survivors),
        _module("boilerplate", boilerplate, _boilerplate),
        _module("words of contamination", contamination_words, lambda: _units_of(TEXTS)),
        _module("code of contamination", code_units, _code_units),
        _module("index of benchmarks", index, _index),
        _module(
            "common n-grams", frequency, lambda: frequency.seed_documents(TEXT, index.build_index(_items()))
        ),
        _module("matches", match, _matches),
        _module("benchmarks", benchmarks, _benchmark),
        _module(
            "texts of items",
            item_texts,
            lambda: [*item_texts.item_views(_items()), item_texts.judged_texts(_items())],
        ),
        _module("candidates by meaning", semantic, _candidates_by_meaning),
        _module("texts for fastText", fasttext_text, lambda: fasttext_text.plain_words(TEXT)),
        _module("percentiles", percentiles, _percentiles),
        _module("linear head", linear_head, _linear_head),
        _module("hash sampling", hash_sampling, _hash_sampling),
        _module("tokenizer training", train, lambda: _tokenizer().tokenizer_json),
        _module("vocabulary", learn, _changed_vocabulary),
        _module("tokenizer fit", coverage, _fit),
        _module("tokenizer backends", backends, _backends),
        _module("encoded texts", encode, _encoded),
        _module("encoded conversations", chat, _chats),
        _module("mixture plan", plan, _plans),
        Kernel("shard format", "mixers/shard_index.py", shard_index.FORMAT_VERSION, _shards),
        _module("replayed rows", remixed, _remixed),
        _module("files", formats, _files),
        _module("sampling", limit, _sampling),
        _module("web pages", read_pages, _web_pages),
        _module("contents of Software Heritage", software_heritage, _contents),
        _module("archives", members, _archives),
        _module("books and papers", document_records, _books_and_papers),
        _module("LaTeX", paper, lambda: list(paper.read_paper({"a.tex": _paper()}))),
        _module("arXiv", arxiv, _papers),
        _module("python environment", python_environment, _python_code),
        _module("licence classes", licence_classes, lambda: [licence_classes.class_of(id) for id in CLASSED]),
        _module("programming languages", languages, _programming_languages),
        _module("generated files", generated, _generated_files),
        _module("character sets", source_text, _character_sets),
        _module("chosen source files", choice, _chosen_files),
        _module("order of imports", dependencies, _import_order),
        _module("repositories", git, _repositories),
        _module("licence names", spdx, lambda: [spdx.spdx_id(name) for name in LICENCES]),
        _module(
            "licence templates",
            templates,
            lambda: [templates.licences_in(ISC).ids, templates.licences_in(CODE).ids],
        ),
        _module(
            "licence texts",
            licence_texts,
            lambda: [licence_texts.licence_of_text(text) for text in (ISC, *NOTICES)],
        ),
        _module(
            "licence headers",
            licence_headers,
            lambda: [licence_headers.licence_of_header(text) for text in NOTICES],
        ),
        _module("questions from docstrings", docstring_qa, _questions),
        _module("pieces of texts", chunks, lambda: [chunk_spans(text, 200) for text in (*TEXTS, CODE)]),
        _module("texts on a topic", topics, lambda: related([*TEXTS, *TEXTS[::-1]], 3)),
        _module("checks of new text", checks, _checked),
        _module("passages before questions", passages, _passages_found),
        *(_method(method) for method in METHODS),
    )
}
