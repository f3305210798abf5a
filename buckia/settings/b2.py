"""The settings of Backblaze B2's buckets. Pure.

Names and rules are those of the native API ("Lifecycle rules", "CORS rules", `b2_update_bucket`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from buckia.settings.kind import Complaint, Kind, Kinds
from buckia.settings.shape import Field, Shape

_LIFECYCLE: Final = Shape(
    (
        Field("prefix", "fileNamePrefix"),
        Field("hide_after_days", "daysFromUploadingToHiding"),
        Field("delete_hidden_after_days", "daysFromHidingToDeleting"),
        Field("cancel_unfinished_after_days", "daysFromStartingToCancelingUnfinishedLargeFiles"),
    )
)
_CORS: Final = Shape(
    (
        Field("name", "corsRuleName"),
        Field("allowed_origins", "allowedOrigins", unordered=True),
        Field("allowed_operations", "allowedOperations", unordered=True),
        Field("allowed_headers", "allowedHeaders", [], unordered=True),
        Field("expose_headers", "exposeHeaders", [], unordered=True),
        Field("max_age_seconds", "maxAgeSeconds", 0),
    )
)
_TYPES: Final = {"private": "allPrivate", "public": "allPublic"}
_SSE_B2: Final = {"mode": "SSE-B2", "algorithm": "AES256"}


def _by_prefix(said: Any) -> list[Any]:
    """Rules by their prefixes: their order means nothing."""
    rules = [{"prefix": "", **_LIFECYCLE.canonical(rule)} for rule in said]
    return sorted(rules, key=lambda rule: str(rule["prefix"]))


def _read_lifecycle(told: Any) -> list[Any] | None:
    return _by_prefix([_LIFECYCLE.read(rule) for rule in told]) or None


def _write_cors(document: Any) -> list[Any]:
    return [{"maxAgeSeconds": 0, **_CORS.write(rule)} for rule in document]


def _once(part: str, words: str) -> Callable[[Any], Iterator[Complaint]]:
    def complain(said: Any) -> Iterator[Complaint]:
        counts = Counter(rule.get(part, "") for rule in said)
        for number, rule in enumerate(said):
            if counts[rule.get(part, "")] > 1:
                yield (number,), f"two rules {words} `{rule.get(part, '')}`"

    return complain


def _complain_lifecycle(said: Any) -> Iterator[Complaint]:
    yield from _once("prefix", "are for the prefix")(said)
    for number, rule in enumerate(said):
        if not rule.keys() - {"prefix"}:
            yield (number,), "does not say what is to happen: no `hide_after_days` or its like"


B2: Final[Kinds] = {
    "bucket_type": Kind(
        read=lambda told: {word: name for name, word in _TYPES.items()}.get(told, told),
        write=lambda document: _TYPES.get(document, document),
        removable=False,
    ),
    "lifecycle": Kind(
        _by_prefix,
        _read_lifecycle,
        lambda document: [_LIFECYCLE.write(rule) for rule in document or ()],
        complain=_complain_lifecycle,
    ),
    "cors": Kind(
        lambda said: [_CORS.canonical(rule) for rule in said],
        lambda told: [_CORS.read(rule) for rule in told] or None,
        lambda document: _write_cors(document or ()),
        complain=_once("name", "are called"),
    ),
    "default_encryption": Kind(
        read=lambda told: "sse_b2" if (told or {}).get("mode") == "SSE-B2" else None,
        write=lambda document: _SSE_B2,
        removable=False,  # b2sdk does not let it be switched off
    ),
}
