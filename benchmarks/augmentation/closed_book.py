"""What a trained model knows when it has nothing but its weights."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.augmentation.world import Question

BATCH = 256


class ClosedBook:
    """A model that is asked without a text at hand."""

    def __init__(self, folder: Path) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)

    def scores(self, questions: Sequence[Question]) -> dict[str, dict[str, float]]:
        """By form of question: the share that is answered rightly, freely and among choices."""
        free, chosen = self.answered(questions), self.chosen(questions)
        found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for question, answer, choice in zip(questions, free, chosen, strict=True):
            found[question.form].append((answer == question.answer, choice == question.answer))
            found["all"].append(found[question.form][-1])
        return {
            form: dict(zip(("free", "choice"), np.mean(pairs, axis=0).tolist(), strict=True))
            for form, pairs in found.items()
        }

    @torch.inference_mode()
    def answered(self, questions: Sequence[Question]) -> list[str]:
        """What the model says next, taking the likeliest token each time."""
        return [
            text.strip()
            for at in range(0, len(questions), BATCH)
            for text in self._say(questions[at : at + BATCH])
        ]

    def _say(self, questions: Sequence[Question]) -> list[str]:
        ids = [self._tokenizer.encode(question.asked) for question in questions]
        longest = max(map(len, ids))
        end = self._tokenizer.eos_token_id
        inputs = torch.tensor([[end] * (longest - len(one)) + one for one in ids])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in ids])
        said = self._model.generate(
            input_ids=inputs, attention_mask=mask, max_new_tokens=16, do_sample=False, pad_token_id=end
        )
        return self._tokenizer.batch_decode(said[:, longest:], skip_special_tokens=True)

    @torch.inference_mode()
    def chosen(self, questions: Sequence[Question]) -> list[str]:
        """The choice that the model finds likeliest, its end included."""
        pairs = [(question, choice) for question in questions for choice in question.choices]
        likely = [
            score for at in range(0, len(pairs), BATCH) for score in self._likelihood(pairs[at : at + BATCH])
        ]
        scores = iter(likely)
        return [
            max(((next(scores), choice) for choice in question.choices), key=lambda pair: pair[0])[1]
            for question in questions
        ]

    def _likelihood(self, pairs: Sequence[tuple[Question, str]]) -> list[float]:
        end = self._tokenizer.eos_token_id
        asked = [self._tokenizer.encode(question.asked) for question, _ in pairs]
        ids = [[*self._tokenizer.encode(f"{question.asked} {choice}"), end] for question, choice in pairs]
        longest = max(map(len, ids))
        inputs = torch.tensor([one + [end] * (longest - len(one)) for one in ids])
        logs = self._model(input_ids=inputs).logits[:, :-1].float().log_softmax(-1)
        taken = logs.gather(-1, inputs[:, 1:, None])[..., 0]
        return [
            float(row[len(before) - 1 : len(one) - 1].sum())
            for row, before, one in zip(taken, asked, ids, strict=True)
        ]
