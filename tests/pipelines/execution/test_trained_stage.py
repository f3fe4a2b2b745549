"""A trained stage is known by its folder in a run: its lineage, its base, its seal and its scores."""

import json
from pathlib import Path

from pipelines.execution.trained_stage import TrainedStage, trained_stages

STAGES = ("stage1", "law_task", "web_task", "chat")


def train(workdir: Path, name: str, model: str, start: str | None = None) -> TrainedStage:
    stage = TrainedStage(workdir, name)
    stage.folder.mkdir(parents=True)
    (stage.folder / "training.json").write_text(json.dumps({"model": model, "stage": {"start": start}}))
    return stage


def test_a_stage_knows_what_led_to_its_model(tmp_path):
    first = train(tmp_path, "stage1", '{"layers": 2}')
    web = train(tmp_path, "web_task", str(first.folder), "stage1")
    chat = train(tmp_path, "chat", "owner/name", "model")
    assert trained_stages(tmp_path, STAGES) == [first, web, chat]
    assert trained_stages(tmp_path) == [chat, first, web]
    assert web.lineage(STAGES) == [first, web] and chat.lineage(STAGES) == [chat]
    assert TrainedStage(tmp_path, "law_task").lineage(STAGES) == []
    assert [stage.base for stage in (first, web, chat)] == [None, str(first.folder), "owner/name"]


def test_a_seal_covers_the_folder(tmp_path):
    stage = train(tmp_path, "stage1", "owner/name")
    (stage.folder / ".lock").touch()
    stage.seal()
    assert list(stage.damages()) == []
    (stage.folder / "training.json").write_text("{}")
    (stage.folder / "stranger").touch()
    assert [damage.file.name for damage in stage.damages()] == ["training.json", "stranger"]


def test_scores_are_kept_until_the_stage_is_trained_again(tmp_path):
    stage = train(tmp_path, "stage1", "owner/name")
    assert stage.scores is None
    stage.write_scores({"model": {"loss": 1.5}}, {})
    assert stage.scores == {"model": {"loss": 1.5}}
    assert stage.scores_path == tmp_path / "evaluate" / "stage1.json"
    stage.forget_scores()
    stage.forget_scores()
    assert stage.scores is None
