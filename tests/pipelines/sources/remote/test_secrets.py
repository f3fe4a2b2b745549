"""Passwords and signatures of URLs: hidden where they are shown, refused where they would be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.sources.files import FilesConfig
from pipelines.sources.remote.secrets import masked, with_variables

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=20)


@given(WORDS, WORDS)
def test_no_secret_is_shown(user, secret):
    secret = f"q{secret}Z"
    for url in (
        f"https://{user}:{secret}@host/a.jsonl",
        f"https://{secret}@host/a.jsonl",
        f"s3://{user}:{secret}@bucket/a",
        f"https://host/a?X-Amz-Signature={secret}&x=1",
        f"https://host/a?sv=1&sig={secret}",
        f"https://host/a?AWSAccessKeyId={secret}#b",
    ):
        shown = masked(f"cannot read '{url}', sorry")
        assert secret not in shown
        assert shown.startswith("cannot read '") and shown.endswith("', sorry")


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/folder/*.jsonl",
        "hf://datasets/owner/name@main/data/a.parquet",
        "https://host/a.jsonl?download=true",
        "https://${USER}:${PASSWORD}@host/a.jsonl?sig=${SIGNATURE}",
        "sftp://somebody@host/a.jsonl",
        "no address at all: a@b?token=c",
    ],
)
def test_what_is_no_secret_is_left_alone(url):
    assert masked(url) == url


@pytest.mark.parametrize(
    "url",
    ["https://me:hush@host/a.jsonl", "https://host/a.jsonl?token=hush", "s3://key:hush@bucket/a.jsonl"],
)
def test_a_secret_in_a_path_is_refused_and_not_shown(tmp_path, url):
    with pytest.raises(UserError, match="password or a signature") as raised:
        FilesConfig(reader="files", path=url).build("s", tmp_path).identity()
    assert "hush" not in str(raised.value)
    assert "${NAME}" in raised.value.hint


def test_variables_are_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("TOKEN_OF_TEST", "hush")
    assert with_variables("https://host/a?token=${TOKEN_OF_TEST}") == "https://host/a?token=hush"
    with pytest.raises(UserError, match="NO_SUCH_VARIABLE is not set"):
        with_variables("https://host/a?token=${NO_SUCH_VARIABLE}")
