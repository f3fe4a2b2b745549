"""The named sources: a new one is an entry here. What is said of each is its card's word, not ours."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pipelines.sources.presets import languages
from pipelines.sources.presets.preset import Preset

ODC_BY, CC_BY_SA, APACHE = "ODC-By-1.0", "CC-BY-SA-3.0", "Apache-2.0"
PUBLIC_DOMAIN = "LicenseRef-public-domain"
PERMISSIVE = "LicenseRef-permissive"
MIXED = "LicenseRef-mixed"

_WEB = {
    "edit": [{"use": ["fix_encoding", "mask_pii"]}],
    "rules": [{"use": ["gopher_quality", "gopher_repetition", "fineweb"]}],
}
_CODE = {
    "edit": [
        {"use": ["mask_pii"], "options": {"mask_pii.kinds": ["emails", "ips", "api_keys", "private_keys"]}}
    ]
}
_PAPERS = {
    "rules": [{"use": ["gopher_quality"], "thresholds": {"gopher_quality.min_alpha_words": 0.7}}],
}
_BOOKS = {"rules": [{"use": ["gopher_repetition"]}]}
_ARTICLES = {
    "rules": [
        {"use": ["gopher_quality", "gopher_repetition"], "thresholds": {"gopher_quality.min_words": 30}},
    ]
}
_STACK_TERMS = (
    "the terms of use of The Stack: the licences of its repositories bind you, and you update your copy when "
    "authors have asked to be removed"
)
_SOFTWARE_HERITAGE_TERMS = (
    "the terms of use of The Stack v2, and Software Heritage's principles for language models; fetching in "
    "bulk needs an agreement with Software Heritage and Inria (datasets@softwareheritage.org)"
)


def _common_pile(part: str, about: str, domain: str, license: str, curate: Mapping[str, Any]) -> Preset:
    """A part of the Common Pile v0.1, filtered: openly licensed texts, most with a licence each."""
    return Preset(
        about=about,
        dataset=f"common-pile/{part}_filtered",
        license=license,
        domain=domain,
        language="en",
        options={"fields": {"license": "metadata.license"}},
        curate=curate,
    )


def _fineweb(about: str, dataset: str, subset: str | None = None) -> Preset:
    return Preset(
        about=about,
        dataset=f"HuggingFaceFW/{dataset}",
        license=ODC_BY,
        domain="common_crawl",
        language="en",
        options={"subset": subset},
        curate=_WEB,
    )


def _c4(about: str, subset: str, domain: str = "common_crawl") -> Preset:
    return Preset(
        about=about,
        dataset="allenai/c4",
        license=ODC_BY,
        domain=domain,
        language="en",
        options={"subset": subset},
        curate=_WEB,
    )


def _stack(about: str, dataset: str) -> Preset:
    return Preset(
        about=about,
        dataset=f"bigcode/{dataset}",
        license=PERMISSIVE,
        domain="code",
        languages=languages.THE_STACK,
        chosen_by="data_dir",
        options={"fields": {"text": "content", "id": "hexsha", "license": "max_stars_repo_licenses"}},
        gated=_STACK_TERMS,
        curate=_CODE,
    )


def _stack_v2(about: str, dataset: str) -> Preset:
    return Preset(
        about=about,
        dataset=f"bigcode/{dataset}",
        license=PERMISSIVE,
        domain="code",
        languages=languages.THE_STACK_V2,
        options={
            "fields": {"text": "content", "id": "blob_id", "license": "detected_licenses"},
            "where": {"license_type": "permissive", "is_vendor": False, "is_generated": False},
            "contents": "software_heritage",
        },
        gated=_SOFTWARE_HERITAGE_TERMS,
        curate=_CODE,
        unconfirmed="the names of its rarer languages",
    )


def _taiga(about: str, dataset: str, domain: str, split: str | None = None) -> Preset:
    return Preset(
        about=about,
        dataset=f"cointegrated/taiga_stripped_{dataset}",
        license=CC_BY_SA,
        domain=domain,
        language="ru",
        options={"split": split},
        curate={"rules": [{"use": ["gopher_repetition_ru"]}]},
    )


def _conversations(
    about: str, dataset: str, license: str, messages: Any, language: str | None = None, **options: Any
) -> Preset:
    return Preset(
        about=about,
        dataset=dataset,
        license=license,
        domain=options.pop("domain", "instruct"),
        language=language,
        unconfirmed=options.pop("unconfirmed", None),
        options={"messages": messages, **options},
    )


PRESETS: dict[str, Preset] = {
    # The web.
    "fineweb": _fineweb("Common Crawl in English, filtered: 15T tokens", "fineweb"),
    "fineweb_10bt": _fineweb("a sample of FineWeb, 10B tokens", "fineweb", "sample-10BT"),
    "fineweb_100bt": _fineweb("a sample of FineWeb, 100B tokens", "fineweb", "sample-100BT"),
    "fineweb_350bt": _fineweb("a sample of FineWeb, 350B tokens", "fineweb", "sample-350BT"),
    "fineweb_edu": _fineweb("FineWeb's pages that teach: 1.3T tokens", "fineweb-edu"),
    "fineweb_edu_10bt": _fineweb("a sample of FineWeb-Edu, 10B tokens", "fineweb-edu", "sample-10BT"),
    "fineweb_edu_100bt": _fineweb("a sample of FineWeb-Edu, 100B tokens", "fineweb-edu", "sample-100BT"),
    "fineweb_2": Preset(
        about="Common Crawl in 1,870 languages, filtered and deduplicated with thresholds of each",
        dataset="HuggingFaceFW/fineweb-2",
        license=ODC_BY,
        domain="common_crawl",
        languages=languages.FINEWEB_2,
        curate={"edit": _WEB["edit"]},
    ),
    "c4": _c4("Common Crawl of April 2019 in English, cleaned by the line", "en"),
    "c4_noblocklist": _c4("C4 with the pages that have unwanted words", "en.noblocklist"),
    "c4_noclean": _c4("C4 before it was cleaned", "en.noclean"),
    "c4_news": _c4("C4's pages of news sites", "realnewslike", "news"),
    "mc4": Preset(
        about="Common Crawl in 108 languages, as C4 has it; noisier than FineWeb-2",
        dataset="allenai/c4",
        license=ODC_BY,
        domain="common_crawl",
        languages=languages.C4,
        curate={
            "edit": [
                {"use": ["fix_encoding", "mask_pii"]},
                {"use": ["c4_lines"], "options": {"c4_lines.terminal_punctuation": False}},
            ]
        },
    ),
    "finepdfs": Preset(
        about="PDFs of Common Crawl: 3T tokens in more than 1,700 languages",
        dataset="HuggingFaceFW/finepdfs",
        license=ODC_BY,
        domain="documents",
        languages=languages.FINEPDFS,
        curate={"edit": _WEB["edit"]},
        unconfirmed="its rarer languages, taken to be those of FineWeb-2 and English",
    ),
    # Code.
    "the_stack": _stack("permissively licensed files of GitHub, v1.2", "the-stack"),
    "the_stack_dedup": _stack("The Stack v1.2, near-deduplicated", "the-stack-dedup"),
    "the_stack_v2": _stack_v2("ids of files of Software Heritage, 600 languages", "the-stack-v2"),
    "the_stack_v2_dedup": _stack_v2("The Stack v2, near-deduplicated", "the-stack-v2-dedup"),
    "the_stack_v3": Preset(
        about="GitHub in 2025, a row for each repository, contents inline, near-deduplicated",
        dataset="HuggingFaceCode/stack-v3-train",
        license=PERMISSIVE,
        domain="code",
        languages=languages.THE_STACK_V3,
        chosen_by="where.language",
        options={
            "records": "files",
            "fields": {"text": "content", "id": None, "license": "detected_licenses"},
            "where": {"license_type": "permissive", "is_vendor": False},
        },
        curate=_CODE,
        unconfirmed="its columns, which are those that programs reading it use, and whether it is gated; the "
        "collection itself is under ODC-By-1.0",
    ),
    "starcoder": Preset(
        about="what StarCoder was trained on: The Stack v1.2, filtered, 86 languages",
        dataset="bigcode/starcoderdata",
        license=PERMISSIVE,
        domain="code",
        languages=languages.STARCODER,
        chosen_by="data_dir",
        options={"fields": {"text": "content"}},
        gated=_STACK_TERMS,
        curate=_CODE,
    ),
    # Encyclopaedias, books, papers, law, news.
    "wikipedia": Preset(
        about="articles as plain text, dump of November 2023; another one by `subset`",
        dataset="wikimedia/wikipedia",
        license=CC_BY_SA,
        domain="wiki",
        languages=languages.wikipedia("20231101"),
        curate=_ARTICLES,
    ),
    "wikisource": Preset(
        about="books and documents that are free, dump of December 2023",
        dataset="wikimedia/wikisource",
        license=CC_BY_SA,
        domain="books",
        languages=languages.WIKISOURCE,
        curate=_BOOKS,
    ),
    "gutenberg": _common_pile(
        "project_gutenberg", "books in the public domain", "books", PUBLIC_DOMAIN, _BOOKS
    ),
    "pre_1929_books": _common_pile(
        "pre_1929_books", "books printed before 1929, read by machine", "books", PUBLIC_DOMAIN, _BOOKS
    ),
    "doab": _common_pile("doab", "academic books with open licences", "books", "CC-BY-4.0", _BOOKS),
    "pressbooks": _common_pile("pressbooks", "open textbooks", "books", "CC-BY-4.0", _BOOKS),
    "pes2o": _common_pile("peS2o", "papers under CC BY, CC BY-SA and CC0", "science", "CC-BY-4.0", _PAPERS),
    "pubmed": _common_pile(
        "pubmed", "papers of PubMed Central under CC BY, CC BY-SA and CC0", "medicine", "CC-BY-4.0", _PAPERS
    ),
    "arxiv_papers": _common_pile(
        "arxiv_papers", "papers of arXiv under open licences", "science", "CC-BY-4.0", _PAPERS
    ),
    "stack_exchange": _common_pile(
        "stackexchange",
        "questions with their answers, a thread a document",
        "stack_exchange",
        "CC-BY-SA-4.0",
        _CODE,
    ),
    "open_news": _common_pile(
        "news", "news sites that publish under CC BY and CC BY-SA", "news", "CC-BY-4.0", _ARTICLES
    ),
    "guidelines": Preset(
        about="clinical practice guidelines; each keeps the terms of its publisher",
        dataset="epfl-llm/guidelines",
        license=MIXED,
        domain="guidelines",
        language="en",
        options={"fields": {"text": "clean_text"}},
        curate={
            "rules": [
                {
                    "use": ["gopher_quality"],
                    "thresholds": {
                        "gopher_quality.min_alpha_words": 0.7,
                        "gopher_quality.max_bullet_lines": 0.95,
                    },
                }
            ]
        },
    ),
    "rus_law_od": Preset(
        about="federal laws, decrees and regulations of Russia, 1991 to 2023; not for commercial use",
        dataset="irlspbru/RusLawOD",
        license="CC-BY-NC-4.0",
        domain="law",
        language="ru",
        options={"fields": {"text": "textIPS", "id": None}},
    ),
    "taiga_prose": _taiga("prose of today's amateurs", "proza", "books"),
    "taiga_magazines": _taiga("literary journals; check their rights", "rest", "press", "Magazines"),
    "taiga_fontanka": _taiga("a city newspaper; check its rights", "rest", "press", "Fontanka"),
    "taiga_nplus1": _taiga("popular science; check its rights", "rest", "press", "NPlus1"),
    # Mathematics.
    "finemath": Preset(
        about="pages with formulas that FineMath's classifier grades 4 or more of 5",
        dataset="HuggingFaceTB/finemath",
        license=ODC_BY,
        domain="maths",
        language="en",
        options={"subset": "finemath-4plus"},
    ),
    "finemath_3plus": Preset(
        about="the same with grades of 3 or more: more, and noisier",
        dataset="HuggingFaceTB/finemath",
        license=ODC_BY,
        domain="maths",
        language="en",
        options={"subset": "finemath-3plus"},
    ),
    # Conversations. Most were written by larger models, whose terms may matter.
    "open_math_instruct_1": _conversations(
        "right solutions by Mixtral to problems of the training parts of GSM8K and MATH",
        "nvidia/OpenMathInstruct-1",
        "LicenseRef-NVIDIA-OpenMathInstruct-1",
        {"user": ["question"], "assistant": "generated_solution"},
        "en",
        data_dir="correct_solutions",
    ),
    "big_math": _conversations(
        "250,000 problems with their verified answers, without solutions",
        "SynthLabsAI/Big-Math-RL-Verified",
        APACHE,
        {"user": ["problem"], "assistant": "answer"},
        "en",
        unconfirmed="whether it is gated",
    ),
    "numina_math": _conversations(
        "problems of competitions and of the training parts of GSM8K and MATH, with worked solutions",
        "AI-MO/NuminaMath-CoT",
        APACHE,
        "messages",
        "en",
    ),
    "smoltalk": _conversations(
        "a million conversations", "HuggingFaceTB/smoltalk", APACHE, "messages", "en", subset="all"
    ),
    "grandmaster": _conversations(
        "156,000 instructions and answers by GPT-4 Turbo",
        "Vikhrmodels/GrandMaster-PRO-MAX",
        APACHE,
        "conversation",
        "ru",
    ),
    "t_wix": _conversations(
        "general and reasoning conversations, a small part with <think> tags",
        "t-tech/T-Wix",
        ODC_BY,
        "messages",
        "ru",
        fields={"id": None},
    ),
    "ru_instruct": _conversations(
        "OpenOrca, OpenHermes 2.5 and others, translated",
        "d0rj/ru-instruct",
        APACHE,
        "conversations",
        "ru",
    ),
    "synthia": _conversations(
        "119,000 instructions with long answers by GPT-4",
        "migtissera/Synthia-v1.3",
        APACHE,
        {"system": "system", "user": ["instruction"], "assistant": "response"},
        "en",
        unconfirmed="its licence",
    ),
    "synthia_de": _conversations(
        "Synthia, translated",
        "jphme/synthia_german_experimental",
        "LicenseRef-unstated",
        {"system": "system", "user": ["instruction"], "assistant": "response"},
        "de",
        fields={"id": None},
    ),
    "tower_blocks": _conversations(
        "translation and the like in ten languages; holds WMT's test sets up to 2021",
        "Unbabel/TowerBlocks-v0.2",
        MIXED,
        "conversations",
        domain="parallel",
    ),
    "ultra_medical": _conversations(
        "exam and open questions of medicine, made of the training parts of MedQA, MedMCQA and PubMedQA",
        "TsinghuaC3I/UltraMedical",
        "MIT",
        "conversations",
        "en",
        domain="medical_qa",
        fields={"id": None},
    ),
}


def find_preset(name: str) -> Preset:
    """The preset called `name`. Raises ValueError where there is none, and names the nearest."""
    found = PRESETS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "`coupage recipe sources` lists them"
        raise ValueError(f"there is no preset {name}; {hint}")
    return found


def gate_of(dataset: str) -> str | None:
    """What must be accepted before a dataset may be read, if a preset says so."""
    return next((each.gated for each in PRESETS.values() if each.dataset == dataset and each.gated), None)
