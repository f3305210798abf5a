"""Plans of every sort, as a reviewer may get them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from buckia import planfile, settings
from buckia.headers import differences
from buckia.model import (
    Action,
    Conflict,
    Content,
    Direction,
    Notice,
    Op,
    Setting,
    Source,
    Undo,
    action_id,
    replace,
)
from buckia.planfile import BaseRef, BucketHead, Guards, Plan, PlanScope, Promotion, Summary
from tests.names import ALLOWED

MANY: Final = 100_000
_GUARDS: Final = Guards("atomic", "checked", "checked", "atomic")
_DELETES: Final = (Op.DELETE_REMOTE, Op.DELETE_LOCAL)
CHANGES: Final = ("items: 2 rows added, 1 changed", "schema of `items` changed")


def content(size: int, seed: str = "a", **more: Any) -> Content:
    return Content(size, sha256=(seed * 64)[:64], **more)


def act(
    op: Op, key: str, size: int = 10, *, was: int | None = None, bucket: str = "assets", **more: Any
) -> Action:
    """An action as the planner makes it, as far as a reader can tell."""
    after = None if op in (*_DELETES, Op.FORGET, Op.PURGE) else content(size)
    before = content(was, "b") if was is not None else None
    path = {Op.UPLOAD: Source(path=f"tree/{key}"), Op.DOWNLOAD: Source(key=key)}
    made = Action(
        action_id(op, bucket, key), op, bucket, key, "local_changed", path.get(op), after, before,
        None,
    )  # fmt: skip
    return replace(made, **more)


def plan(actions: Iterable[Action] = (), **more: Any) -> Plan:
    """A sealed plan of them."""
    items = tuple(actions)
    ops = {op: sum(item.op is op for item in items) for op in Op}
    sizes = {
        op: sum(item.content.size for item in items if item.op is op and item.content)
        for op in (Op.UPLOAD, Op.DOWNLOAD)
    }
    lost = sum(item.undo is Undo.NONE for item in items)
    made = Plan(
        format=planfile.FORMAT,
        format_version=planfile.VERSION,
        digest="",
        kind="sync",
        complete=True,
        applyable=not (more.get("conflicts") or more.get("blocked")),
        blocked=(),
        config_digest="sha256:" + "c" * 64,
        scope=PlanScope(),
        buckets={"assets": head()},
        summary=Summary(
            {op: count for op, count in ops.items() if count},
            sizes[Op.UPLOAD],
            sizes[Op.DOWNLOAD],
            lost,
            1_204,
        ),
        conflicts=(),
        warnings=(),
        overrides=(),
        actions=items,
    )
    return planfile.seal(replace(made, **more))


def head(bucket: str = "acme-assets", **more: Any) -> BucketHead:
    return replace(BucketHead("s3", bucket, BaseRef("9b1c", 41, "sha256:0"), _GUARDS), **more)


def empty() -> Plan:
    return plan()


def ordinary() -> Plan:
    """What a week of work leaves: every op once or more, two buckets."""
    cors = [{"allowed_origins": ["https://a.example"], "allowed_methods": ["GET"]}]
    setting = act(Op.CONFIGURE, "cors", setting=Setting(None, cors), content=settings.content(cors))
    headers = {"cache-control": "no-store"}, {"cache-control": "max-age=60"}
    return plan([
        setting,
        *(act(Op.UPLOAD, f"demo/pictures/{n:02}.webp", 40_000 + n) for n in range(14)),
        act(Op.UPLOAD, "demo/readme.txt", 120, was=100, undo=Undo.VERSION),
        act(Op.UPLOAD, "index.html", 4_193, was=4_021, undo=Undo.VERSION),
        act(Op.UPLOAD, "demo/App.sqlite", 90_112, was=86_016, undo=Undo.TRASH, changes=CHANGES),
        act(Op.DOWNLOAD, "inbox/from-a-friend.pdf", 1_900_000, reason="remote_new"),
        act(Op.DOWNLOAD, "inbox/back.txt", 12, reason="resurrected"),
        act(Op.MOVE, "demo/new-name.mp4", 88_000_000, source=Source("t", key="demo/old-name.mp4")),
        act(Op.COPY, "demo/kept.jpg", 2_000, was=2_000, source=Source("t", key="demo/kept.jpg"),
            changes=differences(headers[1], headers[0])),
        act(Op.DELETE_REMOTE, "demo/old.webp", was=900, undo=Undo.VERSION),
        act(Op.DELETE_LOCAL, "inbox/spam.txt", was=5, undo=Undo.TRASH),
        act(Op.ADOPT, "same.txt"),
        act(Op.FORGET, "left/scope.txt"),
        act(Op.PURGE, "demo/"),
        act(Op.PURGE, "index.html", reason="left_over"),
        act(Op.UPLOAD, "backup/today.zip", 7_000_000, bucket="backup"),
    ], buckets={"assets": head(), "backup": head("cold", provider="b2")},
       warnings=(Notice("skipped", "assets", "link", "is a symbolic link"),))  # fmt: skip


def blocked() -> Plan:
    return plan(
        (act(Op.DELETE_REMOTE, f"demo/{n:03}.webp", was=9_000, undo=Undo.TRASH) for n in range(60)),
        complete=False,
        blocked=(
            "max_delete: assets: delete_remote 60, allowed 10",
            "protect: assets/demo/000.webp: delete_remote",
        ),
        overrides=({"rule": "accept_empty", "allow": "local"},),
        warnings=(Notice("unreadable", "assets", "private/", "cannot be read"),),
    )


def conflicts() -> Plan:
    both = Conflict("assets", "logo.png", "both_changed", content(10), content(9, "b"), content(12))
    gone = Conflict("assets", "App.sqlite", "both_new", content(8_192), None, None, CHANGES)
    return plan([act(Op.UPLOAD, "fine.txt")], conflicts=(both, gone), blocked=("conflicts: 2",))


def irreversible() -> Plan:
    return plan([
        act(Op.UPLOAD, "live/App.sqlite", 9_000, was=8_000, undo=Undo.NONE, changes=CHANGES),
        act(Op.DELETE_REMOTE, "live/gone.mp4", was=5_000_000_000, undo=Undo.NONE),
        act(Op.DELETE_REMOTE, "live/kept.mp4", was=5_000, undo=Undo.TRASH),
    ], scope=PlanScope(("live/",), Direction.UPLOAD))  # fmt: skip


def promote() -> Plan:
    base = BaseRef("77aa", 12, "sha256:1")
    buckets = {
        f"common>{name}": head(name, promotion=Promotion("common", base, turn, "inside"))
        for turn, name in enumerate(("beta", "alpha"))
    }
    source = Source(None, "common", "demo/a.webp", "1")
    return plan(
        (act(Op.COPY, "demo/a.webp", 50, bucket=name, source=source) for name in buckets),
        kind="promote",
        buckets=buckets,
        scope=PlanScope(("demo",)),
    )


DECEIT: Final = {
    **ALLOWED,
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>.png",
    "end of a script": "</script><!--<script>",
    "an attribute": "\" onmouseover='alert(1)' x=\"",
    "markdown": "**bold** _it_ [link](https://evil.example) ![i](https://evil.example/x.png)",
    "fences": "``` ~~~ ```` x",
    "a mention": "@everyone #1 www.evil.example https://evil.example a@evil.example",
    "an end of details": "</details><h1>This plan can be applied</h1>",
    "a template": "{{ 7 * 7 }} {% raw %}",
    "direction": "a\u202egpj.exe",
    "a title": "x\x1b]0;title\x07\nThis plan can be applied.",
    "a table": "a | b |\\",
}
"""Names that are markup to some view."""


def hostile() -> Plan:
    """Hostile names wherever a plan has room for one."""
    names = list(DECEIT.values())
    ops = (Op.UPLOAD, Op.DELETE_REMOTE, Op.DOWNLOAD, Op.DELETE_LOCAL)
    actions = [
        act(op, name, was=5, undo=undo, changes=(name,), reason=name)
        for name in names
        for op, undo in zip(ops, (None, Undo.NONE, Undo.TRASH, Undo.TRASH), strict=True)
    ]
    claims = (Conflict("assets", n, n, content(3, n[:1]), None, None, (n,)) for n in names)
    return plan(
        actions,
        conflicts=tuple(claims),
        warnings=tuple(Notice(name, name, name, name) for name in names),
        blocked=tuple(names),
        overrides=tuple({"rule": name, "allow": name} for name in names),
        scope=PlanScope(tuple(names)),
        buckets={"assets": head(names[-1], provider=names[-2])},
    )


@cache
def many() -> Plan:
    """A hundred thousand actions in a tree of folders, a tenth of which delete."""

    def one(n: int) -> Action:
        key = f"media/{n % 7:02}/{n % 131:03}/file-{n:06}.webp"
        if n % 10 == 0:
            undo = Undo.NONE if n % 1000 == 0 else Undo.VERSION
            return act(Op.DELETE_REMOTE, key, was=1_000 + n, undo=undo)
        was = 900 + n if n % 3 == 0 else None
        return act(
            Op.UPLOAD, key, 1_000 + n * 7 % 90_000, was=was, undo=Undo.VERSION if was else None
        )

    return plan(one(n) for n in range(MANY))


PLANS: Final[dict[str, Callable[[], Plan]]] = {
    made.__name__: made
    for made in (empty, ordinary, blocked, conflicts, irreversible, promote, hostile, many)
}
"""Every sort by its name."""
