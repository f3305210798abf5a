"""What a folder lacks to be what a manifest says: values in, values out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from buckia import manifest
from buckia.manifest import File, Manifest
from buckia.model import Entry
from buckia.runs.pulling.differences import Known, Work, compare, spans


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def published(**files: str) -> Manifest:
    return manifest.make(
        2, (File(path, len(text), digest(text), "text/plain") for path, text in files.items())
    )


def here(**files: str) -> dict[str, Entry]:
    return {
        path: Entry(path, len(text), sha256=digest(text), version=digest(text))
        for path, text in files.items()
    }


def pulled(**files: str) -> dict[str, list[Known]]:
    return {path: [Known(path, digest(text), digest(text))] for path, text in files.items()}


def names(work: Work) -> Mapping[str, object]:
    return {
        "fetch": [file.path for file in work.fetch],
        "removed": list(work.removed),
        "kept": sorted(work.kept),
        "in_way": sorted(work.in_way),
    }


def test_a_name_of_another_case_goes_before_the_new_one_comes() -> None:
    """On some disks the two are one file: removed afterwards, the new one would be gone. So it
    comes anew although it may look right."""
    both = here(logo="1", Logo="1")
    work = compare(published(logo="1"), pulled(Logo="1"), both)
    assert names(work) == {
        "fetch": ["logo"],
        "removed": ["Logo"],
        "kept": ["logo"],
        "in_way": ["Logo"],
    }


def test_a_folder_of_another_case_is_in_the_way() -> None:
    found = manifest.make(2, [File("a/b", 1, digest("1"), "text/plain")])
    work = compare(found, pulled(A="2"), here(A="2"))
    assert names(work) == {"fetch": ["a/b"], "removed": ["A"], "kept": [], "in_way": ["A"]}


def test_a_database_is_right_by_what_was_made_of_it() -> None:
    """Its bytes may be others after it was replaced through SQLite; with other rows it is not."""
    known = {"db": [Known("db", digest("new"), "rows:1")]}
    same = {"db": Entry("db", 9, sha256=digest("same rows"), logical="rows:1", version="rows:1")}
    other = {"db": Entry("db", 9, sha256=digest("other"), logical="rows:2", version="rows:2")}
    assert names(compare(published(db="new"), known, same))["fetch"] == []
    assert names(compare(published(db="new"), known, other))["kept"] == ["db"]
    assert names(compare(published(db="newer"), known, same)) == {
        "fetch": ["db"],
        "removed": [],
        "kept": [],
        "in_way": [],
    }


def test_equal_digests_of_other_sizes_are_not_equal() -> None:
    found = manifest.make(2, [File("a", 2, digest("1"), "text/plain")])
    assert names(compare(found, {}, here(a="1")))["fetch"] == ["a"]


def test_what_two_runs_meant_to_put_there_is_ours() -> None:
    """One that was cut, and the one before."""
    known = {"a": [*pulled(a="1")["a"], *pulled(a="2")["a"]]}
    for text in ("1", "2"):
        assert names(compare(published(a="3"), known, here(a=text)))["kept"] == []
    assert names(compare(published(a="3"), known, here(a="4")))["kept"] == ["a"]


@given(st.sets(st.integers(0, 30)), st.integers(1, 5), st.data())
def test_spans_are_the_blocks_and_nothing_else(
    missing: set[int], block: int, data: st.DataObject
) -> None:
    """Each missing byte once, in as few parts as there are runs, none beyond the file."""
    most = max(missing, default=0)
    size = data.draw(st.integers(most * block + 1, (most + 3) * block))
    parts = list(spans(sorted(missing), block, size))
    told = [at for first, last in parts for at in range(first, last + 1)]
    assert told == [at for at in range(size) if at // block in missing]
    runs = sum(index - 1 not in missing for index in missing)
    assert len(parts) == runs
