"""What caches in front of a bucket drop, as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from buckia import purges
from buckia.cli import text
from buckia.cli.rows import Rows
from buckia.model import Action, Op


def purged(actions: Sequence[Action], fold: int | None) -> Iterator[RenderableType]:
    """The purges among the actions of a bucket, if there are any; at most `fold` of them."""
    found = [item for item in actions if item.op is Op.PURGE]
    if found:
        count = text.count_of(len(found), "address", "addresses")
        yield Text.assemble("  ", ("purge", "cyan"), " from caches", (f"  {count}", "dim"))
        yield Rows([("~", address(item.key), _owed(item)) for item in found], fold)


def address(purge: str) -> str:
    """A purge in words."""
    if purge == purges.ALL:
        return "everything"
    return f"{text.name(purge)} and all below" if purge.endswith("/") else text.name(purge)


def _owed(item: Action) -> str:
    return "left over" if item.reason == purges.LEFT_OVER else ""
