"""The requests of S3's three clients in one count: each is let through, counted, and judged."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from buckia.stores.s3_errors import FAILURES, is_crowded
from buckia.stores.traffic import Traffic, Turn
from buckia.stores.usage import Kind

if TYPE_CHECKING:
    from botocore.hooks import BaseEventHooks

_TURN: Final = "buckia.turn"
"""Where a request of botocore keeps its turn between two events."""

_KINDS: Final = {
    "HeadObject": Kind.LOOK,
    "GetObject": Kind.READ,
    "PutObject": Kind.WRITE,
    "CreateMultipartUpload": Kind.WRITE,
    "UploadPart": Kind.WRITE,
    "CompleteMultipartUpload": Kind.WRITE,
    "CopyObject": Kind.COPY,
    "UploadPartCopy": Kind.COPY,
    "DeleteObject": Kind.DELETE,
    "DeleteObjects": Kind.DELETE,
    "AbortMultipartUpload": Kind.DELETE,
}
"""The class of each operation; those that begin in `List` list, all others are about the bucket."""


def asking(traffic: Traffic, kind: Kind, size: int = 0) -> _Asked:
    """One request: when there is room, counted, and noted if the service has too many. `size` is
    how many bytes it takes along."""
    return _Asked(traffic.request(kind, size))


class _Asked:
    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def __enter__(self) -> Turn:
        return self._turn

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, FAILURES):
            self._turn.crowded = is_crowded(problem)
        self._turn.end(answered=problem is None)


def watch(events: BaseEventHooks, traffic: Traffic) -> None:
    """Count every request of a botocore client, whoever makes it, and let it wait for its turn."""

    def begin(model: Any, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        body = params.get("body")
        size = len(body) if isinstance(body, bytes) else 0
        context[_TURN] = traffic.request(kind_of(model.name), size)

    def send(request: Any, **_: object) -> None:
        body = request.body.getvalue() if isinstance(request.body, BytesIO) else request.body
        if traffic.slows_uploads and isinstance(body, bytes):
            request.body = traffic.slowed(body)
        else:
            traffic.sent(int(request.headers.get("Content-Length") or 0))

    def end(context: dict[str, Any], **told: Any) -> None:
        turn = context.pop(_TURN, None)
        if turn is not None:
            answer = told.get("response_dict") or {}
            status = answer.get("status_code", 0)
            turn.crowded = status in (429, 503)
            turn.end(answered=200 <= status < 300)

    events.register("before-call.s3", begin)
    events.register("before-send.s3.PutObject", send)
    events.register("before-send.s3.UploadPart", send)
    for event in ("response-received", "after-call-error", "after-call"):
        events.register(f"{event}.s3", end)


def kind_of(operation: str) -> Kind:
    """The class of an operation by its name in the API."""
    if operation.startswith("List") and operation != "ListBuckets":
        return Kind.LIST
    return _KINDS.get(operation, Kind.SETTINGS)
