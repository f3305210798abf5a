"""`trash`: what was overwritten or deleted, and how it comes back or goes for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli.options import Buckets, Shared, unfold
from buckia.cli.planning import draw
from buckia.cli.session import can_ask, opened
from buckia.errors import BuckiaError, UsageError

if TYPE_CHECKING:
    from buckia.trash import Kept


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=False)
    group.command("list")(unfold(list_kept))
    group.command("restore")(unfold(restore))
    group.command("empty")(unfold(empty))
    app.add_typer(
        group, name="trash", help="What was overwritten or deleted: list, restore, empty."
    )


def list_kept(
    choice: Buckets,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """List what is in the trash, what was deleted last first.

    That is the local trash, for files, and the trash of each bucket, for objects: what it is, where
    it is kept, its size, when it was deleted, and by which plan. A bucket that keeps versions has
    those in place of a trash.
    """
    from buckia import documents

    with opened(shared) as session:
        with session.looking(), session.project.trash(choice.wanted) as trash:
            kept = trash.kept(versions=True)
        if json:
            head = {"format": "buckia.trash", "format_version": "1.0"}
            rows = {"kept": [_data(item) for item in kept]}
            session.publish(documents.render(head, rows))
        else:
            _show(kept)
        session.note(_counted(kept))


def _data(item: Kept) -> dict[str, object]:
    when = _utc(item.deleted) if item.deleted is not None else None
    return {
        "bucket": item.bucket,
        "plan": item.plan or None,
        "name": item.name,
        "size": item.size,
        "deleted": when,
        "version": None if item.plan else item.version,
    }


def _utc(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanoseconds // 1_000_000_000))


def _show(kept: Sequence[Kept]) -> None:
    from buckia.cli.rows import Rows

    def when(item: Kept) -> str:
        if item.deleted is None:
            return "at an unknown time"
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(item.deleted // 1_000_000_000))

    rows = [
        (
            when(k),
            text.name(k.name),
            text.size(k.size),
            text.name(k.bucket or "here"),
            text.name(k.plan or "version"),
        )
        for k in kept
    ]
    if rows:
        draw(Rows(rows, None))


def _counted(kept: Sequence[Kept]) -> str:
    if not kept:
        return "The trash is empty."
    size = text.size(sum(item.size for item in kept))
    return f"In the trash: {text.count_of(len(kept), 'file')}, {size}."


def restore(
    what: Annotated[
        str, typer.Argument(metavar="PATH", help="A file or folder, by its local path or its key.")
    ],
    plan: Annotated[
        str | None,
        typer.Option(metavar="PLAN", help="Only what this plan deleted, by its first digits."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Just this version of a bucket; `list --json` tells it."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Another place, below the configuration's folder."),
    ] = None,
    bucket: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only from the trash of this bucket.")
    ] = None,
    *,
    shared: Shared,
) -> None:
    """Bring back a file or folder from the trash.

    An object comes back as a local file. Where there are several, the one that was deleted last
    comes back. A file that is in its place goes to the trash. The bucket is not changed: the next
    plan tells what follows.
    """
    if plan is not None and version is not None:
        raise UsageError("a version is no plan's: give --plan or --version")
    if to is not None and (to.startswith(("/", "~")) or ".." in to.split("/")):
        raise UsageError(f"--to {to}: give a path below the configuration's folder")
    with opened(shared) as session, session.project.trash(bucket or (), alone=True) as trash:
        found = trash.find(what, plan or "", to, version)
        with session.changing():
            for path, item in sorted(found.items()):
                trash.restore(item, path)
                session.note(f"Restored {text.name(path)}, {text.size(item.size)}.")


def empty(
    choice: Buckets,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="30d", help="Only what was deleted longer ago: 12h, 30d, 4w."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    *,
    shared: Shared,
) -> None:
    """Delete for good what is in the trash, here and in the buckets.

    The time counts from the deletion, however old the content is. Versions stay: a lifecycle rule
    of the bucket ends them.
    """
    from buckia.cli.ask import confirm
    from buckia.rules import seconds
    from buckia.runs.expiry import older

    age = seconds(older_than) if older_than is not None else None
    if not (yes or can_ask()):
        raise UsageError("trash empty asks, and there is no terminal to ask in: say --yes")
    with opened(shared) as session:
        with session.project.trash(choice.wanted, alone=True) as trash:
            kept = trash.kept() if age is None else older(trash.kept(), age)
            size = text.size(sum(item.size for item in kept))
            about = f"{text.count_of(len(kept), 'file')}, {size}"
            if kept and not yes and not confirm(f"Delete {about} for good?"):
                raise BuckiaError("the answer was no; nothing was changed")
            with session.changing():
                trash.empty(kept)
        session.note(f"Deleted for good: {about}." if kept else "Nothing to delete.")
