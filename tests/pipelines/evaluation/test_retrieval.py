"""Hidden facts: where they lie, and the model's answers against whole forward passes without a cache."""

import numpy as np
import pytest
import torch

from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.retrieval import make_haystacks, score_retrieval
from pipelines.recipe.evaluate import Retrieval
from tests.trainers.plain_models import write_llama

DOCUMENTS = [
    f"Document {number}. " + " ".join(f"word{number}x{place}" for place in range(60)) for number in range(12)
]
CONFIG = Retrieval(lengths=(400, 700), depths=(0, 0.5, 1), texts=3, seed=5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PlainModel:
    return PlainModel.load(write_llama(tmp_path_factory.mktemp("model"), seed=4), dtype="float32")


def test_each_fact_stands_once_at_its_depth_and_texts_have_their_length(model: PlainModel) -> None:
    haystacks = make_haystacks(DOCUMENTS, CONFIG, model)
    assert [haystack.length for haystack in haystacks] == [400] * 3 + [700] * 3
    assert haystacks == make_haystacks(DOCUMENTS, CONFIG, model)
    assert haystacks != make_haystacks(DOCUMENTS, CONFIG.model_copy(update={"seed": 6}), model)
    for haystack in haystacks:
        pairs = list(zip(haystack.questions, haystack.answers, strict=True))
        asked = max(len(model.encode(q + a)) for q, a in pairs)
        assert haystack.length - 12 <= len(model.encode(haystack.text)) + asked <= haystack.length
        assert len(set(haystack.answers)) == 3
        filler = haystack.text
        facts = [(q + a).strip() for q, a in pairs]
        places = []
        for fact in facts:
            assert haystack.text.count(fact) == 1
            before, after = filler.split(fact)
            filler = before + after
        for fact in facts:
            before = haystack.text.split(fact)[0]
            for other in facts:
                before = before.replace(other, "")
            places.append(len(before.split()) / len(filler.split()))
        assert places[0] == 0 and places[2] == 1 and abs(places[1] - 0.5) < 0.1


def test_answers_are_those_of_whole_forward_passes(model: PlainModel) -> None:
    haystacks = make_haystacks(DOCUMENTS, CONFIG, model)
    expected: dict[tuple[int, float], list[tuple[bool, bool]]] = {}
    for haystack in haystacks:
        context = model.encode(haystack.text)
        for right, (depth, question) in enumerate(zip(haystack.depths, haystack.questions, strict=True)):
            sums, greedy = [], []
            for answer in haystack.answers:
                start = len(context) + len(model.encode(question))
                ids = torch.tensor([[*context, *model.encode(question), *model.encode(answer)]])
                with torch.no_grad():
                    scores = model.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
                wanted = ids[0, start:]
                sums.append(sum(float(s[i]) for s, i in zip(scores[start - 1 : -1], wanted, strict=True)))
                greedy.append(bool((scores[start - 1 : -1].argmax(-1) == wanted).all()))
            answered = (greedy[right], sums.index(max(sums)) == right)
            expected.setdefault((haystack.length, depth), []).append(answered)
    found = {(s.length, s.depth): (s.exact, s.ranked) for s in score_retrieval(model, haystacks)}
    assert found == {key: pytest.approx(np.mean(answers, axis=0)) for key, answers in expected.items()}
    assert 0 < sum(ranked for _, ranked in found.values()) < len(found)


def test_an_answer_that_the_model_would_say_is_exact(model: PlainModel) -> None:
    (haystack, *_) = make_haystacks(DOCUMENTS, CONFIG, model)
    ids = torch.tensor([[*model.encode(haystack.text), *model.encode(haystack.questions[1])]])
    made = model.model.generate(ids, max_new_tokens=7, do_sample=False)[0, ids.shape[1] :]
    said = model.decode(made.tolist())
    assert model.encode(said) == made.tolist()
    told = haystack.__class__(**{**vars(haystack), "answers": ("12345.", said, "54321.")})
    scores = score_retrieval(model, [told])
    assert [score.exact for score in scores] == [0, 1, 0] and scores[1].ranked == 1


def test_what_cannot_be_asked_is_refused(model: PlainModel) -> None:
    with pytest.raises(ValueError, match="1,024 positions, fewer"):
        make_haystacks(DOCUMENTS, Retrieval(lengths=(2048,)), model)
    with pytest.raises(ValueError, match="too short together"):
        make_haystacks(DOCUMENTS[:1], CONFIG, model)
    with pytest.raises(ValueError, match="facts alone"):
        make_haystacks(DOCUMENTS, Retrieval(lengths=(100,)), model)
    with pytest.raises(ValueError, match="name"):
        Retrieval(fact="There is no {value} without one.")
