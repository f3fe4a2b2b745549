"""The licence whose text a file is."""


def licence_of_text(text: str) -> str | None:
    """The SPDX identifier of a licence's text; None where it is not known."""
    return None
