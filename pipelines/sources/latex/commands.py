"""What the commands and environments of LaTeX mean for a reader of text."""

from __future__ import annotations

SECTIONS = {
    "part": "#",
    "chapter": "#",
    "section": "##",
    "subsection": "###",
    "subsubsection": "####",
    "paragraph": "#####",
    "subparagraph": "######",
}

MATHS = frozenset(
    "equation align gather multline eqnarray displaymath flalign alignat xalignat math dmath "
    "IEEEeqnarray".split()
)
ONE_FORMULA = frozenset(("equation", "displaymath", "dmath", "math"))
VERBATIM = frozenset(("verbatim", "Verbatim", "lstlisting", "minted", "alltt"))
FIGURES = frozenset("figure wrapfigure SCfigure sidewaysfigure floatingfigure teaserfigure subfigure".split())
TABLES = frozenset("table sidewaystable wraptable longtable".split())
TABULARS = {"tabular": 1, "tabularx": 2, "tabulary": 2, "array": 1, "longtable": 1, "supertabular": 1}
"""With the number of their arguments."""
LISTS = frozenset(("itemize", "enumerate", "description", "compactitem", "compactenum", "inparaenum"))
DROPPED_ENVIRONMENTS = frozenset(
    "thebibliography tikzpicture pspicture picture filecontents CCSXML comment references keywords keyword "
    "IEEEkeywords biography IEEEbiography IEEEbiographynophoto frontmatter@ axis forest asy "
    "pgfpicture".split()
)
ENVIRONMENT_ARGUMENTS = {
    "minipage": 1, "multicols": 1, "adjustbox": 1, "spacing": 1, "wrapfigure": 2, "wraptable": 2,
    "list": 2,
    "tcolorbox": 0, "subfigure": 1, "adjustwidth": 2, "IEEEeqnarray": 1, "alignat": 1, "xalignat": 1,
    "minted": 1,
    "IEEEbiography": 1, "thebibliography": 1,
}  # fmt: skip

THEOREMS = {
    "theorem": "Theorem", "thm": "Theorem", "lemma": "Lemma", "lem": "Lemma",
    "proposition": "Proposition",
    "prop": "Proposition", "corollary": "Corollary", "cor": "Corollary", "definition": "Definition",
    "defn": "Definition", "remark": "Remark", "rem": "Remark", "example": "Example",
    "conjecture": "Conjecture",
    "claim": "Claim", "proof": "Proof", "assumption": "Assumption", "algorithm": "Algorithm",
}  # fmt: skip
"""Environments that begin with their name, unless the paper names them otherwise."""

CITED = frozenset(
    "cite citep Citep citealp parencite autocite footcite supercite citeyear citeyearpar onlinecite "
    "nocite".split()
)
CITED_IN_WORDS = frozenset(
    "citet Citet textcite Textcite citeauthor Citeauthor citealt citename shortcite newcite citeA".split()
)
REFERENCES = frozenset("ref eqref autoref cref Cref pageref nameref vref subref prettyref hyperref".split())

DROPPED = {
    "label": 1, "vspace": 1, "hspace": 1, "includegraphics": 1, "setlength": 2, "addtolength": 2,
    "setcounter": 2,
    "addtocounter": 2, "bibliography": 1, "bibliographystyle": 1, "addbibresource": 1, "pagestyle": 1,
    "thispagestyle": 1, "pagenumbering": 1, "usepackage": 1, "hypersetup": 1, "addcontentsline": 3,
    "thanks": 1,
    "email": 1, "affiliation": 1, "address": 1, "affil": 1, "institute": 1, "institution": 1, "date": 1,
    "author": 1, "authors": 1, "index": 1, "glossary": 1, "color": 1, "fontsize": 2, "selectlanguage": 1,
    "rule": 2, "keywords": 1, "pacs": 1, "preprint": 1, "title": 1, "titlerunning": 1, "authorrunning": 1,
    "icmltitle": 1, "icmlauthor": 2, "icmlaffiliation": 2, "icmlkeywords": 1, "markboth": 2,
    "markright": 1,
    "vskip": 0, "hskip": 0, "newtheorem": 2, "theoremstyle": 1, "newenvironment": 3,
    "renewenvironment": 3,
    "newcounter": 1, "newlength": 1, "newif": 0, "input": 1, "include": 1, "graphicspath": 1, "epsfig": 1,
    "epsfbox": 1, "psfig": 1, "cline": 1, "cmidrule": 1, "hline": 0, "toprule": 0, "midrule": 0,
    "bottomrule": 0,
    "enlargethispage": 1, "bibitem": 1, "numberwithin": 2, "allowdisplaybreaks": 0, "captionsetup": 1,
    "definecolor": 3, "tikzset": 1, "pgfplotsset": 1, "lstset": 1, "DeclareMathOperator": 2, "orcid": 1,
    "ead": 1, "corref": 1, "fntext": 2, "cortext": 1, "fnref": 1, "tnoteref": 1, "received": 1,
    "revised": 1,
    "accepted": 1, "published": 1, "ccsdesc": 1, "acmConference": 3, "setcopyright": 1,
    "copyrightyear": 1,
    "acmDOI": 1, "acmISBN": 1, "shorttitle": 1, "shortauthors": 1, "subjclass": 1, "MSC": 1,
    "curraddr": 1,
    "urladdr": 1, "dedicatory": 1, "stepcounter": 1, "refstepcounter": 1, "vphantom": 1, "hphantom": 1,
    "phantom": 1, "rowcolor": 1, "cellcolor": 1, "columncolor": 1, "arrayrulecolor": 1, "tag": 1,
    "let": 2, "@addtoreset": 2, "newgeometry": 1, "pagecolor": 1, "bookmark": 1, "pdfbookmark": 2,
    "altaffiltext": 2, "altaffilmark": 1, "fontfamily": 1, "fontseries": 1, "fontshape": 1, "usefont": 4,
    "lstinputlisting": 1, "inputminted": 2, "externaldocument": 1, "newcolumntype": 2, "crefname": 3,
    "Crefname": 3, "setlist": 1, "sisetup": 1,
}  # fmt: skip
"""Commands that say nothing to a reader, with the number of their arguments."""

KEPT_LAST = {
    "textcolor": 2, "colorbox": 2, "fcolorbox": 3, "href": 2, "multicolumn": 3, "multirow": 3,
    "makecell": 1,
    "raisebox": 2, "parbox": 2, "scalebox": 2, "resizebox": 3, "rotatebox": 2, "foreignlanguage": 2,
    "texorpdfstring": 1, "hyperlink": 2, "hypertarget": 2, "href@": 2,
}  # fmt: skip
"""Commands of which the last argument is read, with their number; of \\texorpdfstring the first one is."""

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327",
    "k": "\u0328",
    "b": "\u0331", "t": "\u0361",
}  # fmt: skip
"""Combining characters."""

CHARACTERS = {
    "%": "%", "&": "&", "$": "$", "#": "#", "_": "_", "{": "{", "}": "}", " ": " ", ",": " ", ";": " ",
    ":": " ",
    "-": "", "/": "", "@": "", "!": "", "|": "|", "quad": " ", "qquad": " ", "space": " ", "enspace": " ",
    "thinspace": " ", "ss": "ß", "SS": "SS", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø",
    "O": "Ø",
    "l": "ł", "L": "Ł", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ",
    "TH": "Þ",
    "ldots": "…", "dots": "…", "textellipsis": "…", "textendash": "–", "textemdash": "—",
    "textquoteright": "’",
    "textquoteleft": "‘", "textquotedblleft": "“", "textquotedblright": "”", "textbackslash": "\\",
    "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<", "textgreater": ">",
    "textunderscore": "_", "textdollar": "$", "textpercent": "%", "LaTeX": "LaTeX", "TeX": "TeX",
    "S": "§",
    "P": "¶", "copyright": "©", "pounds": "£", "dag": "†", "ddag": "‡", "textdegree": "°", "degree": "°",
    "textregistered": "®", "texttrademark": "™", "textbullet": "•", "guillemotleft": "«",
    "guillemotright": "»",
    "flqq": "«", "frqq": "»", "glqq": "„", "grqq": "“", "slash": "/", "euro": "€", "texteuro": "€",
    "BibTeX": "BibTeX",
    "textquotesingle": "'", "xspace": "", "newline": "\n", "linebreak": "\n", "par": "\n\n", "eg": "e.g.",
    "ie": "i.e.", "etal": "et al.", "cyrillic": "",
}  # fmt: skip
