"""blocks.json: block sizes, and the digests of blocks."""

from __future__ import annotations

from typing import Final

from tests.vectors.contents import BLOCK, CONTENTS, Json, digests, generated, told

_SIZES: Final = {
    0: None,
    1: None,
    2**20 - 1: None,
    2**20: 65536,
    2**25: 65536,
    2**25 + 1: 131072,
    2**26: 131072,
    2**26 + 1: 262144,
    2**30: 2097152,
    5 * 2**30 + 1: 16777216,
    2**40: 2147483648,
}


def blocks() -> Json:
    """Block sizes, and the block digests of some contents."""
    names = ("big", "big, one byte", "big, longer", "big, shorter")
    return {
        "sizes": [{"size": size, "block_size": block} for size, block in _SIZES.items()],
        "files": [
            {**told(CONTENTS[name]), "block_size": BLOCK, "blocks": digests(data)}
            for name in names
            for data in (generated(CONTENTS[name]),)
        ],
    }
