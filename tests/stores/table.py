"""The table of clauses and stores: `python -m tests.stores.table` tries the contract, prints it and
writes it into docs/providers.md.

Names of clauses try those alone. With `--again` it tries what needs a Ceph gateway, says where the
record differs, and changes nothing: `.ci/run` does, and `make test` sees to the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from buckia.headers import ALL
from buckia.stores.s3_services import SERVICES, Service
from tests.stores import record
from tests.stores.kinds import KINDS
from tests.stores.record import Record

PAGE: Final = Path(__file__).parents[2] / "docs" / "providers.md"

KEPT: Final = "✓"

WORDS: Final[dict[tuple[str, bool], str]] = {
    ("create_if_absent", False): "looks",
    ("replace_if_match", False): "looks",
    ("delete_if_match", False): "looks",
    ("guarded", True): "looks if large",
    ("guards_copies", False): "looks",
    ("copy", False): "no copy",
    ("versions", False): "no versions",
    ("headers", False): "no headers",
    ("headers_in_place", False): "by upload only",
    ("folders", True): "paths",
}
"""What a clause expects where a store claims less, or something else."""

FLAGS: Final = {
    "digests": "digests in listings",
    "create_if_absent": "creates only what is absent, atomically",
    "replace_if_match": "replaces only the version named, atomically",
    "delete_if_match": "deletes only the version named, atomically",
    "guarded": "creates and replaces so only what is not sent in parts",
    "copy": "copies inside the service",
    "guards_copies": "copies under the same conditions",
    "versions": "what is overwritten or deleted remains as a version",
    "headers": "headers it sets with an upload",
    "headers_in_place": "changes headers without an upload, and tells them",
    "folders": "keys are paths of files",
}
"""Each claim, in words."""


def page() -> str:
    """docs/providers.md with its tables as the code and the record have them."""
    text = PAGE.read_text("utf-8")
    told = record.read()
    tables = {
        "claims": claims(told),
        "kinds": kinds(),
        "clauses": clauses(told),
        "services": services(),
    }
    for name, rows in tables.items():
        table = f"<!-- {name} -->\n\n" + "\n".join(rows) + "\n\n<!-- end -->"
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        text = before + table + rest.partition("<!-- end -->")[2]
    return text


def clauses(told: Record) -> Iterator[str]:
    """A row a clause, a column a store."""
    yield _row("Clause", *(kind.title for kind in KINDS.values()))
    yield "|---|" + ":-:|" * len(KINDS)
    for name, sentence in record.clauses().items():
        clause = told["clauses"].get(name, {"asks": [], "cases": {}})
        yield _row(sentence, *(_cell(told, clause, kind) for kind in KINDS))


def _cell(told: Record, clause: Any, kind: str) -> str:
    if not clause["cases"].get(kind):
        return "not tried"
    claimed = told["kinds"][kind]
    words = [
        WORDS.get((flag, bool(claimed[flag])), "") for flag in clause["asks"] if flag in claimed
    ]
    return ", ".join(dict.fromkeys(filter(None, words))) or KEPT


def claims(told: Record) -> Iterator[str]:
    """What each store claims, as it said when it was tried."""
    yield _row("Claim", *(kind.title for kind in KINDS.values()))
    yield "|---|" + ":-:|" * len(KINDS)
    for flag, words in FLAGS.items():
        yield _row(words, *(_claim(told["kinds"].get(kind, {}).get(flag)) for kind in KINDS))


def _claim(value: object) -> str:
    if isinstance(value, list):
        left = sorted(ALL - set(value)) if value and set(value) <= ALL else [""] * 2
        whole = "all" if not left else f"all but {left[0]}"
        return whole if len(left) < 2 else " ".join(value) or "-"
    return "yes" if value else "-"


def kinds() -> Iterator[str]:
    """What each column is about."""
    yield from (f"- **{kind.title}**: {kind.what}" for kind in KINDS.values())


def services() -> Iterator[str]:
    """The rows of the S3 family, and what is odd about each."""
    yield _row(
        "Service", "Known by its host", "Address of a region", "Bucket in", "Enforces", "Checksums"
    )
    yield "|---|---|---|---|---|---|"
    for service in SERVICES:
        yield _row(
            f"`{service.name}`",
            f"`{service.hosts}`".replace("|", "\\|") if service.hosts else "",
            f"`{service.endpoint}`" if service.endpoint else "",
            "host" if service.virtual else "path",
            _enforced(service),
            "CRC32" if service.crc32 else "MD5",
        )
    yield ""
    for service in SERVICES:
        told = [f"{quirk.what} ({quirk.source})" for quirk in service.quirks if quirk.sure]
        doubts = [f"{quirk.what} ({quirk.source})" for quirk in service.quirks if not quirk.sure]
        told += [f"unconfirmed: {', '.join(doubts)}"] if doubts else []
        if told:
            yield f"- **{service.name}**: {'; '.join(told)}"


def _enforced(service: Service) -> str:
    flags = service.conditions
    names = [name for name in flags.__struct_fields__ if getattr(flags, name)]
    return "all" if len(names) == len(flags.__struct_fields__) else ", ".join(names) or "nothing"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(words: list[str]) -> int:
    """Try the contract; write the record and the page, or say where they differ; an exit code."""
    again = words == ["--again"]
    everything = "rgw or not rgw" if record.has_gateway() else "not rgw"
    found = record.run("rgw") if again else record.run(everything, words)
    if found is None:
        print("the contract is broken: nothing is recorded")
        return 1
    old = record.read()
    new = record.merged(old, found)
    if again:
        return _compare(old, new)
    record.write(new)
    PAGE.write_text(page(), encoding="utf-8")
    print("\n".join([*clauses(new), "", *claims(new)]))
    return 0


def _compare(old: Record, new: Record) -> int:
    """Say what is not as it was recorded; an exit code."""
    differing = [
        name
        for part in ("kinds", "clauses")
        for name in {**old[part], **new[part]}
        if old[part].get(name) != new[part].get(name)
    ]
    for name in differing:
        print(
            f"{name}: not as recorded; run `python -m tests.stores.table` and commit what it says"
        )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
