"""The command line. Exit 0: done; 1: the work failed; 2: the input or the recipe is wrong."""

from __future__ import annotations

import io
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Never

import typer

app = typer.Typer(
    name="coupage",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
recipe_app = typer.Typer(help="List, show, make and check recipes.", no_args_is_help=True)
app.add_typer(recipe_app, name="recipe")
tokenizer_app = typer.Typer(help="Measure, train and change tokenizers.", no_args_is_help=True)
app.add_typer(tokenizer_app, name="tokenizer")
embeddings_app = typer.Typer(help="Check and carry over the embeddings of tokens.", no_args_is_help=True)
app.add_typer(embeddings_app, name="embeddings")
shards_app = typer.Typer(help="Look into shards, export them to other trainers.", no_args_is_help=True)
app.add_typer(shards_app, name="shards")

INTERRUPTED = 130
GO_ON = (
    *("run", "synthesize", "ablate", "search", "outcome"),
    *("annotate", "dedup", "decontaminate", "publish"),
)
"""The commands that keep what they have done when they are interrupted."""
DISK_HINT = "Mend the cause and give the same command again."


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        from pipelines.plain import say

        say(f"coupage {version('coupage')}")
        raise typer.Exit


@app.callback()
def coupage(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Turns raw text into the exact blend a language model is trained on, and trains it."""


def _local(path: Path | None) -> Path | None:
    from pipelines.commands.local import local_folder

    return local_folder(path)


RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped recipe.")]
RunFolder = Annotated[
    Path, typer.Argument(help="The folder of a run, e.g. runs/quickstart.", callback=_local)
]
WorkDir = Annotated[
    Path | None, typer.Option(help="The run's folder; runs/<recipe name> by default.", callback=_local)
]
ShardsFolder = Annotated[
    str, typer.Argument(help="A folder of shards, here or published: s3://bucket/folder/shards/stage1.")
]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and the result alone.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print what happens as JSON lines; the last is the result.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES...",
        help="Files with a column `text`, optionally `id`, or conversations: .parquet, .jsonl, .jsonl.gz, "
        ".jsonl.zst.",
    ),
]
Messages = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD|FORMAT",
        help="Read conversations: the field that holds one, or alpaca, sharegpt, openai, question_answer, "
        "prompt_completion, preference.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The folder to write.", callback=_local)]
Executor = Annotated[str, typer.Option(help="Where to run: local, slurm or ray.")]
Tasks = Annotated[
    int | None,
    typer.Option(min=1, help="Tasks at a time; local: by default one a core; slurm, ray: no limit."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")]


@app.command()
def run(
    recipe: RecipeName,
    workdir: WorkDir = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage, e.g. select.")] = None,
    executor: Executor = "local",
    workers: Tasks = None,
    set_: Settings = [],  # noqa: B006
    quiet: Quiet = False,
    json: JsonLines = False,
) -> None:
    """Build what RECIPE describes: parts, verdicts, tokenizer, shards and a report.

    Goes on where it stopped.
    """
    from pipelines.commands.run import run_recipe

    run_recipe(recipe, workdir, until, executor, workers, set_, quiet, json)


@app.command()
def plan(
    recipe: RecipeName,
    workdir: WorkDir = None,
    executor: Annotated[
        str | None, typer.Option(help="Print, instead, what slurm or ray would be given for each stage.")
    ] = None,
    set_: Settings = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Show what would run, what is cached and why. Changes nothing."""
    from pipelines.commands.plan import show_plan, show_submissions

    if executor is not None:
        show_submissions(recipe, workdir, executor, set_)
    else:
        show_plan(recipe, workdir, set_, json)


@app.command()
def synthesize(
    recipe: RecipeName,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Try so many passages, and show what came back beside them.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="The entry to try; all by default.")] = None,
    workdir: WorkDir = None,
    set_: Settings = [],  # noqa: B006
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make the new documents of RECIPE; with --sample, tune its prompts on a few passages first."""
    from pipelines.commands.synthesize import synthesize_recipe

    synthesize_recipe(recipe, only, sample, workdir, set_, json, quiet)


@app.command()
def report(run: RunFolder, json: Json = False) -> None:
    """Write the report of a run, as far as it has come, and say where it is."""
    from pipelines.commands.report import show_report

    show_report(run, json)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(help="The folder of a finished run.", callback=_local)],
    run_b: Annotated[Path, typer.Argument(help="The folder of another one.", callback=_local)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A page to write: compare.html.", callback=_local)
    ] = None,
    json: Json = False,
) -> None:
    """Show what differs between two runs: recipe, inputs, code, and what that changed."""
    from pipelines.commands.compare import compare_runs

    compare_runs(run_a, run_b, output, json)


@app.command()
def inspect(
    run: RunFolder,
    benchmark: Annotated[
        str | None,
        typer.Argument(help="With --contaminated: only documents that have an item of this benchmark."),
    ] = None,
    contaminated: Annotated[
        bool, typer.Option("--contaminated", help="Documents with items of benchmarks, beside the items.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(help="With --contaminated: only what is answer, question, passage or template."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Only documents dropped for this reason, or its beginning: gopher, near."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only documents of this source.")] = None,
    group: Annotated[str | None, typer.Option(help="Only documents of this group.")] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Only documents to train on.")] = False,
    held_out: Annotated[bool, typer.Option("--held-out", help="Only held-out documents.")] = False,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only documents with this in their text.")
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(metavar="SEED", min=0, help="A random sample in the place of the first documents."),
    ] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 10,
    signals: Annotated[
        bool, typer.Option("--signals", help="All signals, not only those that rules judged.")
    ] = False,
    json: Json = False,
) -> None:
    """Show documents with their signals and verdict, as soon as they are judged."""
    from pipelines.commands.inspect import check_wishes, inspect_documents, inspect_matches

    others = {"--reason": reason, "--group": group, "--search": search, "--random": random}
    check_wishes(contaminated, benchmark, kind, {**others, "--held-out": held_out, "--signals": signals})
    if contaminated:
        wanted = {"benchmark": benchmark, "kind": kind, "source": source, "kept": kept, "number": number}
        inspect_matches(run, json, **wanted)
        return
    inspect_documents(
        run,
        signals,
        json,
        reason=reason,
        source=source,
        group=group,
        kept=kept,
        held_out=held_out,
        search=search,
        random=random,
        number=number,
    )


@app.command()
def serve(
    run: RunFolder,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The port; by default 8765 or the next free one; 0: any free one."
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser, or do not.")] = False,
) -> None:
    """Show the documents of a run in a browser on this machine, as soon as they are judged, until Ctrl-C."""
    from pipelines.commands.serve import serve_run

    serve_run(run, port, open_)


@app.command()
def judge(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or of `coupage decontaminate`.")],
    doc_id: Annotated[str, typer.Argument(help="The document with the match.")],
    benchmark: Annotated[str, typer.Argument(help="The benchmark by its name there.")],
    item_id: Annotated[str, typer.Argument(help="The item.")],
    judgement: Annotated[
        str, typer.Argument(metavar="true|false", help="Whether the document has the item.")
    ],
    why: Annotated[str, typer.Option(help="The reason.")],
    all_documents: Annotated[
        bool, typer.Option("--all-documents", help="The same for every document with something of the item.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="The file of judgements; by default the recipe's `decontaminate.allow`."),
    ] = None,
) -> None:
    """Say whether a match with a benchmark is one: the next run allows what is judged false."""
    from pipelines.commands.judge import judge_match

    judge_match(run, doc_id, benchmark, item_id, judgement, why, all_documents, file)


@app.command()
def verify(
    run: Annotated[
        str, typer.Argument(help="The folder of a run, or where one was published: s3://bucket/folder.")
    ],
    json: Json = False,
) -> None:
    """Check every hash, count and conservation sum of a run."""
    from pipelines.commands.verify import verify_run

    verify_run(run, json)


@app.command()
def publish(
    run: RunFolder,
    url: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where to, e.g. s3://bucket/folder.")],
) -> None:
    """Send the shards, the tokenizer and the report of a finished run to an object store.

    Goes on where it stopped; what is there already is not sent again.
    """
    from pipelines.commands.upload import show_published

    show_published(run, url)


@app.command()
def clean(
    run: RunFolder,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    json: Json = False,
) -> None:
    """List and remove the stages of earlier settings, which no run of the folder uses any more."""
    from pipelines.commands.clean import clean_run

    clean_run(run, dry_run, json)


@app.command("train")
def train_(
    run_or_shards: Annotated[
        str,
        typer.Argument(
            help="The folder of a run, a folder of shards, or where one was published: s3://bucket/folder."
        ),
    ],
    stage: Annotated[str, typer.Option(help="The name of a mixture.")] = "stage1",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    set_: Settings = [],  # noqa: B006
    json: JsonLines = False,
) -> None:
    """Train on the shards of a stage."""
    from pipelines.commands.train import train, train_with_events

    run = train_with_events if json else train
    run(run_or_shards, stage=stage, resume=resume, settings=set_)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A model's folder or hub id; alone: the folder of a run.")],
    shards: Annotated[Path | None, typer.Argument(help="A folder of held-out shards.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Another model to score beside it; of a run: what it started from.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Tasks of lm-evaluation-harness.")
    ] = None,
    num_fewshot: Annotated[
        int | None, typer.Option(help="Examples before each question; by default what the task says.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many questions of each task.")] = None,
    include: Annotated[list[str], typer.Option(metavar="FOLDER", help="Task files (YAML) of your own.")] = [],  # noqa: B006
    language_swap: Annotated[
        bool, typer.Option("--language-swap", help="How often it goes on in another language.")
    ] = False,
    prompts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Prompts for that; by default held-out beginnings.")
    ] = None,
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="Whether it finds facts hidden in long texts.")
    ] = False,
    matches: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="matches.parquet: also score without the questions found in training data."
        ),
    ] = [],  # noqa: B006
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="E.g. evaluate.retrieval.lengths=[2048,4096]."),
    ] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Score a model beside its base: bits per byte, benchmarks, language, facts in long texts.

    Given a run alone, score the model it trained on the documents it held out, and ask it what the recipe's
    `evaluate` asks.
    """
    from pipelines.commands.evaluate import Options, show_scores

    options = Options(tasks, num_fewshot, limit, include, language_swap, prompts, retrieval, set_, matches)
    show_scores(model, shards, base, options, json)


@app.command()
def ablate(
    recipe: RecipeName,
    sources: Annotated[bool, typer.Option("--sources", help="Try each source.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Try each preset, limit and filter.")] = False,
    edits: Annotated[bool, typer.Option("--edits", help="Try each text edit.")] = False,
    only: Annotated[list[str], typer.Option(metavar="NAME", help="Try only these of them.")] = [],  # noqa: B006
    add_one: Annotated[
        bool, typer.Option("--add-one", help="Add each to a run without any, in place of leaving it out.")
    ] = False,
    workdir: WorkDir = None,
    executor: Executor = "local",
    workers: Tasks = None,
    set_: Settings = [],  # noqa: B006
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train shortly with and without each source, rule or edit, and say what it does.

    Goes on where it stopped.
    """
    from pipelines.commands.ablate import ablate_recipe, chosen_kind

    kind = chosen_kind(sources=sources, rules=rules, edits=edits)
    ablate_recipe(recipe, kind, only, add_one, workdir, executor, workers, set_, quiet, json)


@app.command()
def search(
    recipe: RecipeName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The recipe to write, with the weights filled in.")
    ] = None,
    workdir: WorkDir = None,
    executor: Executor = "local",
    workers: Tasks = None,
    set_: Settings = [],  # noqa: B006
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the best weights of the mixture by short trainings: probes, laws, and the best ones confirmed.

    Goes on where it stopped.
    """
    from pipelines.commands.search import search_recipe

    search_recipe(recipe, output, workdir, executor, workers, set_, quiet, json)


@app.command()
def outcome(
    run: RunFolder,
    also: Annotated[
        list[str],
        typer.Option(metavar="LABEL=MODEL", help="Another model to hold beside; may be repeated."),
    ] = [],  # noqa: B006
    base: Annotated[
        str | None,
        typer.Option(help="What all are compared with; by default what training started from."),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(help="Train and ask models side by side: local, slurm or ray. By default one by one."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Models at a time; local: by default one a core.")
    ] = None,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of `outcome`, `evaluate` or `executor`."
        ),
    ] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Say whether training did what it was to do, beside the base, a prompt, retrieval and merged models.

    Goes on where it stopped.
    """
    from pipelines.commands.outcome import show_outcome

    show_outcome(run, also, base, executor, workers, set_, json)


@app.command("compile")
def compile_(workers: Workers = None) -> None:
    """Compile all kernels, once after installation. Without it the first run does it as it goes."""
    from pipelines.commands.compile import compile_kernels

    compile_kernels(workers)


@app.command()
def annotate(
    files: Files,
    output: Output,
    rules: Annotated[
        list[str], typer.Option(metavar="PRESET", help="Judge by this preset, e.g. gopher_quality.")
    ] = [],  # noqa: B006
    signals: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Compute this signal and its family, `language`, or `all`; by default what the rules need, "
            "and without rules all.",
        ),
    ] = [],  # noqa: B006
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A threshold or an option, e.g. gopher_quality.min_words=20.",
        ),
    ] = [],  # noqa: B006
    edit: Annotated[
        list[str], typer.Option(metavar="NAME", help="Edit the texts first, e.g. fix_encoding.")
    ] = [],  # noqa: B006
    messages: Messages = None,
    workers: Workers = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compute the quality signals of documents, and judge them by rules: signals.parquet."""
    from pipelines.commands.annotate import annotate_files

    annotate_files(files, output, rules, signals, edit, set_, messages, workers, json, quiet)


@app.command()
def dedup(
    files: Files,
    output: Output,
    ngram: Annotated[int | None, typer.Option(help="Words in a shingle; 5 by default.")] = None,
    bands: Annotated[int | None, typer.Option(help="Bands of the signature; 14 by default.")] = None,
    rows: Annotated[int | None, typer.Option(help="Hash values in a band; 8 by default.")] = None,
    verify: Annotated[
        float | None, typer.Option(help="Smallest true similarity of a duplicate; 0.8 by default.")
    ] = None,
    exact_only: Annotated[bool, typer.Option("--exact-only", help="Leave near duplicates alone.")] = False,
    against: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="A file that is only compared with: its documents always win."),
    ] = [],  # noqa: B006
    messages: Messages = None,
    workers: Workers = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find exact and near duplicates: duplicates.parquet, and the other documents in kept/.

    Of several the longest is kept, of equally long ones the first.
    """
    from pipelines.commands.dedup import dedup_files

    shape = {"ngram": ngram, "bands": bands, "rows": rows, "verify": verify}
    dedup_files(files, against, output, shape, exact_only, messages, workers, json, quiet)


@app.command()
def decontaminate(
    files: Files,
    output: Output,
    against: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE", help="A benchmark, or the name of a task of lm-evaluation-harness."
        ),
    ],
    settings: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="KEY=VALUE", help="As action.question=drop, or exam.question=q (a field)."
        ),
    ] = [],  # noqa: B006
    allow: Annotated[
        str | None, typer.Option(metavar="FILE", help="Judgements: matches that are none, with reasons.")
    ] = None,
    messages: Messages = None,
    workers: Workers = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find items of benchmarks in documents: matches.parquet, and the documents without them in kept/.

    A question with its answer drops a document; a question or a passage alone is flagged.
    """
    from pipelines.commands.decontaminate import decontaminate_files

    decontaminate_files(files, against, settings, allow, output, messages, workers, json, quiet)


@tokenizer_app.command("report")
def tokenizer_report(
    tokenizer: Annotated[str, typer.Argument(help="A tokenizer.json, a model folder or a hub id.")],
    files: Files,
    beside: Annotated[
        list[str], typer.Option(metavar="TOKENIZER", help="Measure this one, too; may be repeated.")
    ] = [],  # noqa: B006
    train_text: Annotated[str, typer.Option(help="Text to train on, to count its tokens.")] = "1GB",
    train_price: Annotated[float | None, typer.Option(min=0, help="Of a million trained tokens.")] = None,
    serve_text: Annotated[str, typer.Option(help="Text that the model will read and write.")] = "1GB",
    serve_price: Annotated[float | None, typer.Option(min=0, help="Of a million served tokens.")] = None,
    hidden_size: Annotated[int, typer.Option(min=1, help="The model's, for the size of new rows.")] = 2048,
    trial: Annotated[
        bool, typer.Option(help="Learn new tokens on half of the sample, to recommend what to do.")
    ] = True,
    messages: Messages = None,
    json: Json = False,
) -> None:
    """Measure how well tokenizers fit documents, and recommend whether to extend the first one."""
    from pipelines.commands.tokenizer_report import show_report

    show_report(
        [tokenizer, *beside],
        files,
        train=(train_text, train_price),
        serve=(serve_text, serve_price),
        hidden_size=hidden_size,
        trial=trial,
        messages=messages,
        json=json,
    )


@tokenizer_app.command("train")
def tokenizer_train(
    files: Files,
    output: Output,
    vocabulary_size: Annotated[int | None, typer.Option(help="Tokens in all; 32768 by default.")] = None,
    messages: Messages = None,
) -> None:
    """Train a byte-level BPE tokenizer on documents."""
    from pipelines.commands.tokenizer import train

    train(files, output, vocabulary_size, messages)


@tokenizer_app.command("extend")
def tokenizer_extend(
    base: Annotated[str, typer.Argument(help="A tokenizer.json, a model folder or a hub id.")],
    files: Files,
    output: Output,
    tokens: Annotated[int | None, typer.Option(help="Tokens to add at most.")] = None,
    min_gain: Annotated[
        float | None,
        typer.Option(help="Stop where the next token would save less than this share of all tokens."),
    ] = None,
    messages: Messages = None,
) -> None:
    """Add the tokens that shorten documents most; everything else is cut as before."""
    from pipelines.commands.tokenizer import extend

    extend(base, files, output, tokens, min_gain, messages)


@tokenizer_app.command("replace")
def tokenizer_replace(
    base: Annotated[str, typer.Argument(help="A tokenizer.json, a model folder or a hub id.")],
    files: Files,
    output: Output,
    tokens: Annotated[int, typer.Option(help="Tokens to replace.")],
    reference: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="Text by which the use of old tokens is judged; may be repeated."),
    ],
    script: Annotated[
        list[str],
        typer.Option(help="A Unicode script that may go, such as Han; may be repeated."),
    ] = [],  # noqa: B006
    messages: Messages = None,
) -> None:
    """Put the tokens that shorten documents most in the place of ones that nobody needs."""
    from pipelines.commands.tokenizer import replace

    replace(base, files, reference, output, tokens, script, messages)


@embeddings_app.command("check")
def embeddings_check(
    model: Annotated[str, typer.Argument(help="The folder of a model, or a hub id.")],
    base: Annotated[
        str | None,
        typer.Option(help="The model before its vocabulary was changed: look at the new tokens alone."),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN_OR_SHARDS", help="With --base: held-out text on which both are scored as well."
        ),
    ] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts/--no-prompts", help="Ask the model to repeat tokens, or do not.")
    ] = True,
    json: Json = False,
) -> None:
    """Find tokens that a model was hardly trained on; with --base fail where a new token is one."""
    from pipelines.commands.embeddings import check

    check(model, base, shards, prompts, json)


@embeddings_app.command("carry")
def embeddings_carry(
    base: Annotated[str, typer.Argument(help="The model that both others were made from.")],
    adapted: Annotated[str, typer.Argument(help="The base with a changed tokenizer and its embeddings.")],
    sibling: Annotated[str, typer.Argument(help="The base, fine-tuned, such as the instruct model.")],
    output: Output,
    method: Annotated[str, typer.Option(help="swap, correction, conversion or residual.")] = "residual",
    json: Json = False,
) -> None:
    """Give a fine-tuned sibling the tokenizer and embeddings that its base was adapted by."""
    from pipelines.commands.embeddings import carry

    carry(base, adapted, sibling, output, method, json)


@shards_app.command("info")
def shards_info(folder: ShardsFolder, json: Json = False) -> None:
    """Show what shards hold: rows, tokens and groups."""
    from pipelines.commands.shards import show_shards

    show_shards(folder, json)


@shards_app.command("export")
def shards_export(
    folder: ShardsFolder,
    output: Output,
    format: Annotated[str, typer.Option(help="megatron, datatrove, mosaic or jsonl.")],
) -> None:
    """Write the rows, in training order, in the format of another trainer."""
    from pipelines.commands.shards import export

    export(folder, output, format)


@recipe_app.command("list")
def recipe_list(json: Json = False) -> None:
    """List the shipped recipes."""
    from pipelines.commands.recipe import list_recipes

    list_recipes(json)


@recipe_app.command("show")
def recipe_show(
    recipe: RecipeName, full: Annotated[bool, typer.Option("--full", help="With all defaults.")] = False
) -> None:
    """Print a recipe."""
    from pipelines.commands.recipe import show_recipe

    show_recipe(recipe, full)


@recipe_app.command("new")
def recipe_new(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    like: Annotated[str, typer.Option(help="The shipped recipe to start from.")] = "quickstart",
) -> None:
    """Write a recipe of your own, beginning with a shipped one."""
    from pipelines.commands.recipe import new_recipe

    new_recipe(file, like)


@recipe_app.command("validate")
def recipe_validate(recipe: RecipeName, set_: Settings = [], json: Json = False) -> None:  # noqa: B006
    """Check a recipe; says the file, line and key of every mistake."""
    from pipelines.commands.recipe import validate_recipe_file

    validate_recipe_file(recipe, set_, json)


@recipe_app.command("sources")
def recipe_sources(
    name: Annotated[str | None, typer.Argument(help="One of them, to say more of it.")] = None,
    json: Json = False,
) -> None:
    """List the named sources that a recipe can use."""
    from pipelines.commands.recipe import list_sources, show_source

    if name is None:
        list_sources(json)
    else:
        show_source(name, json)


@recipe_app.command("prompts")
def recipe_prompts(folder: Annotated[Path, typer.Argument(help="The folder to write.")]) -> None:
    """Copy the prompts that models are asked with, to be edited and named as `synthesize.prompts`."""
    from pipelines.commands.recipe import copy_prompts

    copy_prompts(folder)


@recipe_app.command("schema")
def recipe_schema_() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from pipelines.commands.recipe import print_schema

    print_schema()


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and exit."""
    from pipelines.errors import CoupageError
    from pipelines.plain import complain

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it
    try:
        # Commands return nothing; typer returns the exit code of a command that was interrupted.
        code = app(arguments, standalone_mode=False) or 0
    except CoupageError as error:
        complain(f"error: {error}")
        code = error.exit_code
    except BrokenPipeError:  # who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        complain(f"error: {_place_of(error)}{error.strerror or error}\n  hint: {DISK_HINT}")
        code = 1
    except Exception as error:
        if not (hasattr(error, "show") and hasattr(error, "exit_code")):
            complain(f"{traceback.format_exc()}This is a defect; please report it.")
            sys.exit(1)
        code = _show_usage_error(error)
    if code == INTERRUPTED:
        complain(_after_interrupt(sys.argv[1:] if arguments is None else arguments))
    sys.exit(code)


def _place_of(error: OSError) -> str:
    return f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""


def _show_usage_error(error: Any) -> int:
    """Show what is wrong with the command line as typer does."""
    from mixers.printable import printable

    error.message = printable(getattr(error, "message", ""))
    error.show()
    return int(error.exit_code)


def _after_interrupt(arguments: list[str]) -> str:
    """What to do after Ctrl-C, where not all work has to be done again."""
    command = arguments[0]
    if command in GO_ON:
        return "interrupted; the same command goes on from here"
    if command == "train":
        again = arguments if "--resume" in arguments else [*arguments, "--resume"]
        return f"interrupted; from the last checkpoint on: coupage {shlex.join(again)}"
    return "interrupted"
