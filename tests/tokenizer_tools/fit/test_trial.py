import numpy as np
import pyarrow as pa
import pytest
from small_corpus import CORPUS, texts

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.trial import try_extension
from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer

WORDS = "танины антоцианы мацерация малолактика сусло барриках мезга выдержка ассамбляж кислотность".split()
DOCUMENTS = [" ".join(np.random.default_rng(number).choice(WORDS, 30)) for number in range(60)]


@pytest.fixture(scope="module")
def trial(trained):
    return try_extension(trained, texts(*DOCUMENTS), (5, 10, 20))


def tokens(files, documents):
    return np.diff(Encoder.build(files).encode(texts(*documents)).offsets) - 1


def test_each_size_gives_the_ids_of_an_extension_of_that_size(trained, trial):
    learnt, measured = DOCUMENTS[::2], DOCUMENTS[1::2]
    assert trial.sizes == (5, 10, 20) and trial.documents.tolist() == list(range(1, 60, 2))
    assert (trial.before == tokens(trained, measured)).all()
    for size, after in zip(trial.sizes, trial.after, strict=True):
        own = extend_tokenizer(trained, [texts(*learnt)], VocabularyExtension(tokens=size))
        assert (after == tokens(own.files, measured)).all()


def test_the_curve_rises_and_its_intervals_hold_it(trial):
    saved = [each.saved for each in trial.savings]
    assert 0 < saved[0] < saved[1] < saved[2] < 1
    for each in trial.savings:
        assert each.interval[0] < each.saved < each.interval[1]


def test_the_interval_is_that_of_a_bootstrap_over_documents(trial):
    rng = np.random.default_rng(3)
    rows = rng.integers(len(trial.before), size=(4000, len(trial.before)))
    drawn = 1 - trial.after[0][rows].sum(axis=1) / trial.before[rows].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    interval = trial.savings[0].interval
    assert interval == pytest.approx((low, high), abs=0.3 * (high - low))


def test_savings_among_some_documents_are_theirs(trial):
    among = np.arange(len(trial.documents)) < 7
    saving = trial.saving(1, among)
    assert saving.saved == pytest.approx(1 - trial.after[1][:7].sum() / trial.before[:7].sum())
    assert saving.interval is None


def test_what_can_be_learnt_at_most_is_the_only_size_where_none_is_reached(trained):
    trial = try_extension(trained, pa.chunked_array([texts("zqzq zqzq", "zqzq")]), (1000,))
    assert 0 < trial.sizes[0] < 10


def test_what_cannot_be_tried_is_refused(trained, words):
    with pytest.raises(TokenizerError, match="more documents"):
        try_extension(trained, texts(CORPUS[0]))
    with pytest.raises(TokenizerError):
        try_extension(words, texts(*CORPUS))
