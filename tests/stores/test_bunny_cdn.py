"""Bunny's pull zones: what is purged, and signed URLs by the published vectors."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from buckia.errors import (
    AccessError,
    ConfigError,
    NotFoundError,
    StoreError,
    UnavailableError,
    UsageError,
)
from buckia.stores import bunny_core
from buckia.stores.base import Signing
from buckia.stores.bunny import BunnyOptions, BunnyStore
from buckia.stores.bunny_cdn import CACHES, Cdn
from buckia.stores.bunny_core import BunnyCore
from buckia.stores.bunny_urls import Grant, sign_url
from buckia.stores.traffic import Traffic
from tests.servers.bunny import Bunny
from tests.servers.bunny_zone import Zone

SITE = "https://token-tester.b-cdn.net"
EXPIRES = 1598024587


@pytest.fixture
def core(bunny: Bunny) -> Iterator[BunnyCore]:
    """The account of the server."""
    made = BunnyCore(bunny.core.account_key, endpoint=bunny.core.endpoint)
    yield made
    made.close()


# purging


@pytest.fixture
def cdn(bunny: Bunny, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cdn]:
    """Its pull zone."""
    monkeypatch.setattr(bunny_core, "CORE", bunny.core.endpoint)
    made = Cdn("acme-cdn", bunny.core.account_key, None, Traffic())
    yield made
    made.close()


def test_what_a_purge_asks_for(bunny: Bunny, cdn: Cdn) -> None:
    """One file, encoded; a folder; everything. The account is asked for the pull zone once."""
    for path in ("a b/*?.txt", "a/", ""):
        cdn.purge(path)
    site = "https://acme-cdn.b-cdn.net"
    assert bunny.core.purged == [f"{site}/a%20b/%2A%3F.txt", f"{site}/a/*", "77"]
    assert bunny.core.asked["GET pullzone"] == 1


def test_variants_are_purged_with_their_file(bunny: Bunny, cdn: Cdn) -> None:
    """Where the pull zone caches a file once for each host, or for each query string."""
    bunny.switches.vary_hosts = bunny.switches.vary_queries = True
    cdn.purge("a")
    assert bunny.core.purged == [
        f"https://{host}/a*" for host in ("acme-cdn.b-cdn.net", "acme-cdn.example.org")
    ]


def test_caches_forget_what_is_purged(bunny: Bunny, bunny_zone: Zone, cdn: Cdn) -> None:
    """The server that tests ask stands for Bunny here as well."""
    for key in ("a", "a/b c", "b"):
        bunny_zone.put(key, b"1")
    bunny.core.visit(bunny_zone)
    for key in ("a", "a/b c"):
        bunny_zone.put(key, b"2")
    assert bunny.core.stale(bunny_zone) == {"a", "a/b%20c"}
    cdn.purge("a/b c")
    assert bunny.core.stale(bunny_zone) == {"a"}
    cdn.purge("a")
    assert (bunny.core.stale(bunny_zone), set(bunny.core.cached)) == (set(), {"b"})


def test_purging_waits_when_it_was_too_much(
    bunny: Bunny, core: BunnyCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For about a minute, in which prefixes come slowly; then it says so."""
    bunny.switches.purges = 0
    waits: list[float] = []
    monkeypatch.setattr("buckia.stores.retry.FIRST_WAIT", 0.2)
    monkeypatch.setattr("buckia.stores.retry.time.sleep", waits.append)
    with pytest.raises(
        UnavailableError, match=r"purge of https://a\.b-cdn\.net/a at .*: refused \(429\)"
    ):
        core.purge("https://a.b-cdn.net/a")
    assert 30 < sum(waits) < 70
    bunny.switches.retry_after = "61"
    with pytest.raises(UnavailableError):
        core.purge("https://a.b-cdn.net/a")
    assert bunny.core.spent["exact"] == 12 + 1
    bunny.switches.retry_after = ""
    monkeypatch.setattr("buckia.stores.retry.time.sleep", lambda _: bunny.core.spent.clear())
    bunny.switches.purges = 1
    for name in "ab":
        core.purge(f"https://a.b-cdn.net/{name}")
    assert bunny.core.purged == ["https://a.b-cdn.net/a", "https://a.b-cdn.net/b"]


def test_without_a_pull_zone_and_the_account_nothing_is_purged() -> None:
    """And a plan does not try."""
    for named, key in (("acme-cdn", None), (None, "key")):
        cdn = Cdn(named, key, None, Traffic())
        assert cdn.caches is None
        with pytest.raises(ConfigError, match="set `pull_zone` and `api_key`"):
            cdn.purge("a")
        cdn.close()
    assert Cdn("acme-cdn", "key", None, Traffic()).caches == CACHES


@pytest.mark.parametrize(
    "named", ["acme-cdn.b-cdn.net", "acme-cdn.example.org", "http://acme-cdn.example.org/"]
)
def test_a_pull_zone_may_be_named_by_a_host(
    bunny: Bunny, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Or a URL; it is purged all the same."""
    monkeypatch.setattr(bunny_core, "CORE", bunny.core.endpoint)
    cdn = Cdn(named, bunny.core.account_key, None, Traffic())
    cdn.purge("a")
    cdn.close()
    assert bunny.core.purged == ["https://acme-cdn.b-cdn.net/a"]


@pytest.mark.parametrize("bare", [False, True])
def test_pull_zones_are_found_by_any_name(bunny: Bunny, core: BunnyCore, bare: bool) -> None:
    """In both shapes of the list."""
    bunny.switches.bare_zones = bare
    bunny.core.pull_zones[78] = "other"
    for name in ("acme-cdn", "acme-cdn.b-cdn.net", "acme-cdn.example.org"):
        zone = core.pull_zone(name)
        assert (zone.id, zone.storage_zone_id) == (77, 1)
        assert zone.hosts == ("acme-cdn.example.org", "acme-cdn.b-cdn.net")
    with pytest.raises(NotFoundError, match="no such pull zone"):
        core.pull_zone("acme")
    core.purge_zone(core.pull_zone("other"))
    assert bunny.core.purged == ["78"]


def test_pull_zones_come_on_pages(bunny: Bunny, core: BunnyCore) -> None:
    """All of them."""
    bunny.core.pull_zones = {number + 100: f"zone-{number}" for number in range(1500)}
    assert [zone.id for zone in core.pull_zones()] == list(bunny.core.pull_zones)


def test_refusals_say_why(bunny: Bunny, core: BunnyCore) -> None:
    """A wrong key, a storage zone's id, an id of nothing, a URL that is none; never the key."""
    zone = core.pull_zone("acme-cdn")
    for number, error, words in (
        (1, AccessError, "the id is a storage zone's"),
        (9, NotFoundError, r"refused \(404 pullZone.not_found\)"),
    ):
        with pytest.raises(error, match=words):
            core.purge_zone(type(zone)(number, "?"))
    with pytest.raises(StoreError, match=r"refused \(400 purge.invalid_url\)"):
        core.purge("no-url")
    stranger = BunnyCore("very-secret", endpoint=bunny.core.endpoint)
    with pytest.raises(AccessError, match="not the account's API key") as caught:
        list(stranger.pull_zones())
    assert "very-secret" not in str(caught.value)
    stranger.close()


# signed URLs

VECTORS = [
    ("/300kb.jpg", Grant(expires=EXPIRES), "o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4", ""),
    (
        "/abc/300kb.jpg",
        Grant(expires=EXPIRES, folder="/abc"),
        "uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ",
        "&token_path=%2Fabc",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, folder="/", countries=["CA"]),
        "JWU7jhpnBGI-O54AYDAtrlZT86Ied4RTO2-Y8mUj60A",
        "&token_countries=CA&token_path=%2F",
    ),
    (
        "/300kb.jpg?v=123",
        Grant(expires=EXPIRES, ignore_query=True),
        "1lwWBD_c1IAGSj1UKPoxreu8ePDQ-Z9FoWLcRn_RRH0",
        "&token_ignore_params=true",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, limit=1000),
        "DAVapqNNED3Z7JkjRTYX0UOIHNtbHEuuhRNEc4A7mMQ",
        "&limit=1000",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, ip="1.2.3.4"),
        "1-L2rISTLcujMY9UFf2tbZ41d5i-Bme1g1oTK_Z2QMLJk",
        "",
    ),
]


@pytest.mark.parametrize(("path", "grant", "token", "query"), VECTORS)
@pytest.mark.parametrize("in_path", [False, True])
def test_the_published_vectors(
    path: str, grant: Grant, token: str, query: str, in_path: bool
) -> None:
    """In the query, and in the path for relative links."""
    bare = path.partition("?")[0]
    tail = f"token=HS256-{token}{query}&expires={EXPIRES}"
    expected = f"{SITE}/bcdn_{tail}{bare}" if in_path else f"{SITE}{bare}?{tail}"
    assert sign_url(SITE + path, "SecurityKey", grant, in_path=in_path) == expected


def test_the_older_form() -> None:
    """The example of its formula; a folder and parameters take part in it, a client cannot."""
    url, grant = f"{SITE}/300kb.jpg", Grant(expires=EXPIRES)
    token = "DlAr_yuteDmLE0l9_myLDuNMbGzKG67E5uBEAp3vnvw"
    found = sign_url(url, "SecurityKey", grant, older=True)
    assert found == f"{url}?token={token}&expires={EXPIRES}"
    folder = Grant(expires=EXPIRES, folder="/")
    message = f"SecurityKey/{EXPIRES}limit=5&token_path=/"
    expected = base64.urlsafe_b64encode(hashlib.sha256(message.encode()).digest()).rstrip(b"=")
    found = sign_url(f"{url}?limit=5", "SecurityKey", folder, older=True)
    assert parse_qs(urlsplit(found).query)["token"] == [expected.decode()]
    with pytest.raises(UsageError, match="cannot be for one client"):
        sign_url(url, "key", Grant(expires=EXPIRES, ip="1.2.3.4"), older=True)


def test_a_token_for_a_folder_is_for_all_below_it() -> None:
    """Every file gets the same, and with the token in the path relative links keep it."""
    grant = Grant(expires=EXPIRES, folder="/abc/")
    one, other = (sign_url(f"{SITE}/abc/{n}", "key", grant, in_path=True) for n in ("1", "d/2"))
    assert one.removesuffix("1") == other.removesuffix("d/2")
    assert one.startswith(f"{SITE}/bcdn_token=HS256-")
    assert one.endswith(f"&token_path=%2Fabc%2F&expires={EXPIRES}/abc/1")


def test_a_store_signs_with_the_key_of_its_pull_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, and asks nobody."""
    monkeypatch.setattr("buckia.stores.bunny_cdn.time.time", lambda: EXPIRES - 3600.5)
    options = BunnyOptions("zone", "password", pull_zone="token-tester", token_key="SecurityKey")
    store = BunnyStore(options)
    expected = sign_url(f"{SITE}/a%20b", "SecurityKey", Grant(expires=EXPIRES))
    assert isinstance(store, Signing)
    assert store.signed_url("a b", 3601) == expected
    assert "SecurityKey" not in repr(options) + repr(store)
    store.close()


@pytest.mark.parametrize("given", [{"pull_zone": "acme"}, {"token_key": "key"}, {}])
def test_without_pull_zone_or_key_nothing_is_signed(given: dict[str, str]) -> None:
    """The storage API itself has no URLs for others."""
    store = BunnyStore(BunnyOptions("zone", "password", **given))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="set `pull_zone` and `token_key`"):
        store.signed_url("a", 60)
    store.close()


def test_a_path_is_signed_as_it_reads() -> None:
    """Not as it is encoded; in the URL it stays encoded."""
    grant = Grant(expires=EXPIRES)
    spaced, plain = (sign_url(f"{SITE}/{name}", "key", grant) for name in ("a%20b", "a b"))
    assert spaced.replace("%20", " ") == plain


def test_addresses_of_ipv6_are_signed_by_their_network() -> None:
    """A client changes the lower half at will."""
    one, other, third = (
        sign_url(f"{SITE}/a", "key", Grant(expires=EXPIRES, ip=ip))
        for ip in ("2001:db8::1", "2001:db8::2", "2001:db9::1")
    )
    assert one == other != third


@pytest.mark.parametrize(
    ("path", "grant"),
    [
        ("/a?v=1&v=2", Grant(expires=EXPIRES)),
        ("/a", Grant(expires=EXPIRES, ip="here")),
        ("/a", Grant(expires=EXPIRES, ignore_query=True, limit=1)),
        ("/a", Grant(expires=EXPIRES, ignore_query=True, blocked=["CA"])),
    ],
)
def test_what_cannot_be_checked_is_not_signed(path: str, grant: Grant) -> None:
    """Better no URL than one that allows more than it says."""
    with pytest.raises(UsageError):
        sign_url(SITE + path, "key", grant)
