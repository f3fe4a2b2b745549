"""`coupage compile`: every kernel, compiled after installation on all cores, so that no run waits for it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING

from pipelines.commands.console import PlainConsole
from pipelines.errors import WorkError

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE = (
    "Kernels are compiled for types; here they find work.  \r\nCafÃ© d’Ã©tÃ© \n",
    "def add(a, b):\n    return a + b\n",
)


def compile_kernels(workers: int | None) -> None:
    """`coupage compile`."""
    console = PlainConsole()
    workers = workers or os.cpu_count() or 1
    console.print(f"compiling kernels in {workers} processes; every run finds them compiled")
    started = time.monotonic()
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for called in [pool.submit(call) for call in calls()]:
                called.result()
    except BrokenProcessPool as error:
        raise WorkError(
            "a process that compiled kernels was killed", hint="If memory ran out, try fewer --workers."
        ) from error
    console.print(f"kernels compiled in {time.monotonic() - started:.0f} s")


def calls() -> list[Callable[[], object]]:
    """Calls that need every kernel, the slowest to compile first, so that the cores end together."""
    families = [partial(_signals, family) for family in ("pii", "gopher_quality", *_FAMILIES)]
    return [
        _contamination,
        _encoders,
        *families,
        _edits,
        _duplicates,
        _boilerplate,
        _mixtures,
        _vocabularies,
        _language,
        _bad_words,
        _classifier,
        _conversations,
        _json,
    ]


_FAMILIES = ("gopher_repetition", "code", "math", "c4", "fineweb", "scripts", "length")


def _texts() -> pa.LargeStringArray:
    import pyarrow as pa

    return pa.array(SAMPLE, pa.large_string())


def _signals(family: str) -> None:
    from filters.quality.signals import compute_signals

    compute_signals(_texts(), families=[family])


def _edits() -> None:
    from filters.edits.edits import EDITS

    for edit in EDITS.values():
        edit().apply(_texts())


def _duplicates() -> None:
    import numpy as np
    import pyarrow as pa

    from filters.dedup import candidates, exact, jaccard, survivors
    from filters.dedup.minhash import MinHash
    from filters.text.values import value_hashes

    texts, minhash, rows = _texts(), MinHash(), np.arange(len(SAMPLE))
    hashes = exact.content_hash(texts)
    group = exact.first_equal(hashes)
    exact.likely_shared(pa.array(value_hashes(hashes)).to_numpy())  # read-only, as it comes from a file
    minhash.band_keys(minhash.signatures(texts))
    a, b = candidates.ends(candidates.candidate_pairs(np.ones(len(rows), np.uint64), rows).pairs)
    jaccard.batches(a, b, rows, 1)
    similarity = jaccard.verified(a, b, texts, minhash.ngram)
    place = pa.array(rows).to_numpy()
    survivors.survivors(place, group, a, b, similarity, rows >= 0, 0.8, rows < 0)
    survivors.components(*(numbers.astype(np.int32) for numbers in (rows, a, b)))


def _boilerplate() -> None:
    import numpy as np

    from filters.dedup.boilerplate import Boilerplate

    texts, editable, config = _texts(), np.ones(len(SAMPLE), bool), Boilerplate()
    config.removed(texts, editable, config.recurring([config.occurrences(texts, editable)]))


def _contamination() -> None:
    import numpy as np
    import pyarrow as pa

    from filters.contamination.frequency import seed_documents, without_common
    from filters.contamination.index import build_index
    from filters.contamination.items import ITEMS
    from filters.contamination.match import find_matches

    question, solution = SAMPLE
    nothing = dict.fromkeys(ITEMS.names)
    item = nothing | {"benchmark": "b", "item_id": "0", "question": question, "solution": solution}
    index = build_index(pa.Table.from_pylist([item], ITEMS))
    seed_documents(_texts(), index)
    find_matches(_texts(), without_common(index, np.array([0])))


def _mixtures() -> None:
    import numpy as np
    import pyarrow as pa

    from mixers.budget import Mixture
    from mixers.gather import gather_segments
    from mixers.plan import plan_held_out, plan_mixture

    tokens = np.full(64, 40)
    documents = pa.table(
        {
            "group": pa.array(["chat", "web"] * 32).dictionary_encode(),
            "tokens": tokens,
            "bytes": 4 * tokens,
            "indivisible": np.arange(64) % 2 == 0,
        }
    )
    mixture = Mixture(tokens=1000, sequence_length=64, weights={"chat": 50.0, "web": 50.0})
    plan_mixture(documents, mixture, 17).ledger  # noqa: B018
    plan_held_out(documents, 64, 200, 17).ledger  # noqa: B018
    first, one = np.array([0]), np.array([1])
    for ids in (pa.uint16(), pa.uint32(), pa.uint8()):  # the last are masks
        source = pa.array([1], ids).to_numpy()
        gather_segments(source, first, one, source.copy(), first)


def _vocabularies() -> None:
    import numpy as np

    from tokenizer_tools.vocabulary.learn import Learner
    from tokenizer_tools.vocabulary.new_tokens import character_codes

    symbols, offsets = np.zeros(4, np.int32), np.array([0, 4])
    list(Learner(symbols, offsets, np.ones(1), np.zeros(1, bool), {}).learn(lambda parts: True))
    character_codes(symbols, np.array([0xC3]))


def _encoders() -> None:
    import json

    from tokenizer_tools.encode import Encoder
    from tokenizer_tools.fast.encoder import FastEncoder
    from tokenizer_tools.fast.word_table import WordTable
    from tokenizer_tools.train import TokenizerTraining, train_tokenizer

    files = train_tokenizer([_texts()], TokenizerTraining(vocabulary_size=512))
    Encoder.build(files).encode(_texts())
    definition = files.definition | {"normalizer": {"type": "NFC"}}
    added = [token | {"special": False} for token in definition["added_tokens"]]
    FastEncoder(json.dumps(definition | {"added_tokens": added}), control_tokens=True).encode(_texts())
    WordTable(definition).add(_texts())


def _language() -> None:
    from pipelines.sources.language_model import bundled_model, load_identifier

    load_identifier(str(bundled_model())).identify(_texts())


def _bad_words() -> None:
    from filters.quality.bad_words import BadWords, count_bad_words

    count_bad_words(_texts(), BadWords.build(["work"]))


def _classifier() -> None:
    from filters.classify.fasttext_text import plain_words

    plain_words(_texts())


def _conversations() -> None:
    import numpy as np
    import pyarrow as pa

    from tokenizer_tools.chat import CHATML_TEMPLATE, ChatEncoder
    from tokenizer_tools.chat_shapes import kernels
    from tokenizer_tools.train import TokenizerTraining, train_tokenizer

    files = train_tokenizer([_texts()], TokenizerTraining(vocabulary_size=512))
    roles = ("user", "assistant")
    rows = [[{"role": role, "content": "Words."} for role in roles]] * 20
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    ChatEncoder.build(files, CHATML_TEMPLATE).encode(pa.array(rows, pa.list_(message)))
    edges, word = np.array([0, 5], np.int64), np.frombuffer(b"Words", np.uint8)
    for asked in kernels.QUESTIONS.values():
        asked(word, edges[:1], edges[1:], word)


def _json() -> None:
    from filters.text.json_elements import ElementEnds

    ElementEnds().find(b"[{}]")
