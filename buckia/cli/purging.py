"""`purge`: what caches in front of a bucket drop, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.session import can_ask, opened
from buckia.errors import BuckiaError, ConfigError, UsageError

if TYPE_CHECKING:
    from buckia.project import Project


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(purge))


def purge(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BUCKET] KEY",
            help="Objects by their keys; one that ends in `/` means all below it.",
            autocompletion=complete_bucket,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that the caches hold of the bucket, or of each.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --all: do not ask.")] = False,
    *,
    shared: Shared,
) -> None:
    """Make a CDN forget what it holds of a bucket.

    Apply does this by itself for what it changes. By hand it is for what was changed in another
    way. For `bunny` with `pull_zone` and `api_key`; many keys are purged by folder.
    """
    with opened(shared) as session:
        names, keys = _meant(session.project, words or [])
        if bool(keys) == everything:
            raise UsageError("name what is to be purged, or say --all")
        if everything and not yes:
            _ask(names)
        with session.looking(), session.changing():
            done = {
                name: session.project.purge(name, keys, everything=everything) for name in names
            }
        for name, purged in done.items():
            count = text.count_of(len(purged), "address", "addresses")
            what = "everything" if everything else count
            session.note(f"Purged {what} of {text.name(name)} from the caches.")


def _meant(project: Project, words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """The buckets and the keys among the words: the first may be a bucket."""
    from buckia import purges

    cached = [name for name, bucket in project.config.buckets.items() if bucket.pull_zone]
    names, keys = (cached, list(words)) if words else (cached, [])
    if words and words[0] in project.config.buckets:
        names, keys = [words[0]], list(words[1:])
    if not names:
        raise ConfigError("no bucket has a `pull_zone`, so there are no caches to purge; set one")
    if keys and len(names) > 1:
        raise UsageError(f"there are several buckets; name one first: {', '.join(names)}")
    keys = [key.removesuffix("*") if key.endswith("/*") else key for key in keys]
    if purges.ALL in keys or "*" in keys:
        raise UsageError("say --all to purge everything")
    return names, keys


def _ask(names: Sequence[str]) -> None:
    from buckia.cli.ask import confirm

    if not can_ask():
        raise UsageError("--all asks, and there is no terminal to ask in: add --yes")
    shown = ", ".join(map(text.name, names))
    if not confirm(f"Purge everything of {shown} from the caches?"):
        raise BuckiaError("the answer was no; nothing was purged")
