"""Where the credential of a bucket comes from: every source, their order, and what errors tell."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from b2sdk.v3 import SqliteAccountInfo  # type: ignore[import-untyped]
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError

from buckia import connect, credentials
from buckia.config import BucketConfig, Config
from buckia.credentials import Found, vault
from buckia.credentials.kinds import KINDS, parse, texts, variable
from buckia.errors import AccessError, ConfigError, DocumentError
from buckia.project import Project
from buckia.stores.b2_account_file import read
from buckia.stores.hashing import HashCache
from tests.keyrings import Forgetful, InMemory, Locked, Missing, using

PAIR = {
    "s3": ("access_key_id", "secret_access_key"),
    "linode": ("access_key_id", "secret_access_key"),
    "b2": ("application_key_id", "application_key"),
}


@pytest.fixture(autouse=True)
def ring() -> Iterator[InMemory]:
    """The keyring of these tests."""
    with using(ring := InMemory()):
        yield ring


def bucket(provider: str, **options: Any) -> BucketConfig:
    if provider == "linode":
        options["region"] = "nl-ams-1"
    return BucketConfig(provider=provider, bucket_name="b", name="main", **options)


def b2_file(home: Path, realm: str = "production", key: str = "file") -> Path:
    """What `b2 account authorize` leaves."""
    path = home / ".b2_account_info"
    account = SqliteAccountInfo(str(path))
    account.set_auth_data(
        account_id="account",
        auth_token="token",
        api_url="u",
        download_url="u",
        recommended_part_size=1,
        absolute_minimum_part_size=1,
        application_key=key,
        realm=realm,
        s3_api_url="u",
        allowed={"buckets": None, "capabilities": [], "namePrefix": None},
        application_key_id=f"{key} id",
    )
    account.close()
    return path


def given_everywhere(provider: str, home: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Options and environment in which every source of a provider has a credential."""
    pair = [part.name for part in KINDS[provider].needed]
    text = {source: ":".join(f"{source} {name}" for name in pair) for source in ("token", "ring")}
    vault.keep("it", text["ring"], provider)
    options = {"credentials": {name: f"options {name}" for name in pair}, "token": "it"}
    env = {"BUCKIA_TOKEN_IT": text["token"], "HOME": str(home)}
    for part in KINDS[provider].needed:
        if part.variable:
            env[part.variable] = f"env {part.name}"
    if provider == "b2":
        b2_file(home)
    return options, env


ORDER: dict[str, tuple[str, ...]] = {
    "s3": ("options", "token", "ring", ""),
    "linode": ("options", "token", "ring", "env", ""),
    "b2": ("options", "token", "ring", "env", "file"),
    "bunny": ("options", "token", "ring", "env"),
}
"""Who wins, the strongest first; "" leaves it to botocore."""


@pytest.mark.parametrize("provider", ORDER)
def test_the_first_source_that_has_it_counts_and_counts_alone(
    provider: str, tmp_path: Path
) -> None:
    """With everything there, then with one source after the other taken away."""
    options, env = given_everywhere(provider, tmp_path)
    (secret,) = [part.name for part in KINDS[provider].needed][-1:]
    for source, gone in pairwise((None, *ORDER[provider])):
        if source == "options":
            del options["credentials"]
        elif source == "token":
            del env["BUCKIA_TOKEN_IT"]
        elif source == "ring":
            assert vault.drop("it")
        elif source == "env":
            env = {"HOME": env["HOME"]}
        found = credentials.find(bucket(provider, **options), env)
        won = {value.partition(" ")[0] for value in found.values.values()}
        assert won == ({gone} if gone else set()), found.source
        assert (secret in found.values) == bool(gone)


def test_what_every_source_is_called(tmp_path: Path) -> None:
    """In the words of errors and of doctor."""
    options, env = given_everywhere("b2", tmp_path)
    assert credentials.find(bucket("b2", **options), env).source == (
        "`api_key` and `password` of the configuration"
    )
    del options["credentials"]
    assert credentials.find(bucket("b2", **options), env).source == "BUCKIA_TOKEN_IT"
    found = credentials.find(bucket("b2"), {"HOME": env["HOME"]})
    assert found.source == "the account file of the b2 command"
    assert found.sought == (
        "`api_key` and `password` of the configuration",
        "B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY",
    )
    named = credentials.find(bucket("s3", profile="work", token="it"), {})
    assert (named.source, named.values) == ("the profile `work`", {})
    folder = BucketConfig(provider="local", bucket_name="../b")
    assert credentials.find(folder, {}) == Found({}, "none needed")


@pytest.mark.parametrize(
    ("provider", "options", "told"),
    [
        (
            "bunny",
            {"token": "it", "api_key": "the account's"},
            "bucket `main`: no credentials in `storage_api_key` of the configuration, "
            "BUCKIA_TOKEN_IT, `it` in the keyring or BUNNY_STORAGE_KEY; `buckia auth set it` keeps "
            "it in the keyring",
        ),
        (
            "b2",
            {},
            "bucket `main`: no credentials in `api_key` and `password` of the configuration, "
            "B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY or the account file of the b2 command; "
            "set B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY, or `token: NAME` after `buckia auth "
            "set NAME`",
        ),
    ],
)
def test_an_error_says_where_was_looked(
    provider: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """In the order it was."""
    with pytest.raises(AccessError) as refused:
        credentials.find(bucket(provider, **options), {"HOME": str(tmp_path)})
    assert str(refused.value) == told


def test_s3_says_where_was_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our sources, and then those of botocore."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AccessError) as refused:
        connect.open_remote(bucket("s3", token="it"), tmp_path, HashCache())
    assert str(refused.value) == (
        "s3://b: no credentials in `api_key` and `password` of the configuration, BUCKIA_TOKEN_IT, "
        "`it` in the keyring, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, SSO or the role "
        "of the machine; set some there, or `token`"
    )


@pytest.mark.parametrize("provider", PAIR)
def test_half_a_credential_is_told_and_not_completed_from_elsewhere(
    provider: str, tmp_path: Path
) -> None:
    """An id of one key and the secret of another would be refused, and nobody knew why."""
    _, env = given_everywhere(provider, tmp_path)
    with pytest.raises(AccessError) as refused:
        credentials.find(bucket(provider, api_key="mine"), env)
    one, other = PAIR[provider]
    assert f"found {one} without {other}; give both there, or neither" in str(refused.value)


def test_the_key_of_the_account_comes_from_beside(ring: InMemory) -> None:
    """Bunny's second key is another credential; it does not have to be in the token."""
    vault.keep("it", "the zone's", None)
    env = {"BUNNY_API_KEY": "from the environment"}
    found = credentials.find(bucket("bunny", token="it"), env)
    assert found.values == {"password": "the zone's", "api_key": "from the environment"}
    said = credentials.find(bucket("bunny", token="it", api_key="said"), env)
    assert said.values["api_key"] == "said"
    vault.keep("it", json.dumps({"password": "p", "api_key": "in the token"}), None)
    assert credentials.find(bucket("bunny", token="it"), env).values["api_key"] == "in the token"


# -- as one text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "text", "values"),
    [
        ("bunny", "a:b\n", {"password": "a:b"}),
        ("b2", "id:K0:/+=", {"application_key_id": "id", "application_key": "K0:/+="}),
        (
            "s3",
            '{"access_key_id": "i", "secret_access_key": "s", "session_token": "t"}',
            {"access_key_id": "i", "secret_access_key": "s", "session_token": "t"},
        ),
    ],
)
def test_a_credential_is_one_text(provider: str, text: str, values: dict[str, str]) -> None:
    """A secret alone, id and secret, or JSON."""
    assert parse(text, KINDS[provider], "it") == values


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunter2", "lacks application_key; write application_key_id:application_key, or JSON"),
        (":hunter2", "lacks application_key_id"),
        ("hunter2:", "lacks application_key;"),
        ('{"application_key": "hunter2"}', "lacks application_key_id"),
        ('{"password": "hunter2"}', "not JSON with texts named application_key_id"),
        ('{"application_key": 1, "x": "hunter2"}', "not JSON with texts named"),
        ('{"hunter2', "not JSON with texts named"),
    ],
)
def test_a_text_that_is_none_is_refused_and_not_repeated(text: str, why: str) -> None:
    """By what is missing."""
    with pytest.raises(ConfigError) as refused:
        parse(text, KINDS["b2"], "BUCKIA_TOKEN_X")
    assert str(refused.value).startswith("BUCKIA_TOKEN_X: ") and why in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_variable_of_a_name() -> None:
    """What no shell could export becomes `_`."""
    assert variable("acme-prod.b2") == "BUCKIA_TOKEN_ACME_PROD_B2"


# -- the keyring -----------------------------------------------------------------------------------


def test_the_keyring_keeps_names_apart_and_lists_them(ring: InMemory) -> None:
    """All of it under one service; the list is kept there, too."""
    vault.keep("b", "2", "b2")
    vault.keep("a", "1", None)
    vault.keep("a", "one", None)
    assert vault.names() == {"a": "", "b": "b2"}
    assert (vault.fetch("a"), vault.fetch("b"), vault.fetch("c")) == ("one", "2", None)
    assert {service for service, _ in ring.entries} == {vault.SERVICE}
    assert vault.drop("a") and not vault.drop("a")
    assert vault.names() == {"b": "b2"} and vault.fetch("a") is None


def test_a_damaged_list_of_names_is_none(ring: InMemory) -> None:
    """Credentials are found without it."""
    vault.keep("a", "1", None)
    for text in ("{", "[1]"):
        ring.entries[vault.SERVICE, "(names)"] = text
        assert vault.names() == {} and vault.fetch("a") == "1"


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (Missing(), "this system has none that keyring knows"),
        (Locked(), "it answers with 'keyring locked'"),
        (Forgetful(), "it does not keep what it is given"),
    ],
)
def test_a_keyring_that_cannot_be_used_says_what_to_do(backend: Any, why: str) -> None:
    """And nothing of what was to be kept."""
    told = f"the system's keyring cannot be used: {why}; or set the environment variable "
    with using(backend), pytest.raises(vault.NoKeyring) as refused:
        vault.keep("acme-b2", "hunter2", None)
    assert str(refused.value) == f"{told}BUCKIA_TOKEN_ACME_B2"
    assert "hunter2" not in "".join(traceback.format_exception(refused.value)[-1:])
    assert not refused.value.__context__ or refused.value.__suppress_context__


def test_without_a_keyring_the_other_sources_count() -> None:
    """And the error says why the keyring did not."""
    with using(Missing()):
        found = credentials.find(bucket("bunny", token="it"), {"BUNNY_STORAGE_KEY": "p"})
        assert found.values == {"password": "p"}
        with pytest.raises(AccessError, match="has none that keyring knows"):
            credentials.find(bucket("bunny", token="it"), {})


# -- the account file of b2 ------------------------------------------------------------------------


def test_the_account_file_is_found_where_the_b2_command_keeps_it(tmp_path: Path) -> None:
    """And none is made by looking."""
    assert read({"HOME": str(tmp_path)}, None) is None
    assert list(tmp_path.iterdir()) == []
    path = b2_file(tmp_path)
    assert read({"HOME": str(tmp_path)}, None) == ("file id", "file")
    other = tmp_path / "config" / "b2" / "account_info"
    other.parent.mkdir(parents=True)
    path.rename(other)
    assert read({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}, None)
    assert read({"HOME": "/nowhere", "B2_ACCOUNT_INFO": str(other)}, None)
    assert read({"HOME": str(tmp_path), "B2_ACCOUNT_INFO": "/nowhere"}, None) is None


def test_a_key_goes_nowhere_but_where_it_belongs(tmp_path: Path) -> None:
    """A file for one service is none for another."""
    home = {"HOME": str(tmp_path)}
    b2_file(tmp_path)
    assert read(home, "api.backblazeb2.com") and read(home, "127.0.0.1:1") is None
    b2_file(tmp_path, realm="http://127.0.0.1:1")
    assert read(home, "http://127.0.0.1:1/") and read(home, None) is None


@pytest.mark.parametrize("content", [b"", b"no database, and no JSON either"])
def test_a_file_of_nobody_who_is_signed_in_is_none(content: bytes, tmp_path: Path) -> None:
    """Nor is a damaged one, which stays as it is."""
    path = tmp_path / ".b2_account_info"
    path.write_bytes(content)
    assert read({"HOME": str(tmp_path)}, None) is None
    assert not content or path.read_bytes() == content


# -- hygiene ---------------------------------------------------------------------------------------


def test_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and the secret part alone."""
    monkeypatch.setenv("BUCKIA_TOKEN_ACME", "an-id:S3cret!")
    monkeypatch.setenv("BUNNY_STORAGE_KEY", "St0rage!")
    monkeypatch.setenv("LINODE_ACCESS_KEY_ID", "only a name")
    known = set(connect.secrets([]))
    assert {"an-id:S3cret!", "S3cret!", "St0rage!"} <= known
    assert "only a name" not in known
    assert texts('{"password": "P4ss", "api_key": "K3y"}') >= {"P4ss", "K3y"}


@pytest.mark.promise("HYG-1")
def test_secrets_of_the_keyring_are_looked_for_in_documents(ring: InMemory, tmp_path: Path) -> None:
    """As soon as they are loaded: who never loaded them cannot write them."""
    vault.keep("it", "key-id:S3cret-of-the-ring", None)
    options: dict[str, Any] = {"token": "it", "domain": "http://127.0.0.1:1", "region": "x"}
    config = Config(tmp_path, None, {"main": bucket("s3", **options)})
    with Project(config) as project:
        project.remote("main")
        with pytest.raises(DocumentError, match="a secret of the configuration"):
            project.hygiene.demand_clean(b'{"a":"x S3cret-of-the-ring y"}', "the plan")


def test_credentials_that_are_renewed_are_all_looked_for(tmp_path: Path) -> None:
    """And one that cannot be renewed any more ends nothing: whoever needs it is told."""
    options: dict[str, Any] = {"domain": "http://127.0.0.1:1", "region": "x"}
    pair = {"api_key": "i", "password": "first"}
    store = connect.open_remote(bucket("s3", **options, **pair), tmp_path, HashCache())
    session = store._session  # type: ignore[attr-defined]
    assert set(connect.secrets([], [store])) >= {"first"}
    session.credentials = Credentials("i", "second", "token")
    assert set(connect.secrets([], [store])) >= {"first", "second", "token"}

    class Expired(Credentials):
        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="sso", error_msg="expired")

    session.credentials = Expired("i", "third")
    assert set(connect.secrets([], [store])) >= {"first", "second", "token"}
    store.close()


def test_secrets_are_not_shown(ring: InMemory) -> None:
    """By what was found."""
    vault.keep("it", "hunter2", None)
    assert "hunter2" not in repr(credentials.find(bucket("bunny", token="it"), {}))
