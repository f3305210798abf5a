"""Folder ids that nobody can guess, and why one could be guessed. Pure but for `new_id`.

Where a server has no directory access control, the name of a folder is its only protection.
"""

from __future__ import annotations

import math
import re
import secrets
import string
from collections import Counter
from itertools import pairwise
from typing import Final

_ALPHABET: Final = string.ascii_letters + string.digits
LENGTH: Final = 22
"""Characters of a new id: 22 of 62 are 130 bits, and no disk and no URL writes them otherwise."""

_MIN_LENGTH: Final = 16
_MIN_BITS: Final = 45.0
"""Less than any sixteen random characters have, more than anything with a pattern."""


def new_id() -> str:
    """A folder id of 130 random bits, from the operating system, that no check finds fault with."""
    while True:
        made = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
        if guessable(made) is None:
            return made


def guessable(folder: str) -> str | None:
    """Why a folder id could be guessed, or None. UUIDs and 20 random characters pass."""
    plain = re.sub(r"[^0-9A-Za-z]", "", folder)
    if len(folder) < _MIN_LENGTH:
        return f"is short ({len(folder)} characters)"
    if plain.isdigit():
        return "is a number"
    if _bits(plain) < _MIN_BITS:
        return "repeats itself"
    if _steps(plain) > len(plain) / 2:
        return "is a sequence"
    return "is made of words" if _reads(folder) else None


def _bits(text: str) -> float:
    """The information in a text, in bits, judged by its own characters."""
    return -sum(n * math.log2(n / len(text)) for n in Counter(text).values())


def _steps(text: str) -> int:
    """How many characters follow on the one before, as in `1234` or `abcd`."""
    return sum(ord(b) - ord(a) == 1 for a, b in pairwise(text))


def _reads(folder: str) -> bool:
    """Whether it reads like words, perhaps in CamelCase, perhaps with short numbers between."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", folder)
    letters = [char for char in folder.lower() if char.isalpha()]
    numbers = sum(part.isdigit() for part in parts)
    words = all(len(part) <= 4 if part.isdigit() else len(part) >= 3 for part in parts)
    vowels = sum(char in "aeiouy" for char in letters)
    return words and numbers * 2 <= len(parts) and vowels >= len(letters) * 0.25
