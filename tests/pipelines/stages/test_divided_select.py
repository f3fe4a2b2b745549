"""Preference and select, cut into many pieces, say what a simple algorithm says that holds all documents."""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.dedup.minhash import MinHash
from filters.dedup.survivors import survivors
from filters.language.identify import LanguageRule
from filters.quality.rules import Rule
from pipelines.execution import spill
from pipelines.execution.manifest import FileRecord, Receipt
from pipelines.graph.build import verified_pairs
from pipelines.stages import held_out_choice
from pipelines.stages.annotate import Annotations
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.classify.percentile_verdicts import ClassifierVerdicts, EnsembleVerdicts
from pipelines.stages.classify.score import Score
from pipelines.stages.dedup.bands import Bands
from pipelines.stages.dedup.clusters import EDGES
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.hash_sampling import held_out_draw
from pipelines.stages.select import JudgedSource, Select
from pipelines.stages.signals import Signals
from tests.pipelines.stages.given_stages import GivenLanguage, GivenParts, output_of, publish, write_manifest

RULE = Rule(name="few words", signal="non_symbol_words", min=20)
LANGUAGES = LanguageRule(min_score=0.2, keep=("en", "ru"))
SHARE, LEAST, SEED, THRESHOLD = 0.05, 30, 4, 0.8
PRIORITIES = (1, 3, 2)
SCORED = (0, 2)
"""The sources that classifiers judge."""


@dataclass(frozen=True, kw_only=True)
class GivenClassifier(Classifier):
    settings = {}  # noqa: RUF012
    texts: tuple[bytes, ...]
    """The hashes of those that it has learned from."""

    def labels(self, workdir):
        return []

    def learned(self, workdir):
        return pa.array(self.texts, pa.binary(16))


@pytest.fixture(autouse=True, scope="module")
def little_room():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "ROWS_AT_ONCE", 16)
        patch.setattr(spill, "ROWS_A_PARTITION", 8)
        patch.setattr(spill, "MOST_PARTITIONS", 4)
        patch.setattr(held_out_choice, "CLUSTERS_AT_ONCE", 6)
        yield


class World:
    """Documents at random, and the stages that judge them."""

    def __init__(
        self, seed: int, sizes: list[int], keep: tuple[str, ...], exact: bool, against: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        count = sum(sizes)
        self.keep, self.exact = keep, exact
        self.against = ("source1",) if against else ()
        cuts = np.sort(rng.integers(0, len(sizes) + 1, 2)) if len(sizes) else [0, 0]
        self.parts = [sizes[: cuts[0]], sizes[cuts[0] : cuts[1]], sizes[cuts[1] :]]
        self.source = np.repeat([0, 1, 2], [sum(parts) for parts in self.parts])
        self.content = (rng.integers(0, max(1, count), count) * rng.random(count)).astype(int)
        self.ids = [f"id {number}" for number in rng.integers(0, 3 * count + 1, count)]
        self.bytes = np.array([len(str(c)) * 7 % 11 + c % 3 for c in self.content], np.int64)
        self.language = np.array(["en", "ru", "de"])[(rng.random(count) * 2.3).astype(int)]
        self.language_score = rng.random(count).astype(np.float32)
        self.signal = rng.integers(15, 60, count).astype(np.float32)
        self.scores = [rng.integers(0, 6, count).astype(np.float32) / 8 for _ in range(2)]
        self.hashes = [hashlib.blake2b(b"%d" % c, digest_size=16).digest() for c in self.content]
        seen: dict = {}
        same = [h if exact else n for n, h in enumerate(self.hashes)]
        self.group = np.array([seen.setdefault(key, n) for n, key in enumerate(same)], np.int64)
        first = np.flatnonzero(self.group == np.arange(count))
        pairs = rng.choice(first, (count // 3, 2)) if count else np.empty((0, 2), int)
        pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
        self.edges = (pairs[:, 0], pairs[:, 1], rng.choice([0.5, 0.8, 0.9, 0.95], len(pairs)))
        self.learned = tuple(sorted({self.hashes[n] for n in rng.integers(0, count, 2)})) if count else ()

    def select(self, workdir: Path) -> Select:
        """The stages; what they read is written."""
        sources, first = [], 0
        for number, sizes in enumerate(self.parts):
            parts = GivenParts(scope=f"source{number}")
            records = [
                FileRecord(name=f"{n:05d}.parquet", bytes=0, rows=rows, hash=f"{number}/{n}")
                for n, rows in enumerate(sizes)
            ]
            write_manifest(parts, workdir, Receipt(task=0, files=records))
            source = Annotations(
                hashes=Hashes(scope=f"h{number}", parts=parts),
                language=GivenLanguage(scope=f"l{number}", parts=parts, model=None),
                signals=(Signals(scope=f"s{number}", parts=parts, family="gopher_quality"),),
            )
            slices = [slice(a, a + n) for a, n in zip(first + np.cumsum([0, *sizes]), sizes, strict=False)]
            first += sum(sizes)
            publish(source.hashes, workdir, map(self._hashes, slices))
            publish(source.language, workdir, map(self._languages, slices))
            publish(source.signals[0], workdir, (pa.table({RULE.signal: self.signal[s]}) for s in slices))
            sources.append((source, slices))
        classifiers = [self._classifier(number, sources, workdir) for number in range(2)]
        quality = EnsembleVerdicts(name="quality", keep=0.7, classifiers=tuple(classifiers))
        preference = Preference(
            scope="",
            hashes=tuple(source.hashes for source, _ in sources),
            priorities=PRIORITIES,
            keep=self.keep,
            exact=self.exact,
            against=self.against,
            quality=quality if "quality" in self.keep else None,
        )
        shape = MinHash(bands=1)
        bands = tuple(Bands(scope=f"b{s.scope}", parts=s.parts, minhash=shape) for s, _ in sources)
        pairs = verified_pairs("", preference, bands, shape)
        half = [pa.table([c[start::2] for c in self.edges], schema=EDGES) for start in range(2)]
        publish(pairs, workdir, half)
        return Select(
            scope="",
            sources=tuple(JudgedSource(annotations=s, rules=(RULE,), language=LANGUAGES) for s, _ in sources),
            preference=preference,
            pairs=pairs,
            threshold=THRESHOLD,
            held_out_share=SHARE,
            held_out_least=LEAST,
            longest_held_out=2,
            seed=SEED,
            classifiers=(classifiers[0], quality),
        )

    def _hashes(self, rows: slice) -> pa.Table:
        columns = [pa.array(self.ids[rows], pa.string()), pa.nulls(len(self.ids[rows]), pa.string())]
        columns += [pa.array(self.bytes[rows]), pa.array(self.hashes[rows], pa.binary(16))]
        return pa.table(columns, names=["doc_id", "source_language", "bytes", "content_hash"])

    def _languages(self, rows: slice) -> pa.Table:
        return pa.table({"language": self.language[rows], "language_score": self.language_score[rows]})

    def _classifier(self, number: int, sources, workdir: Path) -> ClassifierVerdicts:
        classifier = GivenClassifier(
            scope=f"c{number}",
            config=None,
            places=(),
            model=None,
            held_out_share=0,
            seed=0,
            texts=self.learned if number else (),
        )
        scores = []
        for source in SCORED:
            annotations, slices = sources[source]
            score = Score(
                scope=f"c{number}-{source}", parts=annotations.parts, classifier=classifier, positive=None
            )
            labels = (pa.nulls(s.stop - s.start, pa.string()) for s in slices)
            columns = ([label, self.scores[number][s]] for label, s in zip(labels, slices, strict=True))
            publish(score, workdir, (pa.table(c, names=["label", "score"]) for c in columns))
            scores.append(score)
        return ClassifierVerdicts(name=f"c{number}", keep=None if number else 0.9, scores=tuple(scores))


def percentiles_of(scores: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place and percentile of each document; -1 and nan without a score."""
    judged = [n for n in range(len(scores)) if not math.isnan(scores[n])]
    order = sorted(judged, key=lambda n: (scores[n], keys[n], n))
    place, percentile = np.full(len(scores), -1), np.full(len(scores), np.nan)
    for position, n in enumerate(order):
        place[n], percentile[n] = position, position / len(order)
    return place, percentile


def expected(world: World) -> tuple[list[tuple], list[dict]]:
    """What preference and select have to say of each document."""
    count = len(world.ids)
    keys = np.array([int.from_bytes(h[:8], "little") for h in world.hashes], np.uint64)
    scored = np.isin(world.source, SCORED)
    members = [percentiles_of(np.where(scored, score, np.nan), keys) for score in world.scores]
    best = np.fmax(members[0][1], members[1][1])
    place_of_best, percentile_of_best = percentiles_of(best, keys)
    reference = np.array([f"source{s}" in world.against for s in world.source], bool)
    policies = {
        "priority": [-PRIORITIES[s] for s in world.source],
        "length": (-world.bytes).tolist(),
        "quality": (-np.nan_to_num(best, nan=-1.0)).tolist(),
    }
    order = sorted(range(count), key=lambda n: (not reference[n], *(policies[p][n] for p in world.keep), n))
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    first_with_id: dict[str, int] = {}
    repeated = [first_with_id.setdefault(name, n) != n for n, name in enumerate(world.ids)]
    preference = [(int(place[n]), int(world.group[n]), repeated[n], bool(reference[n])) for n in range(count)]

    reasons: list[str | None] = []
    for n in range(count):
        reason = None
        if world.signal[n] < 20:
            reason = "few words"
        if world.language[n] == "de":
            reason = "language.not_kept"
        if world.language_score[n] < np.float32(0.2):
            reason = "language.low_score"
        if repeated[n]:
            reason = "repeated doc_id"
        judged = int(scored.sum())
        for name, places, share in (("c0", members[0][0], 0.9), ("quality", place_of_best, 0.7)):
            if reason is None and 0 <= places[n] < judged - math.floor(share * judged + 0.5):
                reason = f"classifier.{name}"
        reasons.append(None if reference[n] else reason)
    eligible = np.array([reason is None for reason in reasons], bool)
    found = survivors(place, world.group, *world.edges, eligible, THRESHOLD, reference)
    rows = []
    methods = found.method.to_pylist()
    names = {"exact": "exact duplicate", "minhash": "near duplicate", None: None}
    for n in range(count):
        if reasons[n] is None:
            reasons[n] = "reference" if reference[n] else names[methods[n]]
        kept_doc, similarity = int(found.kept_doc[n]), float(found.similarity[n])
        unclear = world.language_score[n] < np.float32(0.2)
        rows.append(
            {
                "doc_id": world.ids[n],
                "keep": bool(found.kept[n] and not reference[n]),
                "reason": reasons[n],
                "kept_doc_id": world.ids[kept_doc] if kept_doc >= 0 else None,
                "similarity": None if math.isnan(similarity) else similarity,
                "method": methods[n],
                "cluster_size": int(found.cluster_size[n]),
                "domain": f"source{world.source[n]}",
                "language": "und" if unclear else str(world.language[n]),
                "c0": None if not scored[n] else min(19, math.floor(members[0][1][n] * 20)),
                "quality": None if not scored[n] else min(19, math.floor(best[n] * 20)),
                "c0.percentile": None if not scored[n] else members[0][1][n],
                "quality.percentile": None if not scored[n] else percentile_of_best[n],
            }
        )
    held_out = expected_held_out(world, rows, found.component, keys)
    return preference, [row | {"held_out": n in held_out} for n, row in enumerate(rows)]


def expected_held_out(world: World, rows: list[dict], component: np.ndarray, keys: np.ndarray) -> set[int]:
    known = {component[n] for n, text in enumerate(world.hashes) if text in world.learned}
    free = [n for n, row in enumerate(rows) if row["keep"] and component[n] not in known]
    draw = held_out_draw(keys[component], SEED)
    needed = set()
    for _, members in groupby(sorted(free, key=lambda n: rows[n]["domain"]), key=lambda n: rows[n]["domain"]):
        size, evaluated = Counter(), Counter()
        for n in members:
            size[component[n]] += int(world.bytes[n])
            evaluated[component[n]] += min(int(world.bytes[n]), 8)
        before = taken = 0
        for cluster in sorted(size, key=lambda c: (draw[c], c)):
            taken += size[cluster]
            if before == 0 or (before < 4 * LEAST and taken <= 0.05 * size.total()):
                needed.add(cluster)
            before += evaluated[cluster]
    return {n for n in free if draw[n] < SHARE or component[n] in needed}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(0, 40), max_size=5),
    keep=st.sampled_from(
        [("priority", "length"), ("length",), ("quality", "length"), ("length", "quality"), ()]
    ),
    exact=st.booleans(),
    against=st.booleans(),
)
def test_what_is_said_of_each_document(tmp_path_factory, seed, sizes, keep, exact, against) -> None:
    world = World(seed, sizes, keep, exact, against)
    workdir = tmp_path_factory.mktemp("run")
    select = world.select(workdir)
    output = output_of(select.preference, workdir)
    select.preference.run_task(workdir, {}, output)
    write_manifest(select.preference, workdir, output.write_receipt())
    preference, verdicts = expected(world)
    documents = pa.concat_tables(select.preference.documents(workdir))
    columns = [documents.column(n).to_pylist() for n in ("place", "exact_group", "repeated_id", "reference")]
    assert list(zip(*columns, strict=True)) == preference
    assert documents.column("alone").to_pylist() == [
        number == 1 for number in np.bincount(world.group, minlength=1)[world.group]
    ]
    output = output_of(select, workdir)
    select.run_task(workdir, {}, output)
    found = [row for file in output.files for row in pq.read_table(output.folder / file.name).to_pylist()]
    assert found == verdicts
    assert output.counts.unclosed() == []
    assert {path.name for path in output.folder.iterdir()} <= {"source0", "source1", "source2"}
