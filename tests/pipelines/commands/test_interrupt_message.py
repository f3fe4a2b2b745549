"""What Ctrl-C leaves is said as it is, for each command."""

import pytest


def interrupted(*arguments: object, **more: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("run.run_recipe", ["run", "r.yaml"], "interrupted; the same command goes on from here"),
        (
            "annotate.annotate_files",
            ["annotate", "a", "-o", "b"],
            "interrupted; the same command goes on from here",
        ),
        (
            "train.train",
            ["train", "my run"],
            "interrupted; from the last checkpoint on: coupage train 'my run' --resume",
        ),
        (
            "train.train",
            ["train", "r", "--resume"],
            "interrupted; from the last checkpoint on: coupage train r --resume",
        ),
        ("evaluate.show_scores", ["evaluate", "r"], "interrupted"),
        ("tokenizer.train", ["tokenizer", "train", "a", "-o", "b"], "interrupted"),
    ],
)
def test_what_goes_on_after_an_interrupt_is_said(coupage, monkeypatch, function, arguments, message):
    monkeypatch.setattr(f"pipelines.commands.{function}", interrupted)
    assert coupage(*arguments, code=130).stderr == f"{message}\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied", "runs/\x1b[2Jx"),
            "error: runs/␛[2Jx: Permission denied\n  hint: ",
        ),
        (OSError("disk\x9b gone"), "error: disk� gone\n  hint: "),
        (ValueError("\x1b[2J"), "ValueError: ␛[2J\nThis is a defect; please report it.\n"),
    ],
)
def test_errors_of_the_disk_and_defects_are_plain(coupage, monkeypatch, error, message):
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("pipelines.commands.plan.show_plan", fail)
    said = coupage("plan", "r.yaml", code=1).stderr
    assert message in said and "\x1b" not in said
    assert ("Traceback" in said) == isinstance(error, ValueError)
