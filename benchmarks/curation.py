"""Quality rules, languages, duplicates: speed and decisions beside datatrove, rensa and datasketch.

python benchmarks/curation.py [--megabytes N] [FILES...]

Needs `pip install spacy nltk rensa datasketch "xxhash<4"` beside this package (datatrove 0.10.1 hands xxhash
text, which xxhash 4 refuses). FILES are .jsonl with a `text` field, or plain text; without any, the
documentation inside the running Python installation is read. Every program gets the same documents in the
same process. What counts is CPU time, of all threads, so other work on the machine matters little: that of
the only run of a peer, and that of the fastest of three of ours. Decisions are compared document by document.
"""

import argparse
import ast
import json
import random
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasketch import MinHash as DatasketchMinHash
from datatrove.data import Document
from datatrove.pipeline.dedup import exact_dedup
from datatrove.pipeline.dedup import minhash as peer_minhash
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.utils.lid import FT176LID
from datatrove.utils.logging import logger
from datatrove.utils.text import split_into_parts
from rensa import RMinHash

from filters.dedup.candidates import candidate_pairs, ends, merged
from filters.dedup.exact import content_hash, first_equal
from filters.dedup.jaccard import verified
from filters.dedup.minhash import MinHash
from filters.dedup.survivors import survivors
from filters.edits.c4_lines import edit_lines
from filters.language.identify import LanguageRule
from filters.quality.rules import PRESETS, first_failed
from filters.quality.signals import compute_signals
from pipelines.sources.language_model import bundled_model, load_identifier

Result = TypeVar("Result")
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER")
"""How the names of characters begin that are words by themselves to MinHash."""
THRESHOLD = 0.8
NGRAM = 5


def installed_documentation() -> Iterator[str]:
    """The text files and docstrings that came with the running Python and its packages."""
    roots = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    for path in sorted(path for root in roots for path in root.rglob("*")):
        if path.suffix in (".md", ".rst", ".txt") or path.name == "METADATA":
            yield path.read_text(encoding="utf-8", errors="replace")
        elif path.suffix == ".py":
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):
                continue
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
            found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
            yield "\n\n".join(docstring for docstring in found if docstring)


def read(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                yield from (json.loads(line)["text"] for line in lines)
        else:
            yield path.read_text(encoding="utf-8", errors="replace")


def take(texts: Iterable[str], size: float) -> list[str]:
    """Different documents of at least 200 and at most 100,000 characters, until they have `size` bytes."""
    taken: dict[str, None] = {}
    total = 0
    for text in texts:
        text = text.encode("utf-8", "replace").decode()
        if 200 <= len(text) <= 100_000 and text not in taken:
            taken[text] = None
            total += len(text.encode())
            if total >= size:
                break
    return list(taken)


def measure(work: Callable[[], Result], repeat: int = 1) -> tuple[Result, float]:
    """The result and the CPU seconds of the fastest of some repetitions."""
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return result, best


class Report:
    """Prints each result as megabytes a second and as a multiple of the peer's."""

    def __init__(self, size: int) -> None:
        self.size = size

    def line(self, name: str, seconds: float, peer: float | None = None, note: str = "") -> None:
        ratio = "" if peer is None else f"{peer / seconds:7.0f} x"
        print(f"{name:44s} {self.size / seconds / 1e6:8.2f} MB/s {ratio:>10s}  {note}", flush=True)


def dropped(peer: object, texts: list[str]) -> list[bool]:
    """Whether a datatrove filter drops each text, asked on its own."""
    found = []
    for text in texts:
        split_into_parts.cache_clear()
        verdict = peer.filter(Document(text=text, id="0"))
        found.append(verdict is not True)
    return found


def agreement(ours: Iterable[bool], theirs: Iterable[bool]) -> str:
    equal = [a == b for a, b in zip(ours, theirs, strict=True)]
    return f"{sum(equal)} of {len(equal)} decisions equal ({100 * sum(equal) / len(equal):.2f} %)"


def annotate(texts: list[str], *options: str) -> tuple[list[bool], float]:
    """What `coupage annotate` says: whether each text is dropped, and the CPU seconds that this took.

    One worker. The seconds are those of the whole command without those of the command on a single text: to
    start the program and load its compiled loops takes some seconds, however much text there is.
    """
    _, start = annotate_command(texts[:1], *options)
    dropped, seconds = annotate_command(texts, *options)
    return dropped, seconds - start


def annotate_command(texts: list[str], *options: str) -> tuple[list[bool], float]:
    with tempfile.TemporaryDirectory() as folder:
        corpus, output = Path(folder) / "texts.parquet", Path(folder) / "signals"
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), corpus)
        command = [sys.executable, "-m", "pipelines", "annotate", str(corpus), "-o", str(output)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--workers", "1", *options], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        signals = pq.read_table(output / "signals.parquet", columns=["doc_id", "keep"])
        kept = signals.filter(signals.column("keep")).column("doc_id").to_pylist()
    rows = {int(doc_id.rpartition(":")[2]) for doc_id in kept}
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [row not in rows for row in range(len(texts))], seconds


def rules(*presets: str) -> list[str]:
    return [word for preset in presets for word in ("--rules", preset)]


EDIT = ["--edit", "c4_lines", "--set", "c4_lines.terminal_punctuation=false"]


def compare_filters(texts: list[str], report: Report) -> float:
    """Each filter, then all; returns the seconds of datatrove's chain."""
    peers = {
        "gopher_repetition": GopherRepetitionFilter(),
        "gopher_quality": GopherQualityFilter(),
        "c4": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb": FineWebQualityFilter(),
    }
    sum_of_peers = 0.0
    for preset, peer in peers.items():
        theirs, peer_seconds = measure(lambda peer=peer: dropped(peer, texts))
        mine, seconds = annotate(texts, *rules(preset), *(EDIT if preset == "c4" else ()))
        sum_of_peers += peer_seconds
        report.line(f"datatrove {preset}", peer_seconds)
        report.line(f"coupage   {preset}", seconds, peer_seconds, agreement(mine, theirs))
    _, seconds = annotate(texts, *rules(*peers))
    report.line("coupage   all four, beside the four in turn", seconds, sum_of_peers)

    def chain() -> list[bool]:
        found = []
        for text in texts:
            document = Document(text=text, id="0")
            found.append(not all(peer.filter(document) is True for peer in peers.values()))
        return found

    theirs, peer_seconds = measure(chain)
    report.line("datatrove FineWeb chain", peer_seconds)
    mine, seconds = annotate(texts, *rules(*peers), *EDIT)
    report.line("coupage   FineWeb chain, edited first", seconds, peer_seconds, agreement(mine, theirs))
    in_order = agreement(in_their_order(texts, list(peers)), theirs)
    print(f"in datatrove's order, edited between its filters: {in_order}")
    return peer_seconds


def in_their_order(texts: list[str], presets: list[str]) -> list[bool]:
    """Whether our rules drop each text, when C4's lines are edited where datatrove edits them."""
    array = pa.array(texts, pa.large_string())

    def judged(texts: pa.Array, presets: list[str]) -> np.ndarray:
        reason = first_failed(compute_signals(texts), [rule for p in presets for rule in PRESETS[p]])
        failed: np.ndarray = reason.is_valid().to_numpy(zero_copy_only=False)
        return failed

    gone = judged(array, presets[:2])
    edited = edit_lines(array.filter(pa.array(~gone)), terminal_punctuation=False).texts
    gone[~gone] = judged(edited, presets[2:])
    found: list[bool] = gone.tolist()
    return found


def compare_languages(texts: list[str], report: Report) -> float:
    """Returns the seconds of datatrove's filter."""
    array = pa.array(texts, pa.large_string())
    identifier, rule = load_identifier(str(bundled_model())), LanguageRule(keep=("en",))
    peer = FT176LID(["en"])
    # Of the library, in the place of the larger file that datatrove downloads.
    peer._model = fasttext.load_model(str(bundled_model()))

    def dropped_by_peer(text: str) -> bool:
        _, scores = peer.predict(Document(text=text, id="0"))
        return not any(score > rule.min_score for score in scores.values())

    theirs, peer_seconds = measure(lambda: list(map(dropped_by_peer, texts)))
    identifier.identify(array.slice(0, 20))
    mine, seconds = measure(lambda: rule.failed(identifier.identify(array)).is_valid().to_pylist(), repeat=3)
    report.line("datatrove language", peer_seconds)
    report.line("coupage   language", seconds, peer_seconds, agreement(mine, theirs))
    return peer_seconds


def shingles(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[at : at + NGRAM]) for at in range(max(1, len(words) - NGRAM + 1))]


def compare_signatures(texts: list[str], report: Report) -> float:
    """Returns the seconds of datatrove's signatures."""
    array = pa.array(texts, pa.large_string())
    hasher = MinHash()
    size = hasher.bands * hasher.rows

    def datatrove() -> None:
        with tempfile.TemporaryDirectory() as folder:
            step = peer_minhash.MinhashDedupSignature(folder)
            for text in texts:
                found = step.get_shingles(text)
                if found.size:
                    step.get_signature(found)

    def rensa() -> None:
        for text in texts:
            peer = RMinHash(num_perm=size, seed=1)
            peer.update(shingles(text))
            peer.digest()

    def datasketch() -> None:
        for text in texts:
            peer = DatasketchMinHash(num_perm=size)
            peer.update_batch([shingle.encode() for shingle in shingles(text)])

    _, seconds = measure(lambda: hasher.signatures(array), repeat=3)
    of_peers = {}
    for name, work in (("datatrove", datatrove), ("rensa", rensa), ("datasketch", datasketch)):
        _, of_peers[name] = measure(work)
        report.line(f"{name} signatures", of_peers[name])
        report.line(f"coupage beside {name}", seconds, of_peers[name])
    return of_peers["datatrove"]


def compare_annotation(texts: list[str], report: Report, of_peers: float) -> None:
    """`coupage annotate` without rules, which computes everything, beside the sum of datatrove's steps.

    Ours also counts the kinds of personal data that datatrove does not look for, the signals of code and of
    mathematics, and scripts. `of_peers`: its filters, languages and signatures.
    """

    def formatted() -> None:
        formatter = PIIFormatter()
        for text in texts:
            formatter.format(text)

    def hashed() -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = exact_dedup.ExactDedupConfig(lambda document: document.text)
            step = exact_dedup.ExactDedupSignature(folder, config)
            step.run((Document(text=text, id="0") for text in texts), 0, 1)

    _, formatting = measure(formatted)
    _, hashing = measure(hashed)
    report.line("datatrove personal data", formatting)
    report.line("datatrove exact duplicates", hashing)
    _, seconds = annotate(texts)
    report.line("coupage   annotate, every signal", seconds, of_peers + formatting + hashing)


def with_copies(texts: list[str], share: float = 0.2) -> list[str]:
    """The texts, and of a share of them a copy in which up to every fourteenth word is another."""
    generator = random.Random(17)
    copies = []
    for text in generator.sample(texts, int(share * len(texts))):
        pieces = text.split(" ")
        rate = generator.uniform(0, 0.07)
        copies.append(
            " ".join(generator.choice(pieces) if generator.random() < rate else piece for piece in pieces)
        )
    return texts + copies


def root_mean_square(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def compare_estimates(texts: list[str]) -> None:
    """Errors of the similarity that signatures estimate, ours and datasketch's, on the same pairs."""
    copies = with_copies(texts[:2000], 1.0)
    half = len(copies) // 2
    hasher = MinHash(bands=16, rows=8)
    arrays = [
        pa.array([" ".join(t.lower().split()) for t in part]) for part in (copies[:half], copies[half:])
    ]
    order = random.Random(17).sample(range(half), half)
    arrays[0] = arrays[0].take(pa.array(order))
    truth = verified(np.arange(half), np.arange(half) + half, pa.concat_arrays(arrays), NGRAM)
    ours = np.equal(
        *(hasher.signatures(part).flatten().to_numpy().reshape(half, -1) for part in arrays)
    ).mean(axis=1)
    errors = []
    exact = []
    for a, b in zip(*(part.to_pylist() for part in arrays), strict=True):
        sets = [{shingle.encode() for shingle in shingles(text)} for text in (a, b)]
        peers = [DatasketchMinHash(num_perm=128) for _ in sets]
        for peer, found in zip(peers, sets, strict=True):
            peer.update_batch(found)
        exact.append(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
        errors.append(peers[0].jaccard(peers[1]) - exact[-1])
    print(
        f"error of 128 values on {half} pairs (root mean square): "
        f"coupage {root_mean_square(ours - truth):.4f}, datasketch {root_mean_square(np.array(errors)):.4f}"
    )


def deduplicate(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Our stages: which documents are kept, and in favour of whom the others go."""
    array = pa.array(texts, pa.large_string())
    hasher = MinHash()
    keys = hasher.band_keys(hasher.signatures(array)).flatten().to_numpy().reshape(-1, hasher.bands)
    documents = np.arange(len(texts))
    bands = [candidate_pairs(keys[:, band], documents).pairs for band in range(hasher.bands)]
    a, b = ends(np.concatenate(list(merged(bands, 1 << 24))))
    groups = first_equal(content_hash(array))
    similarity = verified(a, b, array, NGRAM)
    eligible = np.ones(len(texts), dtype=bool)
    found = survivors(documents, groups, a, b, similarity, eligible, THRESHOLD)
    return found.kept, found.kept_doc


def deduplicate_with_datatrove(texts: list[str]) -> set[int]:
    """datatrove's four stages: the documents it keeps."""
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = peer_minhash.MinhashConfig()
        peer_minhash.MinhashDedupSignature(str(root / "a"), config).run(documents)
        for bucket in range(config.num_buckets):
            step = peer_minhash.MinhashDedupBuckets(str(root / "a"), str(root / "b"), config=config)
            step.run(None, bucket, config.num_buckets)
        peer_minhash.MinhashDedupCluster(str(root / "b"), str(root / "c"), config).run(None, 0, 1)
        kept = peer_minhash.MinhashDedupFilter(str(root / "c")).run(documents, 0, 1)
        return {int(document.id) for document in kept}


def compare_deduplication(texts: list[str]) -> None:
    copies = with_copies(texts)
    report = Report(sum(len(text.encode()) for text in copies))
    (kept, kept_doc), seconds = measure(lambda: deduplicate(copies), repeat=2)
    theirs, peer_seconds = measure(lambda: deduplicate_with_datatrove(copies))
    report.line("datatrove, four stages", peer_seconds, note=f"keeps {len(theirs)} of {len(copies)}")
    report.line("coupage, verified", seconds, peer_seconds, f"keeps {int(kept.sum())} of {len(copies)}")

    generator = random.Random(17)
    sources = generator.sample(range(len(texts)), len(copies) - len(texts))
    a, b = np.array(sources), np.arange(len(texts), len(copies))
    similar = verified(a, b, pa.array(copies, pa.large_string()), NGRAM) >= THRESHOLD
    found = ~kept[b[similar]] | ~kept[a[similar]]
    print(f"planted pairs with similarity >= {THRESHOLD}: {similar.sum()}, found {100 * found.mean():.1f} %")
    gone = np.flatnonzero(kept_doc >= 0)
    evidence = [set_similarity(copies[document], copies[kept_doc[document]]) for document in gone]
    print(f"removed: {len(gone)}; least similarity with the survivor, by Python sets: {min(evidence):.4f}")


def set_similarity(a: str, b: str) -> float:
    """The Jaccard similarity of two texts without any kernel: sets of tuples of `str` words.

    Where a script puts no spaces between words (Thai, Lao, Burmese, Khmer, kana, Han), a character is one.
    """

    def folded(character: str) -> str:
        category = unicodedata.category(character)
        if category in ("Mn", "Me", "Cf"):
            return ""
        if category[0] not in "LNM":
            return " "
        return f" {character} " if unicodedata.name(character, "").startswith(UNSPACED) else character

    def shingle_set(text: str) -> set[tuple[str, ...]]:
        words = "".join(map(folded, unicodedata.normalize("NFKD", text).lower())).split()
        size = min(NGRAM, len(words))
        return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}

    first, second = shingle_set(a), shingle_set(b)
    return len(first & second) / len(first | second)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=float, default=40.0)
    arguments = parser.parse_args()
    logger.remove()
    texts = take(
        read(arguments.files) if arguments.files else installed_documentation(), arguments.megabytes * 1e6
    )
    if not texts:
        sys.exit("No document of 200 to 100,000 characters in these files.")
    report = Report(sum(len(text.encode()) for text in texts))
    print(f"{len(texts)} documents, {report.size / 1e6:.1f} MB")
    warm = pa.array(texts[:20], pa.large_string())
    compute_signals(edit_lines(warm).texts)
    deduplicate([*texts[:20], texts[0]])
    seconds = compare_filters(texts, report)
    seconds += compare_languages(texts, report)
    seconds += compare_signatures(texts, report)
    compare_annotation(texts, report, seconds)
    compare_estimates(texts)
    compare_deduplication(texts)


if __name__ == "__main__":
    main()
