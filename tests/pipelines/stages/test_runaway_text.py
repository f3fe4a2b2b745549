"""A text on which the tokenizer's library breaks down costs that text, not the run."""

import json

from tokenizers import Regex, Tokenizer, pre_tokenizers

from tests.pipelines.corpus import write_corpus, write_recipe


def test_a_text_that_no_tokenizer_can_take_is_dropped_and_counted(tmp_path, coupage, base_tokenizer):
    corpus = write_corpus(tmp_path / "corpus", documents=60)
    runaway = {"id": "runaway", "text": "a" * 40 + "!"}
    with (corpus / "law.jsonl").open("a") as file:
        file.write(json.dumps(runaway) + "\n")
    tokenizer = Tokenizer.from_file(str(base_tokenizer / "tokenizer.json"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex("(a+)+$"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_bytes((base_tokenizer / "tokenizer_config.json").read_bytes())
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus, f"base: {folder}")
    coupage(
        "run",
        recipe,
        "--workdir",
        tmp_path / "run",
        "--set",
        "mixtures.stage1.on_shortage=repeat",
        "--set",
        "mixtures.stage2.on_shortage=repeat",
        "--workers",
        2,
    )
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    (counts,) = [stage["counts"] for stage in report["stages"] if stage["stage"] == "tokenize law"]
    flow = counts["flows"]["documents"]
    assert flow["entered"] == flow["left"] + 1
    assert [row["what"] for row in flow["dropped"]] == ["refused"]
