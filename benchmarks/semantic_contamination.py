"""The semantic path on items in other words and languages: recall, false alarms, calls, a judge that fails.

python benchmarks/semantic_contamination.py REPHRASED --humaneval FILE --history FILE
    [--embedder FOLDER_OR_URL] [--multilingual FOLDER_OR_URL] [--mbpp FILE] [--text FILES...] [--limit N]

REPHRASED is the folder with humaneval_python.jsonl, humaneval_js.jsonl, us_history_rephrased_english.jsonl
and us_history_chinese.jsonl, by lm-sys/llm-decontaminator. --humaneval is HumanEval.jsonl.gz, --history the
Arrow stream of MMLU's high_school_us_history test. --mbpp (JSON lines with prompt and canonical_solution) are
other programs; --text are JSON lines with a `text` field: the prose that questions are planted in, of which
half is the background. Each set needs its embedder: --embedder for the English ones, --multilingual for
Chinese; a folder of a model, or the address of an endpoint that ends with /v1.

The judge is a server that knows the truth and tells it with a given quality, by the real protocol; so what is
measured is the path, not a language model.
"""

import argparse
import gzip
import json
import random
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.contamination.items import ITEMS
from pipelines.sources.embedders import Embedder, EndpointEmbedder, ModelEmbedder
from pipelines.sources.endpoint import Endpoint, EndpointClient, Patience
from pipelines.stages.contamination.item_texts import judged_texts
from pipelines.stages.contamination.judge import LONGEST, USER, Judge
from pipelines.stages.contamination.passages import as_texts, find_passages, find_words, passage_texts
from pipelines.stages.contamination.semantic import (
    PassageCounts,
    Reference,
    candidate_texts,
    find_candidates,
    judge_candidates,
    threshold_at,
)

QUALITIES = ((1.0, 0.0), (0.95, 0.01), (0.9, 0.05), (0.8, 0.1), (0.5, 0.2))
"""How often a judge says yes to the same item, and to another one."""
SHARES = (0.01, 0.05, 0.2)
"""Of background passages that are candidates by chance."""
BACKGROUND = 400
"""Passages that the threshold is told from."""


class Set(NamedTuple):
    name: str
    items: pa.Table
    documents: list[str]
    """Document `i` has item `own[i]`, or none (-1)."""
    own: list[int]
    background: list[str]
    there: list[tuple[int, int]]
    """Where in its document each item is, of the documents that have one, which come first."""
    translations: bool = False


def read_lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [json.loads(line) for line in file]


def items(rows: list[dict]) -> pa.Table:
    empty = dict.fromkeys(ITEMS.names) | {"benchmark": "b", "split": "test"}
    return pa.Table.from_pylist([empty | {"item_id": str(i)} | row for i, row in enumerate(rows)], ITEMS)


def sets(args: argparse.Namespace) -> Iterator[Set]:
    rng = random.Random(11)
    prose = [
        row["text"] for path in args.text for row in read_lines(path) if len(row.get("text") or "") > 2000
    ]
    rng.shuffle(prose)
    background, prose = prose[::2], prose[1::2]
    programs = (
        [row["prompt"] + row["canonical_solution"] for row in read_lines(args.mbpp)] if args.mbpp else []
    )
    rng.shuffle(programs)
    rows = read_lines(args.humaneval)[: args.limit]
    code = items([{"question": row["prompt"], "solution": row["canonical_solution"]} for row in rows])
    rows = pa.ipc.open_stream(args.history).read_all().to_pylist()[: args.limit]
    answers = [row["choices"][row["answer"]] for row in rows]
    history = items(
        [
            {"question": row["question"], "choices": row["choices"], "answer": answer}
            for row, answer in zip(rows, answers, strict=True)
        ]
    )

    def rephrased(name: str) -> tuple[list[str], list[int]]:
        texts = [row["text"] for row in read_lines(args.folder / f"{name}.jsonl")][: args.limit]
        there = [number for number, text in enumerate(texts) if text.strip()]
        return [texts[number] for number in there], there

    def planted(text: str) -> str:
        around = rng.choice(prose)
        at = around.find(" ", rng.randrange(500, 1500))
        return f"{around[at - 500 : at]} {text.strip()}{around[at : at + 500]}"

    def spans(texts: list[str], documents: list[str]) -> list[tuple[int, int]]:
        places = [document.find(text.strip()) for text, document in zip(texts, documents, strict=False)]
        return [(at, at + len(text.strip())) for at, text in zip(places, texts, strict=True)]

    if args.embedder:
        half = len(programs) // 2
        for name in ("humaneval_python", "humaneval_js"):
            texts, own = rephrased(name)
            other = programs[half:][: args.limit]
            documents, owners = texts + other, own + [-1] * len(other)
            yield Set(name, code, documents, owners, programs[:half], spans(texts, documents))
        texts, own = rephrased("us_history_rephrased_english")
        documents = [planted(text) for text in texts] + prose[: args.limit]
        owners = own + [-1] * (len(documents) - len(own))
        yield Set("us_history_rephrased", history, documents, owners, background, spans(texts, documents))
    if args.multilingual:
        texts, own = rephrased("us_history_chinese")
        yield Set("us_history_chinese", history, texts, own, background, spans(texts, texts), True)


class Remembering(Embedder):
    """Embeds each text once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, np.ndarray] = {}

    @property
    def identity(self) -> str:
        return self._embedder.identity

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known |= zip(new, self._embedder.embed(new), strict=True)
        return np.stack([self._known[text] for text in texts]) if texts else self._embedder.embed([])


def embedder_of(name: str) -> Embedder:
    if name.startswith("http"):
        endpoint = Endpoint(base_url=name, model="e5-query", concurrency=2)
        return Remembering(EndpointEmbedder(EndpointClient(endpoint)))
    return Remembering(ModelEmbedder(Path(name)))


class JudgeServer:
    """Knows which pairs are the same, and says so with a given quality; after `dies_after` calls no more."""

    def __init__(
        self, same: dict[str, bool], yes: tuple[float, float], dies_after: int = sys.maxsize
    ) -> None:
        self.calls = 0
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                content = body["messages"][-1]["content"]
                with lock:
                    server.calls += 1
                    dead = server.calls > dies_after
                true = same[content]
                draw = zlib.crc32(content.encode()) / 2**32
                said = json.dumps({"same": draw < yes[0 if true else 1], "why": "as told"})
                answer = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
                self.send_response(503 if dead else 200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator[EndpointClient]:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        yield EndpointClient(Endpoint(base_url=self.url, model="judge"), Patience(3, 0.01, 0.05))
        self._http.shutdown()
        self._http.server_close()


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(one: Set, embedder: Embedder) -> None:
    texts, background = as_texts(one.documents), as_texts(one.background)
    own = np.array(one.own)
    started = time.perf_counter()
    reference = Reference.build(one.items, embedder, background)
    seconds = time.perf_counter() - started
    has = own >= 0
    print(f"\n{one.name}: {one.items.num_rows} items, {has.sum()} documents with one, {(~has).sum()} without")
    print(f"  reference: {len(reference.view_items)} vectors of items, {seconds:.0f} s")
    cost_of_screen(one, reference)
    words = find_words(background)
    passages = find_passages(background, words)
    some = np.random.default_rng(1).permutation(len(passages.row))[:BACKGROUND]
    vectors = embedder.embed(passage_texts(background, passages.chosen(np.sort(some))))
    for share in SHARES:
        threshold = threshold_at(share, vectors, reference)
        counts = PassageCounts()
        started = time.perf_counter()
        found = find_candidates(texts, reference, embedder, threshold, counts, translations=one.translations)
        print(f"  threshold {threshold:.3f} ({share:.0%} of background passages), top 5:", end=" ")
        seconds = time.perf_counter() - started
        print(f"{counts.passages} passages, {counts.embedded} with a vector ({seconds:.0f} s)")
        report(one, own, found, "no judge, all candidates")
        judged(one, own, found, texts, reference)


def cost_of_screen(one: Set, reference: Reference) -> None:
    """The screen's speed, how much it leaves, and the documents whose every passage it drops."""
    for name, chosen in (("with an item", True), ("without", False)):
        some = [text for text, item in zip(one.documents, one.own, strict=True) if (item >= 0) == chosen]
        texts = as_texts(some)
        megabytes = sum(len(text.encode()) for text in some) / 1e6
        if not some:
            continue
        words = find_words(texts)
        passages = find_passages(texts, words)
        cutting = timed(lambda texts=texts, words=words: find_passages(texts, find_words(texts)))
        passed = reference.screen.passed(words, passages, one.translations)
        screening = timed(
            lambda words=words, passages=passages: reference.screen.passed(words, passages, one.translations)
        )
        if chosen:  # the item itself must be left: a passage with half of it, or half a passage of it
            first, last = np.array(one.there)[passages.row].T
            common = np.minimum(last, passages.end) - np.maximum(first, passages.start)
            half = np.minimum(last - first, passages.end - passages.start) / 2
            kept = f"{len(set(passages.row[passed & (common >= half)].tolist())) / len(some):.1%} of items"
        else:
            kept = f"{len(set(passages.row[passed].tolist())) / len(some):.1%} of documents"
        print(
            f"  screen, documents {name}: {passed.mean():.1%} of passages left, {kept}; "
            f"{megabytes / cutting:.1f} MB/s to cut, {megabytes / screening:.1f} MB/s to screen"
        )


def report(one: Set, own: np.ndarray, found: pa.Table, label: str) -> None:
    """Documents whose own item is flagged, and pairs with another item, or without."""
    pairs = set(zip(found["row"].to_pylist(), found["item"].to_pylist(), strict=True))
    right = sum(own[row] == item for row, item in pairs)
    with_item, clean = (own >= 0).sum(), (own < 0).sum()
    wrong = {row for row, item in pairs if own[row] < 0}
    print(
        f"    {label}: recall {right / with_item:.1%}, {len(pairs) - right} pairs with another item, "
        f"{len(wrong)} of {clean} clean documents flagged"
    )


def judged(one: Set, own: np.ndarray, found: pa.Table, texts: pa.Array, reference: Reference) -> None:
    """What judges of each quality make of the candidates, and one that dies halfway."""
    passages, read = candidate_texts(found, texts), judged_texts(one.items)
    same: dict[str, bool] = {}
    for row in found.to_pylist():
        passage = one.documents[row["row"]][row["start"] : row["end"]]
        content = USER.format(item=read[row["item"]][:LONGEST], passage=passage[:LONGEST])
        same[content] = bool(own[row["row"]] == row["item"])
    with tempfile.TemporaryDirectory() as folder:
        for number, yes in enumerate(QUALITIES):
            server = JudgeServer(same, yes)
            with server.running() as client:
                judge = Judge(client, Path(folder) / f"{number}.jsonl")
                rows = judge_candidates(found, passages, read, judge)
            report(
                one,
                own,
                rows.filter(rows["judged"]),
                f"judge yes {yes[0]:.0%} / {yes[1]:.0%}, {server.calls} calls",
            )
        half = len(same) // 2
        ledger = Path(folder) / "dies.jsonl"
        server = JudgeServer(same, (1, 0), dies_after=half)
        with server.running() as client:
            judge = Judge(client, ledger)
            rows = judge_candidates(found, passages, read, judge)
        said = rows.num_rows - rows["judged"].null_count
        print(
            f"    judge dies after {half} calls: {rows.num_rows} of {found.num_rows} rows, {said} judged,",
            end=" ",
        )
        again = JudgeServer(same, (1, 0))
        with again.running() as client:
            rows = judge_candidates(found, passages, read, Judge(client, ledger))
        print(f"{rows['judged'].null_count} unjudged after a second run of {again.calls} calls")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    for name in ("humaneval", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mbpp", type=Path)
    parser.add_argument("--text", type=Path, nargs="*", default=[])
    parser.add_argument("--embedder")
    parser.add_argument("--multilingual")
    parser.add_argument("--limit", type=int, default=None)
    args = parser.parse_args()
    for one in sets(args):
        measure(one, embedder_of(args.multilingual if one.translations else args.embedder))


if __name__ == "__main__":
    main()
