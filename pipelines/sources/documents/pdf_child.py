"""A process of its own that takes the text out of PDFs, so that what breaks the native library breaks no run.

Run as a script: it imports nothing of the project. It reads `<8 bytes: length><PDF>` and answers
`<8 bytes: length><JSON>`, until its input ends.
"""

from __future__ import annotations

import json
import resource
from typing import Any

MEMORY_BYTES = 4 << 30
"""Address space. PDFium takes some hundred MB for large documents; what wants more is made to exhaust it."""

MAX_PAGES = 20_000
MAX_CHARACTERS = 64 << 20

_PASSWORD = 4
"""FPDF_ERR_PASSWORD of PDFium."""


def extracted(content: bytes) -> dict[str, Any]:
    """The texts of the pages and what the document says of itself, or `error` and why."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        is_locked = getattr(error, "err_code", None) == _PASSWORD or "password" in str(error).lower()
        return {"error": "encrypted" if is_locked else "broken", "why": str(error)}
    if len(document) > MAX_PAGES:
        return {"error": "large", "why": f"{len(document):,} pages"}
    pages: list[str] = []
    unreadable = characters = 0
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage()
            pages.append(text.get_text_range())
            text.close()
            page.close()
        except pypdfium2.PdfiumError:
            pages.append("")
            unreadable += 1
        characters += len(pages[-1])
        if characters > MAX_CHARACTERS:
            return {"error": "large", "why": f"more than {MAX_CHARACTERS:,} characters"}
    return {
        "pages": pages,
        "unreadable": unreadable,
        "described": document.get_metadata_dict(skip_empty=True),
    }


def serve() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open(0, "rb") as asked, open(1, "wb") as answers:
        while len(size := asked.read(8)) == 8:
            try:
                answer = extracted(asked.read(int.from_bytes(size, "little")))
            except MemoryError:
                answer = {"error": "large", "why": "it takes too much memory"}
            data = json.dumps(answer).encode("utf-8", "replace")
            answers.write(len(data).to_bytes(8, "little") + data)
            answers.flush()


if __name__ == "__main__":
    serve()
