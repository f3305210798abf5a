"""`buckia auth`: credentials go in by prompt or stdin, and never come out."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buckia.cli import authorising
from buckia.credentials import vault
from tests.cli.console import Ended, buckia
from tests.keyrings import InMemory, Missing, using

SECRET = "hunter2-K00xyz"


@pytest.fixture(autouse=True)
def ring(workspace: Path) -> Iterator[InMemory]:
    """A workspace with a bucket that takes `acme`, and a keyring of its own."""
    (workspace / ".buckia").write_text(
        "main: {provider: b2, bucket_name: x, token: acme}\n"
        "cdn: {provider: bunny, bucket_name: y, token: zone}\n"
    )
    with using(ring := InMemory()):
        yield ring


def auth(*words: str, given: str = "") -> Ended:
    """A command that, whatever happens, prints no secret."""
    ended = buckia("auth", *words, given=given)
    assert SECRET not in ended.out + ended.err
    return ended


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types into hidden prompts, each of which takes its place here."""
    lines: list[str] = []

    def ask(prompt: str, stream: object = None) -> str:
        answer = lines.pop(0)
        lines.append(prompt)
        return answer

    monkeypatch.setattr(getpass, "getpass", ask)
    monkeypatch.setattr(authorising, "can_ask", lambda: True)
    return lines


def test_a_credential_is_read_from_stdin() -> None:
    """Whole, without the end of its line."""
    ended = auth("set", "acme", given=f"key-id:{SECRET}\n")
    said = "Kept as acme in the keyring; a bucket takes it with `token: acme`.\n"
    assert (ended.code, ended.out, ended.err) == (0, "", said)
    assert vault.fetch("acme") == f"key-id:{SECRET}"
    assert vault.names() == {"acme": "b2"}
    assert auth("set", "acme", "-q", given=f"other:{SECRET}").err == ""
    assert vault.fetch("acme") == f"other:{SECRET}"


def test_a_person_is_asked_for_each_part(typed: list[str]) -> None:
    """Without an echo; whose it is the bucket tells."""
    typed += ["an id", f" {SECRET} "]
    assert auth("set", "acme").code == 0
    assert typed == ["application key id for acme: ", "application key for acme: "]
    kept = vault.fetch("acme") or ""
    assert kept == f'{{"application_key_id": "an id", "application_key": "{SECRET}"}}'


def test_where_nothing_says_whose_it_is_one_text_is_asked_for(typed: list[str]) -> None:
    """Or the option says it."""
    typed.append(SECRET)
    assert auth("set", "other").code == 0 and vault.fetch("other") == SECRET
    assert typed == ["Secret, key_id:secret or JSON for other: "]
    typed[:] = ["p"]
    assert auth("set", "other", "--provider", "bunny").code == 0
    assert typed == ["password for other: "] and vault.names()["other"] == "bunny"


def test_who_types_nothing_keeps_nothing(typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of input is an answer, too; so is an empty line."""

    def leave(prompt: str, stream: object = None) -> str:
        raise EOFError

    typed.append(" ")
    for words in (("set", "acme"), ("set", "other")):
        ended = auth(*words)
        assert ended.code == 64 and "nothing was typed; nothing was kept" in ended.err
        monkeypatch.setattr(getpass, "getpass", leave)
    assert vault.names() == {}


@pytest.mark.parametrize(
    ("words", "given", "code", "why"),
    [
        (("set", "acme", SECRET), "", 64, "takes no credential as an argument"),
        (("set", "acme", "-q", SECRET, SECRET), "", 64, "change the one given here"),
        (("set", "acme"), "", 64, "stdin holds no credential"),
        (("set", "acme"), " \n", 64, "stdin holds no credential"),
        (("set", "acme"), SECRET * 2000, 64, "stdin holds no credential"),
        (("set", "acme"), SECRET, 78, "lacks application_key; write application_key_id:"),
        (("set", "a b"), SECRET, 64, "use letters, digits"),
        (("set", "acme", "--provider", "local"), SECRET, 64, "`local` needs no credential"),
        (("set", "acme", "--config", "none"), SECRET, 78, "none does not exist"),
        (("remove", "acme"), "", 64, "add --yes"),
        (("remove", "acme", "--yes"), "", 1, "the keyring has no acme; `buckia auth list`"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], given: str, code: int, why: str) -> None:
    """In one line, and nothing is kept."""
    ended = auth(*words, given=given)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert why in ended.err
    assert vault.names() == {}


def test_no_configuration_is_needed(workspace: Path) -> None:
    """A credential can be there before the bucket that takes it."""
    (workspace / ".buckia").unlink()
    assert auth("set", "acme", given=SECRET).code == 0
    assert auth("list").out.split() == ["acme", "?", "the", "keyring"]
    assert auth("remove", "acme", "--yes").code == 0


def test_the_list_tells_names_owners_and_places() -> None:
    """Of those that are kept, that are taken, and that the environment has."""
    vault.keep("acme", f"id:{SECRET}", "b2")
    vault.keep("spare", SECRET, None)
    os.environ.update(BUCKIA_TOKEN_ZONE=SECRET, BUCKIA_TOKEN_CI_ONLY=SECRET)
    ended = auth("list")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["acme", "b2", "the", "keyring", "for", "main"],
        ["ci_only", "?", "BUCKIA_TOKEN_CI_ONLY"],
        ["spare", "?", "the", "keyring"],
        ["zone", "bunny", "BUCKIA_TOKEN_ZONE", "for", "cdn"],
    ]
    os.environ["BUCKIA_TOKEN_ACME"] = f"id:{SECRET}"
    assert "BUCKIA_TOKEN_ACME" in auth("list").out


def test_the_list_is_there_for_programs() -> None:
    """The same as JSON; of what is nowhere there is no source, and never a value."""
    vault.keep("acme", f"id:{SECRET}", "b2")
    os.environ.update(BUCKIA_TOKEN_CI_ONLY=SECRET)
    told = json.loads(auth("list", "--json").out)
    assert (told["format"], told["format_version"]) == ("buckia.credentials", "1.0")
    acme = {"name": "acme", "providers": ["b2"], "buckets": ["main"]}
    zone = {"name": "zone", "providers": ["bunny"], "buckets": ["cdn"]}
    variable = "BUCKIA_TOKEN_CI_ONLY"
    assert told["credentials"] == [
        {**acme, "source": "keyring", "variable": None},
        {
            "name": "ci_only",
            "providers": [],
            "source": "environment",
            "variable": variable,
            "buckets": [],
        },
        {**zone, "source": None, "variable": None},
    ]


def test_nothing_to_list_is_an_empty_list(workspace: Path) -> None:
    (workspace / ".buckia").unlink()
    ended = auth("list", "--json")
    assert (json.loads(ended.out)["credentials"], ended.err) == ([], "")


def test_a_name_that_is_nowhere_is_listed_as_that() -> None:
    ended = auth("list")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["acme", "b2", "nowhere", "for", "main"],
        ["zone", "bunny", "nowhere", "for", "cdn"],
    ]


def test_without_a_keyring_the_environment_is_listed() -> None:
    """And what is wrong with the keyring is told."""
    os.environ["BUCKIA_TOKEN_ACME"] = SECRET
    with using(Missing()):
        ended = auth("list")
        assert "Note: the system's keyring cannot be used: this system has none" in ended.err
        assert ended.code == 0 and "BUCKIA_TOKEN_ACME" in ended.out
        refused = auth("set", "acme", given=f"id:{SECRET}")
    assert refused.code == 1 and "set the environment variable BUCKIA_TOKEN_ACME" in refused.err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_somebody_is_asked_before_one_is_removed(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.keep("acme", SECRET, "b2")
    monkeypatch.setattr(authorising, "can_ask", lambda: True)
    ended = auth("remove", "acme", given=f"{answer}\n")
    assert ended.code == code and "Take acme out of the keyring? [y/N]" in ended.err
    assert (vault.fetch("acme") is None) == (code == 0)


def test_nothing_to_list(workspace: Path) -> None:
    (workspace / ".buckia").unlink()
    assert auth("list").err == "No credentials are kept; `buckia auth set NAME` keeps one.\n"
