"""The page of a plan as one HTML file that loads nothing. Pure; equal plans give equal bytes.

A strict policy stands in it (`default-src 'none'`): its one style and its one script run because
their hashes are named, pictures are in it, and nothing else is let in. The actions are data in a
block that no browser runs, and the script puts them on the page as text.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from msgspec import Struct

from buckia import text
from buckia.planfile import Plan
from buckia.report import groups
from buckia.report.ops import RANK, Kind, kind_of, words_of
from buckia.report.page import Claim, Group, Row, State
from buckia.report.previews import NOT_AT_HAND, Picture, Preview, Previews
from buckia.report.reading import page_of

SHOWN: Final = 100
"""Rows of a list that stand in the page itself; the list of all actions has every one."""

_TEMPLATES: Final = Path(__file__).parent / "templates"
_LABELS: Final = {
    State.READY: "can be applied",
    State.NOTHING: "nothing to do",
    State.REFUSED: "cannot be applied",
}


def page(plan: Plan, previews: Previews = NOT_AT_HAND) -> str:
    """The file. `previews` are what was at hand of the contents themselves."""
    style, script = _file("report.css"), _file("report.js")
    read = page_of(plan)
    return (
        _environment()
        .get_template("report.html")
        .render(
            page=read,
            label=_LABELS[read.state],
            tiles=_tiles(plan),
            previews=_inside(plan, previews),
            claims=_claims(plan, read.conflicts, previews),
            at_hand=previews.at_hand,
            verb="plan" if plan.kind == "sync" else "promote",
            notes=previews.notes,
            data=_data(plan),
            style=style,
            script=script,
            policy=_policy(style, script),
            shown=SHOWN,
            count=len(plan.actions),
        )
    )


def _policy(style: str, script: str) -> str:
    """The content security policy (www.w3.org/TR/CSP3): only these two, and pictures inside."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(inline: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


@cache
def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "size": text.size,
        "count": text.count_of,
        "uri": _uri,
        "rows": lambda found: sum(len(group.rows) for group in found),
        "words": _words,
        "capitalised": lambda words: words[:1].upper() + words[1:],
    }
    return made


def _uri(picture: Picture) -> str:
    return f"data:{picture.type};base64,{b64encode(picture.data).decode()}"


def _words(group: Group) -> str:
    return " ".join(word for word in (group.lead, group.place) if word)


class _Tile(Struct, frozen=True):
    """How many actions of a sort there are, and of how many bytes."""

    word: str
    kind: str
    count: int
    bytes: int


def _tiles(plan: Plan) -> list[_Tile]:
    counts: dict[tuple[str, str], list[int]] = {}
    for item in sorted(plan.actions, key=lambda item: RANK[item.op]):
        words = words_of(item)
        known = item.content or item.expect
        size = known.size if known and words.kind in (Kind.WRITE, Kind.DELETE) else 0
        counts.setdefault((words.todo, words.kind), []).append(size)
    return [_Tile(word, kind, len(sizes), sum(sizes)) for (word, kind), sizes in counts.items()]


class _Told(Struct, frozen=True):
    """An action as the heading of its preview."""

    row: Row
    word: str


_BARE: Final = Preview()


def _inside(plan: Plan, previews: Previews) -> list[tuple[_Told, Preview]]:
    """Whatever can be said about contents, settings aside, which stand with their bucket."""
    return [
        (_Told(groups.row_of(item), words_of(item).todo), previews.of.get(item.id, _BARE))
        for item in plan.actions
        if item.id in previews.of or (item.changes and kind_of(item) is not Kind.SETTING)
    ]


def _claims(
    plan: Plan, told: tuple[Claim, ...], previews: Previews
) -> list[tuple[Claim, Preview | None]]:
    """Conflicts as they are told, in the order of the plan, with what there is to see of each."""
    found = (previews.claims.get((item.bucket, item.key)) for item in plan.conflicts)
    return list(zip(told, found, strict=True))


# -- the actions as data ---------------------------------------------------------------------------


class _Table:
    """Words by number, since a hundred thousand actions share a few."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self.words.setdefault(word, len(self.words))


def _data(plan: Plan) -> str:
    """The actions as JSON that cannot end the element it stands in, nor begin another."""
    kinds = {words_of(item).todo: words_of(item).kind for item in plan.actions}
    words, buckets, undos, reasons = (_Table() for _ in range(4))
    rows = []
    for item in plan.actions:
        row = groups.row_of(item)
        fields: list[Any] = [
            words.number(words_of(item).todo),
            buckets.number(text.name(item.bucket)),
            row.name,
            row.sign,
            row.bytes,
            item.expect.size if item.expect and item.content else -1,
            undos.number(item.undo or ""),
            reasons.number(text.visible(item.reason.replace("_", " "))),
            text.digest(item.content) if item.content else "",
            text.digest(item.expect) if item.expect else "",
            row.note,
            item.id,
            row.changes,
        ]
        while fields[-1] in ("", ()):
            fields.pop()
        rows.append(fields)
    value = {
        "words": [[word, kinds[word]] for word in words.words],
        "buckets": list(buckets.words),
        "undos": list(undos.words),
        "reasons": list(reasons.words),
        "actions": rows,
    }
    return _inert(msgspec.json.encode(value).decode())


def _inert(json: str) -> str:
    """JSON in which no character means anything to HTML."""
    for char in "<>&\u2028\u2029":
        json = json.replace(char, f"\\u{ord(char):04x}")
    return json
