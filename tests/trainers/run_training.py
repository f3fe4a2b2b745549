"""The program that the tests start, kill and start again."""

import os
import sys
from pathlib import Path

from trainers.config import SmallModel, StageTraining
from trainers.train import train

if __name__ == "__main__":
    shards, held_out, tokenizer, output = map(Path, sys.argv[1:5])
    output.mkdir(exist_ok=True)
    (output / f"{os.getpid()}.pid").touch()  # torchrun's workers are in no group with it
    stage = StageTraining.model_validate_json(sys.argv[5])
    model = Path(sys.argv[6]) if Path(sys.argv[6]).exists() else SmallModel.model_validate_json(sys.argv[6])
    train(shards, stage, model, output, tokenizer, held_out, resume=True)
