"""What a pull did."""

from __future__ import annotations

from msgspec import Struct

from buckia.model import Count


class Pulled(Struct, frozen=True):
    """What a pull did, or with `dry_run` would do, by paths in the folder.

    generation  that of the manifest which the folder now is
    new         files that came
    replaced    files that became others
    removed     files that an earlier pull had brought and the manifest names no more
    kept        those among them that somebody had changed here: what they were is in the trash
    trash       where, relative to the folder; empty where nothing is kept
    unchanged   how many files were right already
    older       the generation of a manifest that was ignored because the folder has a later one
    requests    how many there were
    received    bytes of all answers together, the manifest's included
    """

    generation: int
    new: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    trash: str
    unchanged: Count
    older: int | None
    requests: Count
    received: Count
