"""`pull`: a published folder, as an app gets it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli import papers
from buckia.cli.narration import narrating
from buckia.cli.options import Telling, unfold
from buckia.cli.signals import UNCHANGED, Stop
from buckia.errors import Interrupted

if TYPE_CHECKING:
    from buckia.model import Tick
    from buckia.runs.pulling import Pulled


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(pull))


def pull(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The folder's, or that of its manifest.")
    ],
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where it comes to.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and stop.")
    ] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Go back to an earlier generation.")
    ] = False,
    max_workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="How many files at once.")
    ] = 8,
    wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="How long to wait for a publication under way."
        ),
    ] = 60.0,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
    *,
    telling: Telling,
) -> None:
    """Make a local folder what a published folder is.

    Reads the manifest that `manifest: true` publishes, and needs no configuration, no credentials
    and no listing: it is how an app gets its content. One request tells that nothing has changed;
    of large files only the blocks that differ are fetched. All of it is proved before the first
    file changes: then plain files come first, databases after them, deletions last. A file that was
    changed here goes to the trash in FOLDER/.buckia.d; what no pull put here stays.
    """
    from buckia.cli.progress import for_people
    from buckia.runs.pulling import pull as carry_out

    stop = Stop()
    with narrating(telling), stop.heard():
        display = for_people(quiet=telling.quiet)

        def progress(tick: Tick) -> None:
            if stop.event.is_set() and tick.stage == "hash":
                raise Interrupted(UNCHANGED)
            display.show(tick)

        with display, stop.changing():
            done = carry_out(
                url,
                folder,
                dry_run=dry_run,
                allow_older=allow_older,
                max_workers=max_workers,
                wait=wait,
                progress=progress,
                stop=stop.event,
            )
        if json:
            papers.write(_document(done, dry_run=dry_run), papers.STREAM)
        else:
            for line in _marked(done):
                print(line)  # noqa: T201
        if not telling.quiet:
            for line in _summary(done, dry_run=dry_run):
                print(line, file=sys.stderr)  # noqa: T201


def _document(done: Pulled, *, dry_run: bool) -> bytes:
    from msgspec.structs import asdict

    from buckia import documents

    told = asdict(done)
    lists = {name: told.pop(name) for name in ("new", "replaced", "removed", "kept")}
    head = {"format": "buckia.pull", "format_version": "1.0", "dry_run": dry_run}
    return documents.render(head | told, lists)


def _marked(done: Pulled) -> Iterator[str]:
    """Every file that changes, behind `+`, `~` or `-`."""
    for mark, paths in (("+", done.new), ("~", done.replaced), ("-", done.removed)):
        for path in paths:
            yield f"{mark}  {text.name(path)}"


def _summary(done: Pulled, *, dry_run: bool) -> Iterator[str]:
    if done.older is not None:
        yield (
            f"The manifest read is generation {done.older:,}, and the folder already has "
            f"{done.generation:,}: ignored, as a cache's old copy; --allow-older takes it."
        )
    counts = {
        "new": len(done.new),
        "replaced": len(done.replaced),
        "removed": len(done.removed),
        "unchanged": done.unchanged,
    }
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    used = f"{text.count_of(done.requests, 'request')}, {text.size(done.received)}"
    verb = "Would be at" if dry_run else "At"
    yield f"{verb} generation {done.generation:,}: {told or 'no files'} ({used})."
    if done.kept:
        count = text.count_of(len(done.kept), "file")
        where = "would go to the trash" if dry_run else f"is in {done.trash}"
        yield f"What was changed here, {count}, {where}."
