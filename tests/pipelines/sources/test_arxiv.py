"""Papers of arXiv, as its archives hold them, become text."""

import gzip
import pickle
import tarfile
import unicodedata

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.sources.arxiv import ArxivConfig
from pipelines.sources.latex.macros import expand, take_definitions
from pipelines.sources.latex.paper import read_paper
from pipelines.sources.latex.project import NoPaper, Project, without_comments
from pipelines.sources.latex.readable import readable

from .archives.packing import tarred
from .conftest import Reading

FILLER = "This is a sentence that stands here so that the paper has enough letters to be one. " * 4


def tex(body: str, preamble: str = "") -> bytes:
    return (
        "\\documentclass{article}\n"
        + preamble
        + "\n\\begin{document}\n"
        + body
        + f"\n\n{FILLER}\n\\end{{document}}\n"
    ).encode()


def packed(files: dict[str, bytes]) -> bytes:
    return tarred(list(files.items()), ".tar.gz")


@pytest.fixture
def papers(tmp_path):
    def read(files: dict[str, bytes], path: str = ".", **options) -> Reading:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return Reading(ArxivConfig(reader="arxiv", path=path, **options).build("arxiv", tmp_path))

    return read


def test_a_bulk_file_holds_papers_of_every_kind(papers):
    bulk = tarred(
        [
            (
                "2101/2101.00001.gz",
                packed({"main.tex": tex("One.", "\\title{First}"), "fig.png": b"x" * 100}),
            ),
            ("2101/2101.00002.gz", gzip.compress(tex("Two."))),
            ("2101/2101.00003.pdf", b"%PDF-1.5"),
            ("2101/2101.00004.gz", gzip.compress(b"%PDF-1.5 ...")),
            ("2101/2101.00005.gz", gzip.compress(b"\\input harvmac \\bye")),
            ("2101/2101.00006.gz", gzip.compress(tex("Six."))[:-20]),
            ("2101/hep-th9901001.gz", gzip.compress(tex("Old."))),
            ("2101/notes.doc", b"x"),
        ]
    )
    reading = papers({"arXiv_src_2101_001.tar": bulk})
    assert reading.ids == ["arxiv/2101.00001", "arxiv/2101.00002", "arxiv/hep-th/9901001"]
    assert [text.split("\n\n")[0] for text in reading.texts] == ["# First", "Two.", "Old."]
    first = reading.documents[0]
    assert first["url"] == "https://arxiv.org/abs/2101.00001" and first["license"] is None
    assert orjson.loads(first["metadata"]) == {
        "title": "First",
        "main_file": "main.tex",
        "arxiv_id": "2101.00001",
    }
    inside = "arXiv_src_2101_001.tar!/2101/"
    assert [(row[0].removeprefix(inside), row[2]) for row in reading.quarantine] == [
        ("2101.00003.pdf", "no LaTeX document"),
        ("2101.00004.gz", "no LaTeX document"),
        ("2101.00005.gz", "no LaTeX document"),
        ("2101.00006.gz", "truncated gzip"),
    ]
    assert {kind: each.files for kind, each in reading.set_aside.passed_over.items()} == {".doc": 1}


def test_papers_one_by_one_and_a_limit(papers):
    files = {
        "2101.00001v2.tar.gz": packed({"a.tex": tex("One.")}),
        "2101.00002.gz": gzip.compress(tex("Two.")),
        "bulk.tar": tarred(
            [("2102/2102.00001.gz", gzip.compress(tex("Three."))), ("2102/2102.00002.pdf", b"%PDF")]
        ),
        "README.html": b"x",
    }
    reading = papers(files)
    assert reading.ids == ["arxiv/2101.00001v2", "arxiv/2101.00002", "arxiv/2102.00001"]
    for limit in range(1, 5):
        some = papers({}, limit=f"{limit} documents")
        assert set(some.ids) <= set(reading.ids) and len(some.ids) + len(some.quarantine) == limit


def test_plans_look_at_the_first_papers(tmp_path):
    bulk = tarred([(f"2101/2101.{n:05}.gz", gzip.compress(tex(f"Paper {n}."))) for n in range(50)])
    (tmp_path / "bulk.tar").write_bytes(bulk)
    source = ArxivConfig(reader="arxiv", path="bulk.tar").build("arxiv", tmp_path)
    preview = source.preview()
    assert 0 < preview.documents.num_rows < 10 and 20 < preview.records < 1000 and not preview.refused
    assert pickle.loads(pickle.dumps(source)).identity() == source.identity()


def test_where_there_is_no_archive(tmp_path):
    (tmp_path / "a.html").write_bytes(b"x")
    with pytest.raises(UserError, match="there is no source archive"):
        ArxivConfig(reader="arxiv", path=".").build("arxiv", tmp_path).units(1)


def test_what_leads_out_of_a_paper_is_not_read(papers, tmp_path):
    (tmp_path / "secret.tex").write_text("SECRET")
    link = tarfile.TarInfo("link.tex")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.tex")
    main = tex(
        f"Kept. \\input{{../secret}} \\input{{{tmp_path}/secret.tex}} \\input{{link}} \\input{{/etc/passwd}}"
    )
    content = tarred([link, ("main.tex", main), ("../evil.tex", b"EVIL")], ".tar.gz")
    (text,) = papers({"p/2101.00001.gz": content}, path="p").texts
    assert text.startswith("Kept.") and "SECRET" not in text and "EVIL" not in text and "root:" not in text


def test_a_paper_that_is_a_bomb(papers, monkeypatch):
    from pipelines.sources import compressed

    monkeypatch.setattr(compressed, "FREE_BYTES", 1 << 20)
    files = {
        "2101.00001.gz": gzip.compress(bytes(60 << 20)),
        "2101.00002.tar.gz": packed({"a.tex": tex("x" * (60 << 20))}),
        "2101.00003.gz": gzip.compress(tex("Fine.")),
    }
    reading = papers(files)
    assert reading.ids == ["arxiv/2101.00003"]
    assert {row[2] for row in reading.quarantine} == {"archive that becomes too large"}


# The project: which file is the paper, and what belongs to it.


def test_the_main_file_is_found():
    part, main = b"Part.", tex("\\input{part}")
    assert Project({"part.tex": part, "x.tex": main}).main() == "x.tex"
    assert Project({"main.tex": main, "supplement.tex": main + b"%" * 99}).main() == "main.tex"
    assert Project({"a.tex": tex("\\include{sub/b}"), "sub/b.tex": tex("B")}).main() == "a.tex"
    assert Project({"a.tex": main, "b.tex": main, "00README.XXX": b"b.tex toplevelfile\n"}).main() == "b.tex"
    standing = b"\\input{preamble}\n\\begin{document}A\\end{document}"
    assert Project({"preamble.tex": b"\\documentclass{article}", "a.tex": standing}).main() == "a.tex"
    hints = orjson.dumps({"sources": [{"filename": "b.tex", "usage": "toplevel"}]})
    assert Project({"a.tex": main, "b.tex": main, "00README.json": hints}).main() == "b.tex"
    assert Project({"main.tex": main, "b.tex": main, "00README.XXX": b"main.tex ignore\n"}).main() == "b.tex"
    with pytest.raises(NoPaper):
        Project({"a.tex": b"%\\documentclass{article}\n%\\begin{document}\n"}).main()


def test_what_a_file_takes_in_stands_in_its_place():
    files = {
        "main.tex": tex(
            "A \\input{sec/one} B \\include{two.tex} C \\import{sec/}{three} \\input{missing} \\input four"
        ),
        "sec/one.tex": b"one \\input{sec/inner}",
        "sec/inner.tex": b"inner \\input{one}",
        "two.tex": b"two",
        "sec/three.tex": b"three",
        "four.tex": b"four",
    }
    assert read_paper(files).text.startswith("A one inner B two C three four")


def test_files_that_take_in_one_another_end():
    files = {"main.tex": tex("\\input{a}\\input{a}\\input{a}")}
    files |= {
        f"{name}.tex": f"{name} \\input{{{other}}}\\input{{{other}}}".encode()
        for name, other in zip("abcdefghijklmnop", "bcdefghijklmnopa", strict=True)
    }
    assert len(read_paper(files).text) < 200 << 20


@pytest.mark.parametrize(
    ("package", "encoding"),
    [
        ("", "utf-8"),
        ("", "latin-1"),
        ("\\usepackage[latin1]{inputenc}", "latin-1"),
        ("\\usepackage[utf8]{inputenc}", "utf-8"),
    ],
)
def test_encodings_of_the_west(package, encoding):
    assert "Müller é" in read_paper({"a.tex": tex("Müller é", package).decode().encode(encoding)}).text


def test_encodings_of_the_east():
    for name, encoding in (("cp1251", "cp1251"), ("koi8-r", "koi8-r")):
        content = tex("Слово", f"\\usepackage[{name}]{{inputenc}}").decode().encode(encoding)
        assert "Слово" in read_paper({"a.tex": content}).text


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("a%c\nb", "ab"),
        ("a %c\n  b", "a b"),
        ("a\n%c\nb", "a\nb"),
        ("a%c\n\nb", "a\n\nb"),
        ("50\\% a\\\\%c\nb", "50\\% a\\\\b"),
        ("\\verb|%| a", "\\verb|%| a"),
        ("\\begin{verbatim}%k\n\\end{verbatim}%x", "\\begin{verbatim}%k\n\\end{verbatim}"),
        ("a\\iffalse b \\fi c", "a c"),
        ("a\\begin{comment}b\\end{comment}c", "ac"),
    ],
)
def test_comments(text, without):
    assert without_comments(text) == without


def test_environments_of_code_that_a_paper_defines():
    preamble = (
        "\\newminted{cpp}{}\\newenvironment{cplus}{\\VerbatimEnvironment\\begin{cppcode}}{\\end{cppcode}}"
        "\\lstnewenvironment{pseudo}{}{}"
    )
    body = "\\begin{cplus}\nx = a  % b;\n\\end{cplus} and \\begin{pseudo}\nif  {\n\\end{pseudo}"
    text = read_paper({"a.tex": tex(body, preamble)}).text
    assert text.startswith("```\nx = a  % b;\n```\n\nand\n\n```\nif  {\n```")


# Macros.


@pytest.mark.parametrize(
    ("definition", "call", "expanded"),
    [
        (r"\newcommand{\R}{\mathbb{R}}", r"$\R^n \Rho$", r"$\mathbb{R}^n \Rho$"),
        (r"\newcommand*\R{\mathbb{R}}", r"\R", r"\mathbb{R}"),
        (r"\renewcommand{\n}[1]{\|#1\|}", r"\n{x} \n y", r"\|x\| \|y\|"),
        (r"\newcommand{\n}[2][p]{#2_#1}", r"\n{x} \n[q]{y}", "x_p y_q"),
        (r"\def\n#1#2{#2#1}", r"\n{a}{b}", "ba"),
        (r"\def\a{\b}\def\b{c}", r"\a", "c"),
        (r"\DeclareMathOperator{\tr}{tr}", r"\tr(A)", r"\operatorname{tr}(A)"),
        (r"\def\a{\alpha}", r"\a b", r"\alpha b"),
        (r"\newcommand{\us}{we\xspace}", r"\us{} say", r"we\xspace say"),
    ],
)
def test_macros_are_expanded(definition, call, expanded):
    rest, macros = take_definitions(definition + call)
    assert rest == call and expand(rest, macros) == expanded


@pytest.mark.parametrize(
    "text",
    [
        r"\def\a{\a\a}\a",
        r"\def\a{\b\b}\def\b{\a\a}\a",
        r"\newcommand{\a}[1]{#1#1#1#1}\a{\a{\a{\a{\a{x}}}}}",
        r"\def\a",
        r"\newcommand{\a}[1]",
        r"\def\a#1{x",
        r"\newcommand{\a}[12]{x}\a",
    ],
)
def test_macros_that_never_end(text):
    rest, macros = take_definitions(text)
    assert len(expand(rest * 50, macros)) < 10 << 20


def test_macros_of_the_papers_own_package():
    files = {
        "main.tex": tex(r"Let $\R$ be.", r"\usepackage{amsmath,own}"),
        "own.sty": rb"\newcommand{\R}{\mathbb{R}}",
    }
    assert r"Let $\mathbb{R}$ be." in read_paper(files).text


# Text.


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (
            "\\section{A \\emph{b}}\\label{x}\nText\nof it.\n\n\\subsection*{C}D",
            "## A b\n\nText of it.\n\n### C\n\nD",
        ),
        ("Let $x<y$ and \\(a\\) be.", "Let $x<y$ and $a$ be."),
        ("So\n\\[ x \\label{e} \\]\nand $$y$$", "So\n$$\nx\n$$\nand\n$$\ny\n$$"),
        ("\\begin{equation}\\label{e}x=1\\nonumber\\end{equation}", "$$\nx=1\n$$"),
        (
            "\\begin{align*}a&=b\\\\c&=d\\label{x}\\end{align*}",
            "\\begin{align*}\na&=b\\\\c&=d\n\\end{align*}",
        ),
        ("It costs \\$5, 5\\% \\& more\\_or \\#1 \\{x\\}.", "It costs $5, 5% & more_or #1 {x}."),
        ("As shown~\\cite{a}, \\citep[see][p.~1]{b}.", "As shown,."),
        ("\\citet{a} and Fig.~\\ref{f}, \\eqref{e}", "[citation] and Fig. [ref], ([ref])"),
        (
            'G\\"odel, Erd\\H{o}s, \\v{S}koda, \\c{c}a, na\\"{\\i}ve, \\AA ngstr\\"om, \\\'Ecole, \\o re',
            "Gödel, Erdős, Škoda, ça, naïve, Ångström, École, øre",
        ),
        ("``a'' -- b---c\\ldots{} d~e", "“a” – b—c… d e"),
        (
            "\\begin{figure}\\includegraphics{a}\\caption[s]{A \\textbf{b}.}\\end{figure}x",
            "Figure: A b.\n\nx",
        ),
        ("\\begin{tikzpicture}\\draw (0,0);\\end{tikzpicture}x", "x"),
        ("\\begin{itemize}\\item a\nb\\item[c] d\\end{itemize}", "- a b\nc d"),
        ("\\begin{enumerate}\\item a\\item b\\end{enumerate}", "1. a\n2. b"),
        (
            "\\begin{tabular}{l|r}\\hline a & b \\\\\\hline \\multicolumn{2}{c}{$x$ \\& {y & z}}\\\\"
            "\\end{tabular}",
            "a | b\n$x$ & y z",
        ),
        (
            "\\begin{table}\\caption{T.}\\begin{tabular}{l}a\\\\b\\end{tabular}\\end{table}",
            "Table: T.\n\na\nb",
        ),
        ("a\\footnote{b.} c", "a (b.) c"),
        ("\\textcolor{red}{a} \\href{http://x}{b} \\url{http://y/~z_1}", "a b http://y/~z_1"),
        ("\\begin{verbatim}\n% x  {\n\\end{verbatim}", "```\n% x  {\n```"),
        ("\\begin{lstlisting}[language=C]\nint  x;\n\\end{lstlisting}", "```\nint  x;\n```"),
        ("\\begin{proof}A.\\end{proof}", "Proof. A."),
        ("a\\begin{thebibliography}{9}\\bibitem{x} y\\end{thebibliography}\\bibliography{z}", "a"),
        ("\\begin{abstract}A.\\end{abstract}\\keywords{k}", "## Abstract\n\nA."),
        ("\\author{A\\thanks{B}}\\vspace{1cm}\\noindent a {\\bf b} {\\it c\\/}", "a b c"),
        ("a lone $ dollar\n\nnext $x$", "a lone dollar\n\nnext $x$"),
        ("\\ensuremath{\\mathbb{N}\\xspace} and $\\ensuremath{a}\\xspace + b$", "$\\mathbb{N}$ and ${a}+ b$"),
        ("\\lettrine[lines=2]{B}{efore} {\\bf[Note]} it", "Before [Note] it"),
        ("\\begin{IEEEkeywords}k\\end{IEEEkeywords}\\altaffiltext{1}{Institute}a", "a"),
        ("\\verb|a_b{| and \\begin{unknown}[o] x \\end{unknown}", "a_b{ and\n\nx"),
    ],
)
def test_latex_becomes_text(latex, text):
    assert readable(latex) == text


def test_theorems_are_called_as_the_paper_calls_them():
    assert (
        readable("\\begin{satz}[Gauß] A.\\end{satz}", "\\newtheorem{satz}{Satz}[section]")
        == "Satz (Gauß). A."
    )


PIECES = [
    "\\",
    "{",
    "}",
    "$",
    "$$",
    "[",
    "]",
    "&",
    "\\begin{a}",
    "\\end{a}",
    "\\begin{align}",
    "\\item",
    "\\section",
    "x",
    "\n\n",
    " ",
    "%",
    "\\cite",
    '\\"',
    "\\verb|",
    "\\def\\a#1{",
    "\\a",
    "\\(",
    "\\[",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_broken_latex_ends_nothing(text):
    rest, macros = take_definitions(without_comments(text))
    assert isinstance(readable(expand(rest, macros)), str)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\\{}$%&~`'-<>\x01\x02\x03\x04"), max_size=200)
)
@settings(max_examples=200, deadline=None)
def test_plain_words_stay(text):
    assert readable(text).split() == unicodedata.normalize("NFC", text).split() or not text.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "\\begin{a}" * 20_000,
        "{\\bf " * 5000 + "}" * 5000,
        "$" * 100_001,
        "\\[" * 50_000,
        "\\frac" * 50_000,
    ],
)
def test_depth_and_length_take_no_time(text):
    assert isinstance(readable(text), str)
