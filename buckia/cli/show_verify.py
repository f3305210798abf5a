"""What a verification found, on one screen and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from buckia import documents, text
from buckia.cli.rows import Rows
from buckia.cli.show import FOLD
from buckia.model import Content
from buckia.sides.verify import Finding, Kind, Verified

_MEANS: Final = {
    Kind.CHANGED: "not what was recorded",
    Kind.DAMAGED: "other bytes than it was told to hold",
    Kind.MISSING: "recorded, and not here",
    Kind.VANISHED: "recorded, and not in the bucket",
    Kind.NEW: "here, and not recorded",
    Kind.FOREIGN: "in the bucket, and not recorded",
    Kind.SETTING: "not as declared",
}


def document(found: Sequence[Verified]) -> bytes:
    """The verification as JSON, one finding a line; `schemas/verify.schema.json` describes it."""
    counts = ("provider", "bucket", "serial", "recorded", "local", "remote", "read", "reread")
    head = {
        "format": "buckia.verify",
        "format_version": "1.0",
        "same": not any(item.findings for item in found),
        "complete": not any(item.unread for item in found),
        "buckets": {item.name: {name: getattr(item, name) for name in counts} for item in found},
    }
    unread = [
        {"bucket": item.name, "place": skipped.place, "why": skipped.why}
        for item in found
        for skipped in item.unread
    ]
    findings = [finding for item in found for finding in item.findings]
    return documents.render(head, {"findings": findings, "unread": unread})


def view(found: Sequence[Verified], *, everything: bool = False) -> Group:
    """A few lines a bucket, and the keys that differ. Long lists are folded unless `everything`."""
    parts: list[RenderableType] = []
    for item in found:
        parts += [Text()] if parts else []
        parts += _bucket(item, everything)
    return Group(*parts)


def _bucket(item: Verified, everything: bool) -> Iterator[RenderableType]:
    known = f"{text.count_of(item.recorded, 'file')} at serial {item.serial}"
    about = f"  {item.provider} {text.visible(item.bucket)}, "
    about += known if item.serial else "never applied"
    yield Text.assemble((text.name(item.name), "bold"), (about, "dim"))
    looked = (
        f"{text.count_of(item.local, 'file')} here, {text.count_of(item.remote, 'object')} there"
    )
    if item.read or item.reread:
        looked += f", {item.reread:,} and {item.read:,} read whole"
    if not item.findings:
        yield Text(f"  as recorded: {looked}", "green")
    else:
        yield Text(f"  not as recorded: {looked}", "bold red")

    def sort(finding: Finding) -> tuple[str, Kind]:
        return finding.side, finding.kind

    for (side, kind), items in groupby(sorted(item.findings, key=sort), sort):
        same = list(items)
        what = "setting" if kind is Kind.SETTING else "file"
        note = f"  {text.count_of(len(same), what)}, {_MEANS[kind]}"
        yield Text.assemble("  ", (f"{side} {kind}", "yellow"), (note, "dim"))
        yield Rows([_row(finding) for finding in same], None if everything else FOLD)
    for skipped in item.unread:
        yield Text(f"  unread  {text.name(skipped.place)}  {text.visible(skipped.why)}", "bold red")


def _row(finding: Finding) -> tuple[str, str]:
    both = [_told(content) for content in (finding.found, finding.recorded) if content]
    return text.name(finding.key), ", was ".join(both)


def _told(content: Content) -> str:
    return f"{text.size(content.size)} {text.digest(content)}"
