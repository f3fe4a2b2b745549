"""New tokens for a domain or a language, and the proof that everything else stays as it was.

They are learnt by continued merging, and added to a vocabulary or put in the place of tokens that nobody
needs.
"""

__all__ = [
    "added",
    "bytes_per_token",
    "change",
    "changed",
    "config",
    "definition",
    "extend",
    "family",
    "gate",
    "learn",
    "new_tokens",
    "scripts",
    "victims",
    "words",
]
