"""`tokenizer.extend` and `tokenizer.replace`: tokens learnt from what Stage 1 is made of, nothing else."""

import json
import random
import shutil

import orjson
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from tests.pipelines.corpus import document
from tokenizer_tools.load import load_tokenizer

RECIPE = """\
name: domain
sources:
  web: {{reader: files, path: web.jsonl}}
  law: {{reader: files, path: law.jsonl}}
  chats: {{reader: files, path: chats.jsonl, messages: messages}}
dedup: {{minhash: null}}
held_out: {{share: 20%, tokens_per_group: 1k}}
tokenizer: {tokenizer}
mixtures:
  stage1:
    tokens: 12k
    sequence_length: 256
    weights: {weights}
    on_shortage: repeat
    {groups}
"""
EXTEND = "{base: base, extend: {tokens: 300}}"
WEIGHTS = "{web: 1, law: 1, chats: 1}"


LETTERS = {"web": "bcdfghj", "law": "klmnpqr", "chats": "stvwxyz"}
"""Of the words of each source, so that each token of them tells where it was learnt."""


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def canaries():
    """For each document, by id, a word that no other one has."""
    rng = random.Random(5)
    return {
        f"{source}{n}": "".join(rng.choices(letters, k=7))
        for source, letters in LETTERS.items()
        for n in range(24)
    }


@pytest.fixture
def folder(tmp_path, base_tokenizer, canaries):
    rng = random.Random(6)
    texts = {name: f"{document(rng, 4)} {' '.join([word] * 25)}" for name, word in canaries.items()}
    for source in ("web", "law"):
        rows = [{"id": n, "text": t} for n, t in texts.items() if n.startswith(source)]
        write(tmp_path / f"{source}.jsonl", rows)
    talks = [
        {"id": n, "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": t}]}
        for n, t in texts.items()
        if n.startswith("chats")
    ]
    write(tmp_path / "chats.jsonl", talks)
    shutil.copytree(base_tokenizer, tmp_path / "base")
    return tmp_path


def run(coupage, folder, tokenizer=EXTEND, weights=WEIGHTS, groups="", **options):
    text = RECIPE.format(tokenizer=tokenizer, weights=weights, groups=groups)
    (folder / "domain.yaml").write_text(text)
    return coupage("run", folder / "domain.yaml", "--workdir", folder / "run", **options)


def new_tokens(folder):
    """What the tokenizer of the run has more than its base, as text."""
    (stage,) = (folder / "run/stages").glob("vocabulary-*")
    tokens = orjson.loads((stage / "changes.json").read_bytes())["tokens"]
    tokenizer = Tokenizer.from_file(str(folder / "run/tokenizer/tokenizer.json"))
    return [tokenizer.decode([token["id"]]).strip() for token in tokens]


def held_out(folder):
    (select,) = (folder / "run/stages").glob("select-*")
    tables = [pq.read_table(path, columns=["doc_id", "held_out"]) for path in select.rglob("*.parquet")]
    rows = [row for table in tables for row in table.to_pylist()]
    return {row["doc_id"].split("/")[-1]: row["held_out"] for row in rows}


def test_held_out_text_never_reaches_the_tokenizer(coupage, folder, canaries):
    run(coupage, folder)
    tokens = [token for token in new_tokens(folder) if len(token) > 4]
    known = {name: any(token in canaries[name] for token in tokens) for name in canaries}
    aside = held_out(folder)
    assert aside.keys() == canaries.keys()
    assert 3 < sum(aside.values()) < 60
    assert not any(known[name] for name, held in aside.items() if held)
    for source in ("web", "law", "chats"):  # what is learnt from is learnt, conversations too
        assert any(known[name] for name, held in aside.items() if name.startswith(source) and not held)


@pytest.mark.parametrize("rich, poor", [("web", "law"), ("law", "web")])
def test_groups_count_by_their_weights(coupage, folder, rich, poor):
    run(coupage, folder, "{base: base, extend: {tokens: 60}}", f"{{{rich}: 99, {poor}: 1}}")
    of = {
        source: sum(set(token) <= set(LETTERS[source]) for token in new_tokens(folder)) for source in LETTERS
    }
    assert of[rich] > 30 > 10 > of[poor]
    assert of["chats"] == 0


def test_a_document_in_no_group_is_not_learnt_from(coupage, folder, canaries):
    run(coupage, folder, weights="{only: 1}", groups="groups: {only: \"doc_id like '%1'\"}")
    tokens = [token for token in new_tokens(folder) if len(token) > 4]
    learnt = {name for name, word in canaries.items() if any(token in word for token in tokens)}
    assert learnt and all(name.endswith("1") for name in learnt)


def test_replaced_tokens_leave_the_number_of_ids_as_it_was(coupage, folder):
    replace = "{base: base, replace: {tokens: 20, scripts: [Latin], reference: [web]}}"
    run(coupage, folder, replace, "{law: 1}")
    base, changed = load_tokenizer(folder / "base"), load_tokenizer(folder / "run/tokenizer")
    assert set(changed.vocabulary.values()) == set(base.vocabulary.values())
    assert len(base.vocabulary.keys() - changed.vocabulary.keys()) == 20
    assert len(new_tokens(folder)) == 20
    assert coupage("verify", folder / "run")


def test_the_shards_are_encoded_with_it(coupage, folder):
    run(coupage, folder)
    import datasets

    base = load_tokenizer(folder / "base")
    ids = {i for row in datasets.load_from_disk(str(folder / "run/shards/stage1"))["input_ids"] for i in row}
    assert max(ids) > max(base.vocabulary.values())


def test_a_changed_template_learns_nothing_anew(coupage, folder):
    run(coupage, folder)
    (stage,) = (folder / "run/stages").glob("vocabulary-*")
    before = (stage / "changes.json").stat().st_mtime_ns
    (folder / "own.jinja").write_text("{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}")
    run(coupage, folder, "{base: base, extend: {tokens: 300}, chat_template: own.jinja}")
    assert (stage / "changes.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "tokenizer, groups, message",
    [
        ("{extend: {tokens: 9}}", "", "name it with `base`"),
        ("{base: base, extend: {}}", "", "how many `tokens`"),
        ("{base: base, replace: {tokens: 9, reference: [wbe]}}", "", "no source `wbe`"),
        (EXTEND, 'groups: {law: "tokens > 3"}', "asks for `tokens`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(coupage, folder, tokenizer, groups, message):
    done = run(coupage, folder, tokenizer, groups=groups, code=2)
    assert message in done.stderr
    assert not (folder / "run/stages").exists()


def test_a_small_source_is_read_whole(coupage, folder, canaries):
    """However unequal its parts are: those at the end are smaller."""
    (folder / "domain.yaml").write_text(
        RECIPE.format(tokenizer=EXTEND, weights=WEIGHTS, groups="") + "part_size: 8k\n"
    )
    coupage("run", folder / "domain.yaml", "--workdir", folder / "run", "--until", "vocabulary")
    (stage,) = (folder / "run/stages").glob("vocabulary-*")
    groups = orjson.loads((stage / "changes.json").read_bytes())["groups"]
    kept = [name for name, held in held_out(folder).items() if not held]
    assert len(list((folder / "run/stages").glob("ingest-web-*/*.parquet"))) == 2
    assert {group: of["documents"] for group, of in groups.items()} == {
        source: sum(name.startswith(source) for name in kept) for source in LETTERS
    }
