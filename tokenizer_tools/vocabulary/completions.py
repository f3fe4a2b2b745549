"""Text in which bytes stand that are no whole characters."""

from collections.abc import Iterator
from itertools import product

_LEADS = {2: range(0xC2, 0xE0), 3: range(0xE0, 0xF0), 4: range(0xF0, 0xF5)}
"""First bytes of characters, by their length."""


def completions(content: bytes) -> Iterator[str]:
    """Texts that hold the bytes: with all that can make whole characters of those at their ends."""
    following = next((at for at, byte in enumerate(content) if byte & 0xC0 != 0x80), len(content))
    inside, rest = content[:following], content[following:]
    for head in _heads(inside, rest):
        for tail in _tails(rest or head + inside):
            try:
                yield (head + content + tail).decode()
            except UnicodeDecodeError:  # such as half of a surrogate pair
                continue


def _heads(inside: bytes, rest: bytes) -> Iterator[bytes]:
    """What may stand before the last bytes of a character; more bytes may come if nothing else follows."""
    if not inside:
        yield b""
        return
    for length, leads in _LEADS.items():
        for before in range(1, length - len(inside) + 1):
            if rest and before + len(inside) < length:
                continue
            for lead in leads:
                yield from (bytes([lead]) + middle for middle in _continued(before - 1))


def _tails(content: bytes) -> Iterator[bytes]:
    """What completes the last character."""
    begins = max((at for at, byte in enumerate(content) if byte & 0xC0 == 0xC0), default=len(content))
    present = len(content) - begins
    length = next((length for length, leads in _LEADS.items() if present and content[begins] in leads), 0)
    yield from _continued(max(length - present, 0) if _is_open(content, begins) else 0)


def _is_open(content: bytes, begins: int) -> bool:
    return all(byte & 0xC0 == 0x80 for byte in content[begins + 1 :])


def _continued(length: int) -> Iterator[bytes]:
    return map(bytes, product(range(0x80, 0xC0), repeat=length))
