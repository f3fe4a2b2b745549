"""What `coupage plan` says of synthesis before the run, and what it asks the model's server."""

import json
import math
import random
import re
import socket

import pytest

import coupage as public
from tests.pipelines.corpus import WORDS
from tests.pipelines.sources.model_server import ModelServer, Reply, lists, says

DOCUMENTS = 40
CHARACTERS = 600
PROMPT = 400
MODEL = "small"
RECIPE = """\
name: told
sources:
  law: {{reader: files, path: law.jsonl}}
  web: {{reader: files, path: web.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 10%}}
synthesize:
  endpoint: {{base_url: {url}, model: small, concurrency: 2, price: {{input: 2, output: 10}}}}
  prompts: prompts
  told:
    method: rephrase
    from: sources
    domains: [law]
    styles: [textbook, dialogue]
    passage_characters: 250
    checks: {{grounded_words: null, language: false, repetition: false}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 4000, sequence_length: 128, weights: {{law: 1, web: 1, told: 0.1}}}}
"""


def text_of(rng, characters):
    words = " ".join(rng.choice(WORDS) for _ in range(characters))
    return words[: characters - 1].rstrip() + "." * (characters - len(words[: characters - 1].rstrip()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Documents of the same length, and prompts of the same length, so that all can be told by hand."""
    folder = tmp_path_factory.mktemp("told")
    rng = random.Random(5)
    for name in ("law", "web"):
        rows = [{"id": str(i), "text": text_of(rng, CHARACTERS)} for i in range(DOCUMENTS)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts/rephrase").mkdir(parents=True)
    for style in ("textbook", "encyclopaedia", "dialogue"):
        user = f"As {style}: {{{{ passage }}}}"
        prompt = {"system": "x" * (PROMPT - len(user)), "user": user}
        (folder / f"prompts/rephrase/{style}.en.yaml").write_text(json.dumps(prompt))
    return folder


def answer(request):
    """New words about nothing: 50 tokens, as the server counts."""
    said = text_of(random.Random(json.dumps(request.body)), 200)
    reply = json.loads(says(said).body)
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    return Reply(body=json.dumps({**reply, "usage": usage}).encode())


@pytest.fixture
def server():
    with ModelServer(answer, models=lists("other", MODEL)) as server:
        yield server


def write(folder, server, name="recipe.yaml"):
    url = server if isinstance(server, str) else server.url
    (folder / name).write_text(RECIPE.format(url=url))
    return folder / name


def planned(recipe, run, *settings):
    return public.plan(recipe, workdir=run, settings=settings)


def told(recipe, run, *settings):
    (estimate,) = planned(recipe, run, *settings).estimate.synthesis
    return estimate


def passage_tokens(plan, passages):
    (law,) = (source for source in plan.estimate.sources if source.source == "law")
    return law.tokens * 0.9 / passages


def test_before_anything_ran_a_plan_rests_on_lengths(folder, server, tmp_path):
    recipe = write(folder, server)
    plan = planned(recipe, tmp_path / "run")
    (estimate,) = plan.estimate.synthesis
    passages = round(DOCUMENTS * 0.9) * math.ceil(CHARACTERS / 250)
    tokens = passage_tokens(plan, passages)
    assert (estimate.name, estimate.method, estimate.model) == ("told", "rephrase", MODEL)
    assert (estimate.passages, estimate.calls, estimate.answered) == (passages, 2 * passages, 0)
    assert estimate.input_tokens == pytest.approx(2 * passages * (PROMPT / 4 + tokens), rel=0.01)
    assert estimate.output_tokens == pytest.approx(2 * passages * tokens, rel=0.01)
    assert estimate.tokens == pytest.approx(0.7 * estimate.output_tokens, rel=0.01)
    assert estimate.money == pytest.approx((2 * estimate.input_tokens + 10 * estimate.output_tokens) / 1e6)
    assert estimate.seconds == pytest.approx(estimate.output_tokens / 1000, abs=0.1)
    assert (estimate.rests_on, estimate.speed_measured, estimate.wanted) == ("assumptions", False, None)
    assert server.requests == [] and not (tmp_path / "run").exists()


def test_a_budget_needs_as_many_passages_as_give_it_and_no_more_than_there_are(folder, server, tmp_path):
    recipe, run = write(folder, server), tmp_path / "run"
    whole = told(recipe, run)
    some = told(recipe, run, "synthesize.told.tokens=1000")
    assert some.passages == pytest.approx(1000 * whole.passages / whole.tokens, abs=1)
    assert 1000 <= some.tokens < 1000 + 2 * whole.tokens / whole.passages and not some.is_short
    much = told(recipe, run, "synthesize.told.tokens=1M")
    assert (much.passages, much.tokens, much.is_short) == (whole.passages, whole.tokens, True)


def test_of_stage1_at_most_what_it_takes_is_asked_about(folder, server, tmp_path):
    recipe, run = write(folder, server), tmp_path / "run"
    settings = ["synthesize.told.from=stage1", "mixtures.stage1.weights={law: 1, web: 3}"]
    settings += ["mixtures.stage2={tokens: 300, sequence_length: 128, weights: {told: 1}}"]
    plan = planned(recipe, run, *settings)
    (estimate,) = plan.estimate.synthesis
    (law,) = (source for source in plan.estimate.sources if source.source == "law")
    share = 1000 / (law.tokens * 0.9)
    assert share < 0.5
    assert estimate.passages == pytest.approx(told(recipe, run).passages * share, abs=1)


def test_groups_by_predicates_are_unknown_until_they_are_drawn(folder, server, tmp_path, coupage):
    recipe, run = write(folder, server), tmp_path / "run"
    settings = ["synthesize.told.domains=[]", "synthesize.told.weights={long: 1}"]
    settings += ["synthesize.told.groups={long: \"domain = 'law'\"}"]
    before = told(recipe, run, *settings)
    assert (before.passages, before.calls, before.seconds, before.money) == (None, None, None, None)
    arguments = [part for setting in settings for part in ("--set", setting)]
    assert "unknown number of calls" in coupage("plan", recipe, "--workdir", run, *arguments).stdout
    public.run(recipe, workdir=run, settings=settings, until="asked_documents", workers=1)
    assert told(recipe, run, *settings).passages > 0
    wanted = told(recipe, tmp_path / "other", *settings, "synthesize.told.tokens=1000")
    assert wanted.passages and not wanted.is_short


def test_after_a_trial_a_plan_uses_its_figures_and_after_the_run_nothing_is_left(
    folder, server, tmp_path, coupage
):
    recipe, run = write(folder, server), tmp_path / "run"
    coupage("synthesize", recipe, "--workdir", run, "--sample", 3)
    tried = told(recipe, run)
    asked = len(server.requests)
    assert (asked, tried.answered, tried.rests_on) == (6, 6, "a trial")
    assert tried.calls == 2 * tried.passages - 6
    assert (tried.input_tokens, tried.output_tokens) == (100 * tried.calls, 50 * tried.calls)
    assert tried.speed_measured and tried.tokens_a_second > 0
    assert tried.seconds == pytest.approx(tried.output_tokens / tried.tokens_a_second, rel=0.01, abs=0.1)
    coupage("run", recipe, "--workdir", run)
    assert len(server.requests) == 2 * tried.passages
    done = planned(recipe, run)
    assert done.estimate.synthesis == []
    assert "Synthesis" not in coupage("plan", recipe, "--workdir", run).stdout

    filtered = told(recipe, run, "synthesize.told.checks.max_words=10")
    assert (filtered.calls, filtered.money, filtered.rests_on) == (0, 0, "an earlier run")
    assert filtered.answered == 2 * filtered.passages
    warmer = told(recipe, run, "synthesize.told.sampling={temperature: 1}")
    assert (warmer.calls, warmer.answered) == (2 * warmer.passages, 0)
    assert (warmer.input_tokens, warmer.output_tokens) == (100 * warmer.calls, 50 * warmer.calls)
    looked = server.looked
    coupage("run", recipe, "--workdir", run)
    assert server.looked == looked


def test_the_plan_says_it_in_a_line_and_in_json(folder, server, tmp_path, coupage):
    recipe = write(folder, server)
    shown = coupage("plan", recipe, "--workdir", tmp_path, "--set", "synthesize.told.tokens=1M").stdout
    assert re.search(
        r"Synthesis told: about 216 calls to small, [\d.,k]+ tokens in, [\d.,k]+ out, \d+ s at 1,000 output "
        r"tokens/s \(not measured here\), 0\.\d\d by your prices; by assumptions\n",
        shown,
    )
    assert re.search(r"the 108 passages that there are give about [\d.,k]+ of the 1,?000.0k tokens", shown)
    found = json.loads(coupage("plan", recipe, "--workdir", tmp_path, "--json").stdout)
    (estimate,) = found["synthesis"]
    assert estimate["calls"] == 216 and estimate["speed_measured"] is False


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_told_before_the_run(folder, server, tmp_path, monkeypatch, status):
    monkeypatch.setenv("KEY_OF_TEST", "secret-key")
    server.models = Reply(status)
    recipe = write(folder, server)
    with pytest.raises(public.UserError) as caught:
        planned(recipe, tmp_path, "synthesize.endpoint.key=KEY_OF_TEST")
    assert caught.value.place == "synthesize.endpoint"
    assert "does not take the key" in str(caught.value) and "secret-key" not in str(caught.value)


def test_a_model_that_the_server_does_not_have_is_told_before_the_run(folder, server, tmp_path):
    recipe = write(folder, server)
    server.models = lists("other", "small-2")
    with pytest.raises(public.UserError) as caught:
        public.run(recipe, workdir=tmp_path, workers=1)
    assert caught.value.place == "synthesize.endpoint"
    assert "`small`" in str(caught.value) and "other, small-2" in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "models",
    [
        Reply(404),
        Reply(405),
        Reply(501),
        Reply(200, b"<html>hello</html>"),
        Reply(200, b"[1, 2]"),
        lists(),
        lists("other", "small:latest"),
        lists("models/small"),
        lists("openai/*"),
        Reply(200, b'{"data": [{"id": "other"}], "has_more": true}'),
    ],
)
def test_a_server_that_does_not_say_otherwise_is_in_order(folder, server, tmp_path, models):
    recipe = write(folder, server)
    server.models = models
    assert planned(recipe, tmp_path).unreachable == [] and server.looked == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_not_looked_at(folder, server, tmp_path, status):
    recipe = write(folder, server)
    server.models = Reply(status)
    (told,) = planned(recipe, tmp_path).unreachable
    assert "synthesize.endpoint" in told and str(status) in told


def test_a_server_that_is_down_is_a_note_of_plan_and_a_warning_of_run(folder, tmp_path, coupage):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        recipe = write(folder, f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "down.yaml")
        shown = coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
        assert "not looked at: synthesize.endpoint: http://127.0.0.1" in shown and "216 calls" in shown
        done = coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
        assert "warning: not looked at: synthesize.endpoint: http://127.0.0.1" in done.stderr


def test_a_program_that_is_not_installed_is_a_note_where_tasks_run_here(folder, tmp_path):
    recipe = write(folder, "http://127.0.0.1:1/v1", "served.yaml")
    served = "synthesize.serve={model: some/model, command: no-such-vllm}"
    plan = planned(recipe, tmp_path, "synthesize.endpoint=null", served)
    (told,) = plan.unreachable
    assert "synthesize.serve.command" in told and "no-such-vllm" in told
    (estimate,) = plan.estimate.synthesis
    assert estimate.model == "some/model" and estimate.money is None
