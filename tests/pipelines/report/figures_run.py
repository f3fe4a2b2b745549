"""A run whose every section has figures: two sources that overlap, licences, languages and addresses."""

import json
from pathlib import Path

from tests.pipelines.corpus import write_corpus

LICENCES = ("MIT", "Apache-2.0", None)
COPIES = 12
GERMAN = "Der Hund und die Katze gehen heute nicht in das Haus, weil es dort keine Milch gibt. "

RECIPE = """\
name: figures
seed: 3
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id, license: license, url: url}}}}
  law: {{reader: files, path: {corpus}/law.jsonl, fields: {{id: id, license: license, url: url}}}}
part_size: 60k
curate:
  rules:
    - use: [gopher_quality]
      sources: [web]
held_out: {{share: 3%, tokens_per_group: 2k}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1:
    tokens: 60k
    sequence_length: 256
    weights: {{web: 70, law: 30}}
  stage2:
    tokens: 60k
    sequence_length: 256
    weights: {{web: 20, law: 80}}
"""


def write_run(folder: Path, coupage, tokenizer: Path) -> Path:
    """The finished run."""
    write_corpus(folder, documents=200)
    web, law = (_records(folder / f"{name}.jsonl") for name in ("web", "law"))
    copies = [{"id": f"copy{n}", "text": web[7 * n]["text"]} for n in range(COPIES)]
    german = [{"id": f"de{n}", "text": GERMAN * (n + 3)} for n in range(COPIES)]
    for name, records in (("web", web), ("law", [*law, *copies, *german])):
        described = [
            record | {"license": LICENCES[n % len(LICENCES)], "url": f"https://www.host{n % 7}.example/{n}"}
            for n, record in enumerate(records)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in described))
    (folder / "recipe.yaml").write_text(RECIPE.format(corpus=folder, tokenizer=tokenizer))
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run")
    return folder / "run"


def _records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]
