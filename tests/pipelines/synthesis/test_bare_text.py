"""A text without what a model says around it."""

import pytest

from pipelines.synthesis.bare_text import bare_text

TEXT = "# The canal\n\nIt was dug in 1822:\n\n- by hand,\n- in a year."


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"\n  {TEXT}\n",
        f"Here is the passage rewritten as an article of an encyclopaedia:\n\n{TEXT}",
        f"Sure! Here's the section:\n\n---\n\n{TEXT}\n\n---\n\nLet me know if you need anything else!",
        f"Certainly.\n{TEXT}\nI hope this helps.",
        f"Вот текст в стиле учебника:\n\n{TEXT}\n\nЕсли хотите, я могу его сократить.",
        f"Конечно!\n\n{TEXT}\n\nНадеюсь, это поможет!",
        f"```markdown\n{TEXT}\n```",
        f"Here is the text:\n```\n{TEXT}\n```",
    ],
)
def test_what_stands_around_a_text_is_left_out(answer):
    assert bare_text(answer) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Here is where the canal begins.",
        "Here the canal begins:\nat Brenn.",
        "Sure enough, it was dug.\nBy hand.",
        "Of course, it was dug by hand.\nAll knew it.",
        "Surely it was dug by hand:\nin a year.",
        "Вотяки жили здесь.\nИ там.",
        "Let me know.",
        "```python\nx = 1\n```",
        "```\nx = 1\n```\n\nand\n\n```\ny = 2\n```",
        "",
    ],
)
def test_a_text_that_only_looks_like_it_stays_whole(text):
    assert bare_text(text) == text


@pytest.mark.parametrize("piece", ["`", "\n", "sure ", "Here is:\n", "```\n", " "])
def test_hostile_answers_are_read_in_linear_time(piece):
    text = piece * (1_000_000 // len(piece))
    assert len(bare_text(text)) <= len(text)
