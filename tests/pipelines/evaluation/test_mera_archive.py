"""The archive for MERA's site, and the check of its published format."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UserError
from pipelines.evaluation.mera.archive import write_archive
from pipelines.evaluation.mera.ask import ask_mera
from pipelines.evaluation.mera.check import KINDS, Fault, check_archive
from pipelines.evaluation.mera.data import MeraData, read_mera
from pipelines.evaluation.mera.tasks import TASKS
from pipelines.recipe.mera import Mera
from tests.pipelines.evaluation.mera_data import NORMS, Canned, write_mera

Files = dict[str, Any]
CODE = ("ruCodeEval", "ruHumanEval")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MeraData]:
    return read_mera(Mera(data=str(write_mera(tmp_path_factory.mktemp("mera"), count=4))))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, data: dict[str, MeraData]) -> Path:
    path = tmp_path_factory.mktemp("archive") / "mera.zip"
    answers = ask_mera(Canned(lambda prompt: " 1 A Да\n"), data, Mera(data="."), 8)
    write_archive(path, data, answers)
    return path


@pytest.fixture(scope="module")
def files(archive: Path) -> Files:
    """The archive's files by name, and those of the tasks of code as their cards say."""
    with zipfile.ZipFile(archive) as opened:
        found = {name: json.loads(opened.read(name)) for name in opened.namelist()}
    runs = {"outputs": [[["1"]] * 10], "meta": {"id": 0}}
    return found | {f"{name}.json": {"data": {"test": [runs]}} for name in CODE}


def write(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def test_an_archive_has_a_file_of_each_task_in_the_published_layout(archive, files):
    with zipfile.ZipFile(archive) as opened:
        assert set(opened.namelist()) == {f"{name}.json" for name in TASKS if name not in CODE}
    rows = {name: file["data"]["test"][2] for name, file in files.items() if name[:-5] not in CODE}
    assert rows["ruMMLU.json"] == {"outputs": "A", "meta": {"id": 2}}
    assert rows["RWSD.json"] == {"outputs": "Да", "meta": {"id": 2}}
    assert rows["ruEthics.json"] == {"outputs": dict.fromkeys(NORMS, "1"), "meta": {"id": 2}}
    assert rows["ruTiE.json"] == {"outputs": "1", "meta": {"dialog_id": 0, "question_id": 2}}
    assert rows["USE.json"] == {"outputs": "1 A Да", "meta": {"id": 2, "id_task": "8_0", "variant": 0}}
    assert all(len(files[f"{name}.json"]["data"]["test"]) == 4 for name in TASKS if name not in CODE)


def test_the_same_answers_make_the_same_bytes(archive, data, tmp_path):
    answers = ask_mera(Canned(lambda prompt: " 1 A Да\n"), data, Mera(data="."), 3)
    write_archive(tmp_path / "again.zip", data, answers)
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_only_the_tasks_of_code_lack_in_an_archive_of_ours(archive, files, data, tmp_path):
    assert check_archive(archive, data) == [Fault(kind="no_task", task=name) for name in CODE]
    assert check_archive(write(tmp_path / "whole.zip", files), data) == []
    in_folder = {f"submission/{name}": content for name, content in files.items()}
    assert check_archive(write(tmp_path / "folder.zip", in_folder), data) == []


def _row(task: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Files], None]:
    return lambda files: change(files[f"{task}.json"]["data"]["test"][1])


def _file(name: str, content: object) -> Callable[[Files], None]:
    return lambda files: files.update({name: content})


FAULTS: list[tuple[Callable[[Files], object], Fault]] = [
    (lambda files: files.pop("PARus.json"), Fault(kind="no_task", task="PARus")),
    (_file("more/BPS.json", {}), Fault(kind="repeated_task", task="BPS")),
    (
        lambda files: files.update({"RCB.jso": files.pop("RCB.json")}),
        Fault(kind="extension", task="RCB"),
    ),
    (_file("LCS.json", b"{"), Fault(kind="unreadable_file", task="LCS")),
    (_file("LCS.json", b"\xff"), Fault(kind="unreadable_file", task="LCS")),
    (_file("LCS.json", b"[" * 100_000), Fault(kind="unreadable_file", task="LCS")),
    (_file("LCS.json", {}), Fault(kind="no_data_field", task="LCS")),
    (_file("LCS.json", []), Fault(kind="no_data_field", task="LCS")),
    (_file("LCS.json", {"data": {"test_": []}}), Fault(kind="no_split", task="LCS")),
    (_file("LCS.json", {"data": {"test": {}}}), Fault(kind="no_split", task="LCS")),
    (
        _row("MultiQ", lambda row: row.pop("outputs")),
        Fault(kind="no_outputs_field_for_doc", task="MultiQ", place="answer 1"),
    ),
    (
        lambda files: files["USE.json"]["data"]["test"][1].update(meta=[]),
        Fault(kind="no_meta_field_for_doc", task="USE", place="answer 1"),
    ),
    (
        _row("SimpleAr", lambda row: row["meta"].pop("id")),
        Fault(kind="no_id_field_for_doc", task="SimpleAr", place="answer 1"),
    ),
    (
        _row("ruHHH", lambda row: row["meta"].update(id="1")),
        Fault(kind="no_id_field_for_doc", task="ruHHH", place="answer 1"),
    ),
    (
        _row("ruTiE", lambda row: row["meta"].pop("question_id")),
        Fault(kind="no_id_field_for_doc", task="ruTiE", place="answer 1"),
    ),
    (
        lambda files: files["ruTiE.json"]["data"]["test"].pop(3),
        Fault(kind="no_id", task="ruTiE", place="question 1.0"),
    ),
    (
        lambda files: files["BPS.json"]["data"]["test"].append({"outputs": "1", "meta": {"id": 3}}),
        Fault(kind="repeated_id", task="BPS", place="question 3"),
    ),
    (
        lambda files: files["BPS.json"]["data"]["test"].append({"outputs": "1", "meta": {"id": 9}}),
        Fault(kind="unknown_id", task="BPS", place="question 9"),
    ),
    (
        _row("RWSD", lambda row: row.update(outputs=-777)),
        Fault(kind="doc_output_type_error", task="RWSD", place="answer 1"),
    ),
    (
        _row("ruEthics", lambda row: row.update(outputs="1")),
        Fault(kind="doc_output_type_error", task="ruEthics", place="answer 1"),
    ),
    (
        _row("ruEthics", lambda row: row["outputs"].update(law="нет")),
        Fault(kind="doc_parse_output_error", task="ruEthics", place="answer 1"),
    ),
    (
        lambda files: files["ruCodeEval.json"]["data"]["test"][0].update(outputs=[["1"]]),
        Fault(kind="doc_parse_output_error", task="ruCodeEval", place="answer 0"),
    ),
]


@pytest.mark.parametrize(("spoil", "fault"), FAULTS)
def test_each_fault_is_found_where_it_is(files, data, tmp_path, spoil, fault):
    spoiled = json.loads(json.dumps(files))
    spoil(spoiled)
    found = check_archive(write(tmp_path / "spoiled.zip", spoiled), data)
    ids = {"no_id"} if fault.kind in {"no_meta_field_for_doc", "no_id_field_for_doc"} else set()
    assert [each for each in found if each.kind not in ids] == [fault]
    assert fault.task in str(fault) and fault.place in str(fault)


def test_what_is_no_archive_is_said(data, tmp_path):
    (tmp_path / "mera.zip").write_bytes(b"PK")
    assert check_archive(tmp_path / "mera.zip", data) == [Fault(kind="unreadable_zip")]
    assert check_archive(tmp_path / "gone.zip", data) == [Fault(kind="unreadable_zip")]
    assert {fault.kind for _, fault in FAULTS} | {"unreadable_zip"} == set(KINDS)


def test_answers_to_training_questions_are_not_archived(data, tmp_path):
    config = Mera(data=".")
    other = {"BPS": MeraData(**{**vars(data["BPS"]), "split": "train"})}
    with pytest.raises(UserError, match="others were asked"):
        write_archive(tmp_path / "x.zip", other, ask_mera(Canned(lambda prompt: "1"), other, config, 8))
    assert not (tmp_path / "x.zip").exists()
