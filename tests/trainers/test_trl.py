"""Our shards train in TRL: its documents, labels and first loss are ours."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

from mixers.shards import Shards
from tests.trainers.shards_folder import VOCABULARY
from trainers import attention
from trainers.config import SmallModel
from trainers.loader import IGNORED, RowDataset, collate
from trainers.model import build_model
from trainers.objective import PackedObjective


def _with_labels(row: dict[str, Any]) -> dict[str, Any]:
    """TRL wants labels as soon as a dataset has a column of masks; see docs/training.md."""
    ids, mask = row["input_ids"], row["assistant_masks"]
    return {"labels": ids if mask is None else [i if m else IGNORED for i, m in zip(ids, mask, strict=True)]}


@pytest.mark.parametrize("folder", ["shards", "held_out"])
def test_sft_trainer_steps_on_our_shards_without_padding(
    folder: str, request: pytest.FixtureRequest, tokenizer_folder: Path, small: SmallModel, tmp_path: Path
) -> None:
    shards = request.getfixturevalue(folder)
    dataset = datasets.load_from_disk(str(shards)).map(_with_labels, remove_columns="assistant_masks")
    model = build_model(small, VOCABULARY, sequence_length=64, seed=1)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=2,
            padding_free=True,
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
            activation_checkpointing=False,
            report_to="none",
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(tokenizer_folder),
    )
    rows = RowDataset(Shards.open(shards))
    ours = collate([rows[0], rows[1]])
    theirs = trainer.data_collator([dataset[0], dataset[1]])
    for name in ("input_ids", "position_ids", "labels", "cu_seq_lens_q"):
        assert torch.equal(theirs[name], ours[name]), name
    assert theirs["max_length_q"] == ours["max_length_q"]

    assert model.config._attn_implementation == attention.NAME
    with torch.no_grad():
        torch.testing.assert_close(model(**theirs).loss, PackedObjective(model)(**ours)["loss"])
    before = model.model.embed_tokens.weight.clone()
    assert trainer.train().training_loss > 0
    assert not torch.equal(before, model.model.embed_tokens.weight)
