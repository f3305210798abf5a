"""`buckia import`: live settings as configuration, and into the file without touching the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from buckia.config import file as config_file
from buckia.config.editing import escaped, with_settings
from buckia.config.source import read
from buckia.errors import ConfigError, StoreError
from buckia.settings.text import dump
from tests.helpers import ops
from tests.settled import CORS, PUBLIC, RULES, settled_world
from tests.strategies import examples
from tests.test_settings import declarations

SAID: Final[dict[str, Any]] = {"cors": CORS, "versioning": "enabled"}


# -- what is live ----------------------------------------------------------------------------------


def test_what_was_declared_and_applied_is_imported_as_it_is(tmp_path: Path) -> None:
    """And what nobody ever set, or declared, is left out."""
    declared = {"lifecycle": RULES, "cors": CORS, "policy": "absent", "acl": "private"}
    world, _ = settled_world(tmp_path, declared)
    world.sync()
    with world.open() as project:
        found = project.import_settings("main")
    assert found.said == declared
    assert list(found.said) == ["policy", "acl", "cors", "lifecycle"]
    assert (found.left_out, found.denied) == ({}, ())
    again = world.under(settings=found.said)
    assert ops(again.plan()) == []
    assert again.plan().config_digest == world.plan().config_digest


def test_what_somebody_set_is_imported_too(tmp_path: Path) -> None:
    """Declared as it is, there is nothing to configure."""
    world, live = settled_world(tmp_path, {})
    live.documents |= {"cors": CORS, "acl": "public-read"}
    with world.open() as project:
        found = project.import_settings("main")
    assert found.said == {"acl": "public-read", "cors": CORS}
    assert ops(world.under(settings=found.said).plan()) == []


def test_a_policy_stays_in_its_file_while_it_is_what_the_file_says(tmp_path: Path) -> None:
    """Another one is told whole."""
    world, live = settled_world(tmp_path, {"policy": "p.json"})
    (world.root / "p.json").write_text(json.dumps(PUBLIC))
    world.sync()
    with world.open() as project:
        assert project.import_settings("main").said == {"policy": "p.json"}
        live.documents["policy"] = {**PUBLIC, "Id": "theirs"}
        assert project.import_settings("main").said == {"policy": {**PUBLIC, "Id": "theirs"}}


def test_what_cannot_be_read_or_declared_is_named(tmp_path: Path) -> None:
    """A missing right by itself; what no service of this kind has is missed by nobody."""
    world, live = settled_world(tmp_path, {"cors": CORS})
    live.documents["lifecycle"] = [{"id": "a", "expire_days": 1, "Novelty": "x"}]
    live.denied = {"policy"}
    refused = live.read

    def without_versioning(wanted: Any) -> Any:
        found = refused(wanted)
        return {**found, "versioning": StoreError("is not offered")}

    live.read = without_versioning  # type: ignore[method-assign]
    with world.open() as project:
        found = project.import_settings("main")
    assert found.denied == ("policy",)
    assert set(found.left_out) == {"policy", "lifecycle"}
    assert "cannot be declared: lifecycle[0].Novelty: unknown option" in found.left_out["lifecycle"]


def test_a_bucket_without_settings_has_none_to_import(tmp_path: Path) -> None:
    """A folder, say."""
    world, _ = settled_world(tmp_path, {})
    with world.under(provider="local").open() as project:
        project._stores = {}
        with pytest.raises(ConfigError, match="`local` has no settings"):
            project.import_settings("main")


# -- into the file ---------------------------------------------------------------------------------

WHOLE: Final = """\
# mine
buckia: {defaults: {max_workers: 4}}

main:
  provider: s3   # Amazon
  bucket_name: b
  paths:
    - assets/   # all of it
    - {path: static/}
  # the end of main

other:
  provider: local
  bucket_name: ../o
"""


def test_settings_come_at_the_end_of_their_bucket() -> None:
    """Every other line stays what it was."""
    edited = with_settings(WHOLE.encode(), "main", SAID).decode()
    at = WHOLE.index("  # the end of main")
    block = "".join(f"  {line}\n" for line in dump({"settings": SAID}).splitlines())
    assert edited == WHOLE[:at] + block + WHOLE[at:]
    last = with_settings(WHOLE.encode(), "other", {}).decode()
    assert last == WHOLE + "  settings: {}\n"


@pytest.mark.parametrize(
    "old",
    [
        "  settings: {versioning: suspended}\n",
        "  settings:\n    versioning: suspended\n",
        "  settings:\n    cors:\n      - allowed_origins: ['*']\n        allowed_methods: [GET]\n",
        "  settings:\n    lifecycle:\n    - id: >-\n        a\n        b\n      expire_days: 1\n",
        "  settings:\n",
        '  "settings":\n    versioning:\n      suspended\n',
    ],
)
@pytest.mark.parametrize("after", ["", "  region: r # where\n", "\n\n# a note\n"])
def test_settings_take_the_place_of_others(old: str, after: str) -> None:
    """Wherever they stand, whatever stands behind them."""
    head = "main:\n  provider: s3\n"
    tail = "\nother:\n  provider: local\n  bucket_name: ../o\n"
    edited = with_settings((head + old + after + tail).encode(), "main", SAID).decode()
    block = "".join(f"  {line}\n" for line in dump({"settings": SAID}).splitlines())
    assert edited == head + block + after + tail
    assert with_settings(edited.encode(), "main", SAID).decode() == edited


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("main: {provider: s3, bucket_name: b}\n", "block style"),
        (
            "main:\n  provider: s3\n  settings:\n    # why\n    versioning: enabled\n",
            "comments",
        ),
        (
            "main:\n  provider: s3\n  settings: &all\n    versioning: enabled\n"
            "two:\n  provider: s3\n  settings: *all\n",
            "cannot be written",
        ),
        (
            "main: &all\n  provider: s3\n  bucket_name: b\ntwo:\n  <<: *all\n  bucket_name: c\n",
            "anchors",
        ),
        ("{main: {provider: s3}}\n", "block style"),
    ],
)
def test_what_would_touch_something_else_is_refused(text: str, why: str) -> None:
    """Then the settings are to be pasted by hand."""
    with pytest.raises(ConfigError, match=why) as caught:
        with_settings(text.encode(), "main", SAID)
    assert "paste what `buckia import main` prints" in str(caught.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_stay_as_they_are(mark: bytes) -> None:
    """A file of Windows stays one; a last line without an end gets one."""
    plain = with_settings(WHOLE.encode(), "main", SAID)
    text = mark + WHOLE.replace("\n", "\r\n").encode()
    assert with_settings(text, "main", SAID) == mark + plain.replace(b"\n", b"\r\n")
    bare = with_settings(WHOLE.rstrip().encode(), "other", SAID)
    assert bare == with_settings(WHOLE.encode(), "other", SAID)


@examples(25)
@given(said=st.one_of(declarations("s3"), declarations("b2"), declarations("bunny")))
def test_what_is_written_is_what_is_read(said: dict[str, Any]) -> None:
    """Dates, words that YAML takes for something else, and `${` included."""
    edited = with_settings(WHOLE.encode(), "main", said)
    assert read(edited, toml=False).data["main"]["settings"] == escaped(said)
    assert yaml.safe_load(edited)["main"]["settings"] == escaped(said)


def test_a_variable_of_a_policy_is_not_one_of_the_environment(tmp_path: Path) -> None:
    """`${aws:username}` goes into the file, and comes out of it, as it is."""
    policy = {**PUBLIC, "Id": "${aws:username}"}
    (tmp_path / ".buckia").write_bytes(
        with_settings(b"main:\n  provider: s3\n  bucket_name: b\n", "main", {"policy": policy})
    )
    config = config_file.load(tmp_path / ".buckia")
    assert config.bucket("main").settings == {"policy": policy}
    assert "$${aws:username}" in (tmp_path / ".buckia").read_text()
