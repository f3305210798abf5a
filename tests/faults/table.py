"""Every fault there is a test for, and what buckia makes of it: the rows of docs/faults.md.

All rows are about the same world, `tests.tampering.eventful`: a file to upload (`fresh`) and one to
replace (`mine`), an object to download (`there`) and one that replaces a file (`theirs`), a rename
(`old` to `renamed`), a deletion in the bucket (`gone`) and one on the disk (`lost`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tests.faults.store import Fault, Kind
from tests.servers.fault_proxy import Ill, Rule


class Ends(StrEnum):
    """How the command ends, and with that what is recorded."""

    DONE = "0"
    """All is done and recorded."""
    STALE = "4"
    """Nothing is changed or recorded."""
    INCOMPLETE = "5"
    """What is done is recorded, nothing is deleted, the same plan resumes."""
    BLOCKED = "6"
    """Nothing is changed or recorded."""
    UNREACHABLE = "8"
    """Nothing is changed or recorded."""


@dataclass(frozen=True)
class Row:
    """A fault, where it strikes, what is done about it, how the run ends.

    most      requests of the kind that is struck, at most; None: not counted
    believed  a lie that nothing but a later look can show
    """

    during: str
    fault: str
    does: str
    ends: Ends
    strikes: tuple[Fault | Rule, ...]
    most: int | None = None
    believed: bool = False

    @property
    def level(self) -> str:
        """The store's own interface, or its line to the server."""
        return "store" if isinstance(self.strikes[0], Fault) else "HTTP"


ATTEMPTS: Final = 5
"""How often a request is sent at most."""

PLAN, DIFFERS = "plan refuses the side", "preflight finds it otherwise: refused"
FAILED = "the action fails, nothing is deleted, the same plan resumes"
LEFT = "the action fails, the same plan resumes"
FOUND = "the action fails; the same plan finds it done"


def store(kind: Kind, call: str, key: str = "", **more: int) -> tuple[Fault]:
    return (Fault(kind, call, key, **more),)


def _writes(call: str, key: str, what: str) -> list[Row]:
    """The faults of one write at the store's interface."""
    failed = LEFT if call == "delete" else FAILED
    return [
        Row(what, "an error before the effect", failed, Ends.INCOMPLETE,
            store(Kind.REFUSED, call, key)),
        Row(what, "an error after the effect", FOUND, Ends.INCOMPLETE,
            store(Kind.ACTED, call, key)),
        Row(what, "a condition that fails for no reason", failed, Ends.INCOMPLETE,
            store(Kind.CONDITION, call, key)),
    ]  # fmt: skip


STORE: Final = (
    Row("listing, plan", "no answer", PLAN, Ends.UNREACHABLE, store(Kind.REFUSED, "entries")),
    Row("listing, plan", "an error half-way", PLAN, Ends.UNREACHABLE, store(Kind.PART, "entries")),
    Row("listing, plan", "keys out of order", PLAN, Ends.UNREACHABLE,
        store(Kind.TWISTED, "entries")),
    Row("listing, plan", "empty, as if nothing were there",
        "the plan is blocked: an empty side deletes nothing", Ends.BLOCKED,
        store(Kind.EMPTY, "entries")),
    Row("listing, plan", "shorter, as if the rest were gone", DIFFERS, Ends.STALE,
        store(Kind.SHORT, "entries")),
    Row("listing, plan", "wrong versions", DIFFERS, Ends.STALE, store(Kind.VERSIONS, "entries")),
    Row("listing, plan", "wrong digests", "the bytes are held against them: the download fails",
        Ends.INCOMPLETE, store(Kind.DIGESTS, "entries")),
    Row("look, apply", "no answer", "nothing is begun", Ends.UNREACHABLE,
        store(Kind.REFUSED, "head", "mine")),
    Row("look, apply", "a wrong version", DIFFERS, Ends.STALE,
        store(Kind.VERSIONS, "head", "mine")),
    Row("look, apply", "wrong digests", "only versions count: no harm", Ends.DONE,
        store(Kind.DIGESTS, "head", "mine")),
    *_writes("put", "fresh", "upload"),
    Row("upload", "success, and yet not done",
        "believed; the next plan shows the object missing", Ends.DONE,
        store(Kind.PRETENDED, "put", "fresh"), believed=True),
    *_writes("put", "mine", "replacement"),
    *_writes("copy", "renamed", "rename, the copy"),
    Row("rename, the copy", "success, and yet not done",
        "the old object is kept: a look finds no new one", Ends.INCOMPLETE,
        store(Kind.PRETENDED, "copy", "renamed")),
    *_writes("delete", "old", "rename, the old name"),
    *_writes("delete", "gone", "deletion"),
    Row("deletion", "success, and yet not done",
        "believed; the next plan shows the object as new", Ends.DONE,
        store(Kind.PRETENDED, "delete", "gone"), believed=True),
    *(Row("copy to the trash", fault, "nothing is overwritten or deleted that is not kept",
          Ends.INCOMPLETE, (Fault(kind, "copy", ".buckia/trash/*"),))
      for fault, kind in (("an error before the effect", Kind.REFUSED),
                          ("an error after the effect", Kind.ACTED),
                          ("success, and yet not done", Kind.PRETENDED))),
    Row("download", "no answer", FAILED, Ends.INCOMPLETE, store(Kind.REFUSED, "open", "there")),
    Row("download", "another version by now", FAILED, Ends.INCOMPLETE,
        store(Kind.CONDITION, "open", "there")),
    Row("download", "a body that ends early", "never seen under its name: " + FAILED,
        Ends.INCOMPLETE, store(Kind.CUT, "open", "theirs")),
    Row("download", "a body that breaks off", "never seen under its name: " + FAILED,
        Ends.INCOMPLETE, store(Kind.BROKEN, "open", "theirs")),
    Row("download", "other bytes", "never seen under its name: " + FAILED, Ends.INCOMPLETE,
        store(Kind.FLIPPED, "open", "theirs")),
    Row("download", "a slow drip", "waited for", Ends.DONE, store(Kind.DRIP, "open", "theirs")),
)  # fmt: skip


LIST, FRESH, MINE = "list-type=2", r"/fresh$", r"/mine$"


def http(ill: Ill, method: str, place: str, **more: int | str) -> tuple[Rule]:
    return (Rule(ill, method, place, **more),)  # type: ignore[arg-type]


def _retried(method: str, place: str, what: str) -> list[Row]:
    """A fault that passes, and the same one that stays: on any request."""
    last = Ends.UNREACHABLE if "plan" in what or "look" in what else Ends.INCOMPLETE
    faults = (
        ("the connection is reset, once", Rule(Ill.RESET, times=1)),
        ("500, once", Rule(Ill.SAYS, times=1)),
        ("503 SlowDown, once", Rule(Ill.SAYS, times=1, status=503, code="SlowDown")),
        (
            "503 with Retry-After, twice",
            Rule(Ill.SAYS, times=2, status=503, code="SlowDown", after="1"),
        ),
        (
            "429 with Retry-After, twice",
            Rule(Ill.SAYS, times=2, status=429, code="SlowDown", after="1"),
        ),
    )
    return [
        *(Row(what, fault, _patience(rule), Ends.DONE,
              (replace(rule, method=method, place=place),))
          for fault, rule in faults),
        Row(what, "503 SlowDown, for ever", f"given up after {ATTEMPTS} attempts", last,
            http(Ill.SAYS, method, place, status=503, code="SlowDown"), most=ATTEMPTS),
        Row(what, "503 with Retry-After of an hour", LATER.get(what, SECOND), last,
            http(Ill.SAYS, method, place, status=503, code="SlowDown", after="3600"),
            most=ATTEMPTS),
    ]  # fmt: skip


def _silent(method: str, place: str, what: str, *, ever: bool = False) -> list[Row]:
    """A request that nobody answers."""
    last = Ends.UNREACHABLE if "plan" in what or "look" in what else Ends.INCOMPLETE
    never = Row(
        what,
        "never an answer",
        f"given up after {ATTEMPTS} attempts",
        last,
        http(Ill.SILENT, method, place),
        most=ATTEMPTS,
    )
    return [
        Row(what, "no answer, once", "sent again when its time is up", Ends.DONE,
            http(Ill.SILENT, method, place, times=1)),
        *([never] if ever else []),
    ]  # fmt: skip


SECOND: Final = "given up at the second answer that says so"
LATER: Final = {"listing, plan": "given up at once"}
"""How the road of a request shows where a service asks for patience."""


def _patience(rule: Rule) -> str:
    if rule.after is None:
        return "sent again after a pause"
    return "sent again, from the second answer on no sooner than asked"


def _refused(method: str, place: str, what: str) -> list[Row]:
    """Answers that no repetition betters."""
    last = Ends.UNREACHABLE if "plan" in what or "look" in what else Ends.INCOMPLETE
    return [
        Row(what, "403 RequestTimeTooSkewed", "told to set the clock, sent once", last,
            http(Ill.SAYS, method, place, status=403, code="RequestTimeTooSkewed"), most=1),
        Row(what, "403 AccessDenied", "told to check the rights, sent once", last,
            http(Ill.SAYS, method, place, status=403, code="AccessDenied"), most=1),
    ]  # fmt: skip


def _lost(method: str, place: str, what: str) -> list[Row]:
    """Writes that happened, and whose answer says otherwise or never comes."""
    own = "sent again; the condition fails against its own success, which is recognised"
    return [
        Row(what, "done, the answer lost", own, Ends.DONE,
            http(Ill.SWALLOWED, method, place, times=1), most=2),
        Row(what, "done, the answer 500", own, Ends.DONE,
            http(Ill.ACTED, method, place, times=1), most=2),
    ]  # fmt: skip


HTTP: Final = (
    *_retried("GET", LIST, "listing, plan"),
    *_refused("GET", LIST, "listing, plan"),
    Row("listing, plan", "reset in the middle of the body, once", "asked again", Ends.DONE,
        http(Ill.MIDWAY, "GET", LIST, times=1), most=3),
    Row("listing, plan", "a body shorter than announced", PLAN, Ends.UNREACHABLE,
        http(Ill.SHORT, "GET", LIST), most=ATTEMPTS),
    Row("listing, plan", "more to come and no token", PLAN, Ends.UNREACHABLE,
        http(Ill.NO_TOKEN, "GET", LIST)),
    Row("listing, plan", "a token that repeats itself", PLAN, Ends.UNREACHABLE,
        http(Ill.SAME_TOKEN, "GET", LIST), most=2),
    Row("listing, plan", "keys out of order", PLAN, Ends.UNREACHABLE,
        http(Ill.TWISTED, "GET", LIST)),
    Row("listing, plan", "empty, as if nothing were there",
        "the plan is blocked: an empty side deletes nothing", Ends.BLOCKED,
        http(Ill.EMPTY, "GET", LIST)),
    Row("listing, plan", "shorter, as if the rest were gone", DIFFERS, Ends.STALE,
        http(Ill.PART, "GET", LIST)),
    Row("listing, plan", "a slow drip", "waited for", Ends.DONE, http(Ill.DRIP, "GET", LIST)),
    *_silent("GET", LIST, "listing, plan", ever=True),
    *_retried("HEAD", MINE, "look, apply"),
    *_silent("HEAD", MINE, "look, apply"),
    *_refused("HEAD", MINE, "look, apply"),
    Row("look, apply", "a wrong ETag", DIFFERS, Ends.STALE, http(Ill.TAG, "HEAD", MINE)),
    *_retried("PUT", FRESH, "upload"),
    *_refused("PUT", FRESH, "upload"),
    *_silent("PUT", FRESH, "upload", ever=True),
    *_lost("PUT", FRESH, "upload"),
    Row("upload", "409 ConditionalRequestConflict, once", "sent again after a pause", Ends.DONE,
        http(Ill.SAYS, "PUT", FRESH, times=1, status=409, code="ConditionalRequestConflict"),
        most=2),
    Row("upload", "412 PreconditionFailed", "not sent again: " + FAILED, Ends.INCOMPLETE,
        http(Ill.SAYS, "PUT", FRESH, status=412, code="PreconditionFailed"), most=1),
    Row("upload", "a wrong ETag", "a look finds another: " + FOUND, Ends.INCOMPLETE,
        http(Ill.TAG, "PUT", FRESH)),
    Row("upload", "no ETag", "looked at afterwards", Ends.DONE, http(Ill.UNTAGGED, "PUT", FRESH)),
    Row("upload", "success with a wrong ETag, and yet not done", "a look finds nothing: " + FAILED,
        Ends.INCOMPLETE, http(Ill.PRETENDED, "PUT", FRESH)),
    *_lost("PUT", MINE, "replacement"),
    *_lost("PUT", r"/renamed$", "rename, the copy"),
    Row("rename, the copy", "success, and yet not done", "a look finds nothing: " + FAILED,
        Ends.INCOMPLETE, http(Ill.PRETENDED, "PUT", r"/renamed$")),
    *_retried("DELETE", r"/gone$", "deletion"),
    *_lost("DELETE", r"/gone$", "deletion"),
    *_silent("DELETE", r"/gone$", "deletion"),
    *_lost("DELETE", r"/old$", "rename, the old name"),
    *_retried("PUT", r"/\.buckia/trash/", "copy to the trash"),
    *_lost("PUT", r"/\.buckia/trash/", "copy to the trash"),
    *_retried("GET", r"/there$", "download"),
    *_refused("GET", r"/there$", "download"),
    *_silent("GET", r"/there$", "download"),
    Row("download", "reset in the middle of the body, once", "taken up where it ended", Ends.DONE,
        http(Ill.MIDWAY, "GET", r"/theirs$", times=1)),
    Row("download", "a body shorter than announced, for ever",
        "never seen under its name: " + FAILED, Ends.INCOMPLETE,
        http(Ill.SHORT, "GET", r"/theirs$")),
    Row("download", "other bytes", "never seen under its name: " + FAILED, Ends.INCOMPLETE,
        http(Ill.FLIPPED, "GET", r"/theirs$")),
    Row("download", "412 PreconditionFailed", "not sent again: " + FAILED, Ends.INCOMPLETE,
        http(Ill.SAYS, "GET", r"/there$", status=412, code="PreconditionFailed"), most=1),
    Row("download", "a slow drip", "waited for", Ends.DONE, http(Ill.DRIP, "GET", r"/theirs$")),
    Row("download", "a late answer", "waited for", Ends.DONE, http(Ill.LATE, "GET", r"/theirs$")),
)  # fmt: skip

ROWS: Final = (*STORE, *HTTP)
