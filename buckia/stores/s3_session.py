"""One bucket's connections: endpoint, credentials and the three clients that share them.

botocore finds credentials and regions the way every AWS tool does, and signs; obstore brings bodies
for a tenth of its CPU; what is small goes by plain connections, where keys arrive exactly as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlsplit

from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session, get_session
from botocore.utils import is_valid_endpoint_url
from obstore.store import S3Store as Bucket

from buckia.errors import AccessError, ConfigError
from buckia.stores.line import Line
from buckia.stores.network import CONNECT, SPARE, WORK, authorities, proxy_for
from buckia.stores.parts import Crew
from buckia.stores.rate import UNLIMITED, Rates
from buckia.stores.s3_classes import Classes
from buckia.stores.s3_errors import translate
from buckia.stores.s3_extras import accompany
from buckia.stores.s3_models import known
from buckia.stores.s3_obstore import open_bucket
from buckia.stores.s3_services import (
    Conditions,
    Service,
    absolute,
    bucket_in_host,
    find_service,
)
from buckia.stores.s3_signer import EMPTY, signed
from buckia.stores.s3_traffic import watch
from buckia.stores.traffic import Traffic, shares

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class S3Options:
    """Where a bucket is and how to talk to it.

    endpoint             host or URL; None: the service's rule, the environment, else Amazon
    service              a row of `SERVICES` by name; None: recognised by the endpoint
    access_key_id, ...   None: botocore's chain (environment, profile, SSO, instance role)
    sought               where credentials were not, before that chain; for the error
    prefix               keys are below it in the bucket and above it everywhere else
    addressing           "path", "virtual", or "auto": what the service and the host allow
    ca_bundle            a PEM file of certificates to trust; None: as the environment says
    conditions           what the service enforces, when proved; None: what its row says
    versions             whether the bucket keeps versions; None: the bucket is asked
    tell_classes         whether looks tell storage classes, which costs more CPU
    md5_etags            whether ETags of 32 hex digits are the md5 (not under SSE-KMS or SSE-C);
                         None: what the service's row says
    multipart_threshold  bytes above which a body is sent in parts; smaller ones fit in memory
    part_size            bytes of a part, at least 5 MiB; grows so that 10,000 are enough
    copy_limit           bytes above which a copy is made in parts (Amazon's rule: 5 GiB)
    encryption           how what is written is encrypted: AES256, aws:kms, aws:kms:dsse; None: as
                         the bucket has it
    kms_key              the key of KMS, where it is not the account's own
    acceleration         whether bodies travel by Amazon's transfer acceleration
    requester_pays       whether requests say that they pay
    rates                how fast it may go
    page_size            keys asked for at once in a listing, at most 1,000
    """

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    service: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    sought: tuple[str, ...] = ()
    profile: str | None = None
    prefix: str = ""
    workers: int = 8
    addressing: str = "auto"
    ca_bundle: str | None = None
    conditions: Conditions | None = None
    versions: bool | None = None
    tell_classes: bool = False
    md5_etags: bool | None = None
    multipart_threshold: int = 16 * MIB
    part_size: int = 8 * MIB
    copy_limit: int = 5 * 1024 * MIB
    encryption: str | None = None
    kms_key: str | None = None
    acceleration: bool = False
    requester_pays: bool = False
    rates: Rates = UNLIMITED
    page_size: int = 1000


class S3Session:
    """The clients of one bucket. Making it reads configuration files, and the network only where
    credentials come from there; each client is made when first used."""

    def __init__(self, options: S3Options) -> None:
        self.options = options
        self.classes = Classes()
        self._secrets: set[str | None] = set()
        try:
            self.boto = self._sign_in()
            self.authorities: str | None = self._find_authorities()
            self._given = self._find_endpoint()
            self.service = self._find_service(self._given)
            self.traffic = Traffic(
                shares(options.workers), tariff=self.service.name, rates=options.rates
            )
            self.crew = Crew(options.workers)
            self.region = self._find_region() or self.service.region
            self.endpoint: str = self._proved(self._given) or self.client.meta.endpoint_url
            self.credentials: Credentials = self._find_credentials()
        except BotoCoreError as problem:
            raise translate(problem, f"s3://{options.bucket}") from None
        except ValueError:
            raise ConfigError(
                f"{self._given}: not the host or URL of an S3 service; check `domain`"
            ) from None

    @cached_property
    def bucket_path(self) -> str:
        """The path of the bucket's URL, as requests name it."""
        path = urlsplit(self.endpoint).path
        return path if self._virtual else f"{path}/{quote(self.options.bucket, safe='~')}"

    @property
    def bucket_url(self) -> str:
        """The bucket's own URL, addressed as the service wants it."""
        parts = urlsplit(self.endpoint)
        if self._virtual:
            return parts._replace(netloc=f"{self.options.bucket}.{parts.netloc}").geturl()
        return f"{self.endpoint}/{self.options.bucket}"

    @property
    def transfer_url(self) -> str:
        """The URL by which obstore finds the bucket."""
        if not self.options.acceleration:
            return self.bucket_url
        return f"https://{self.options.bucket}.s3-accelerate.amazonaws.com"

    @cached_property
    def client(self) -> S3Client:
        """botocore's client. It never repeats a request: `persist` does, and knows that it did."""
        return self._make_client(accelerated=False)

    @cached_property
    def mover(self) -> S3Client:
        """The client for bodies. Acceleration is not for what switches it on."""
        return self._make_client(accelerated=True) if self.options.acceleration else self.client

    def _make_client(self, *, accelerated: bool) -> S3Client:
        virtual = self._virtual_at(self._given)
        proxy = proxy_for(self._given or "https://s3.amazonaws.com")
        client = self.boto.create_client(
            "s3",
            endpoint_url=self._given,
            region_name=self.region,
            verify=self.authorities or True,
            config=Config(
                signature_version="s3v4",
                s3={
                    "addressing_style": "virtual" if virtual else "path",
                    "payload_signing_enabled": True,
                    "use_accelerate_endpoint": accelerated,
                },
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=self.options.workers + SPARE,
                connect_timeout=CONNECT,
                read_timeout=WORK,
                proxies={"http": proxy, "https": proxy} if proxy else {},
            ),
        )
        client.meta.events.register("before-call.s3", _stay)
        client.meta.events.register("before-call.s3.CopyObject", self._say_again)
        accompany(client.meta.events, self.options)
        watch(client.meta.events, self.traffic)
        return cast("S3Client", client)

    def _say_again(self, params: dict[str, Any], **_: object) -> None:
        params["headers"].update(self.service.again(params["headers"]))

    @cached_property
    def reader(self) -> Bucket:
        """obstore for looks and for bodies that come."""
        return open_bucket(self)

    @cached_property
    def line(self) -> Line:
        """Plain connections, for listings and for what is signed by `sign`."""
        return Line(self.bucket_url, self.options.workers + SPARE, self.authorities)

    def sign(
        self, method: str, target: str, headers: Mapping[str, str], sha256: str = EMPTY
    ) -> dict[str, str]:
        """The headers of a request that goes by `line`, signed as of now: some credentials are
        renewed, and a signature is good for a quarter of an hour."""
        keys, url = self.credentials.get_frozen_credentials(), f"{self._origin}{target}"
        return signed(keys, self.region, method, url, headers, sha256)

    @cached_property
    def _origin(self) -> str:
        return f"{urlsplit(self.bucket_url).scheme}://{self.line.host}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret parts of the credentials, all that there were so far: some are renewed."""
        with suppress(BotoCoreError):  # they cannot be renewed: whoever needs them is told
            now = self.credentials.get_frozen_credentials()
            self._secrets |= {now.secret_key, now.token}
        return tuple(sorted(filter(None, self._secrets)))

    def same_service(self, other: S3Session) -> bool:
        """Whether the service can copy between the two by itself, with these credentials."""
        return (self.endpoint, self.credentials.access_key) == (
            other.endpoint,
            other.credentials.access_key,
        )

    def close(self) -> None:
        """Close the connections of the clients that were used."""
        self.crew.close()
        for name, client in vars(self).items():
            if name in ("client", "mover"):
                client.close()
            if name == "line":
                client.close()

    def _find_endpoint(self) -> str | None:
        """The URL as given, by the rule of the service, or configured; None: botocore finds it."""
        given = self.options.endpoint or self._configured_endpoint()
        if self.options.acceleration and given:
            where = f"s3://{self.options.bucket}: `acceleration` is Amazon's own"
            raise ConfigError(f"{where}; leave it out, or the endpoint {absolute(given)}")
        if self.options.endpoint:
            return absolute(self.options.endpoint)
        rule = self._find_service(None).endpoint
        if rule is None:
            return self._configured_endpoint()
        region = self._find_region()
        if region is None:
            raise ConfigError(f"s3://{self.options.bucket}: set `region` or `domain`")
        return rule.format(region=region)

    def _find_region(self) -> str | None:
        """The region of the options, the environment or the profile."""
        found = self.boto.get_config_variable("region")
        return str(found) if found else None

    @staticmethod
    def _proved(given: str | None) -> str | None:
        """The URL, if botocore would take it; `ValueError` if not. Without one it has to be asked,
        for which its client is made: that takes longer than to plan most buckets."""
        if given is not None and not is_valid_endpoint_url(given):
            raise ValueError(given)
        return given

    def _configured_endpoint(self) -> str | None:
        """What AWS_ENDPOINT_URL_S3, its like and the profile say, as botocore would follow it."""
        core = self.boto
        if core.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        found = ConfiguredEndpointProvider(
            full_config=core.full_config, scoped_config=core.get_scoped_config(), client_name="s3"
        ).provide()
        return str(found) if found else None

    def _find_service(self, endpoint: str | None) -> Service:
        try:
            return find_service(self.options.service, endpoint)
        except KeyError:
            raise ConfigError(f"{self.options.service}: no such S3 service; leave it out") from None

    def _sign_in(self) -> Session:
        options, session = self.options, get_session()
        session.register_component("data_loader", known(session.get_config_variable("data_path")))
        if options.profile is not None:
            session.set_config_variable("profile", options.profile)
        if options.access_key_id or options.secret_access_key or options.session_token:
            session.set_credentials(
                options.access_key_id or "",
                options.secret_access_key or "",
                options.session_token,
            )
        if options.region is not None:
            session.set_config_variable("region", options.region)
        return session

    def _find_credentials(self) -> Credentials:
        found = self.boto.get_credentials()
        if found is None:
            sought = (*self.options.sought, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            raise AccessError(
                f"s3://{self.options.bucket}: no credentials in {', '.join(sought)}, ~/.aws, SSO "
                "or the role of the machine; set some there, or `token`"
            )
        return found

    @property
    def _virtual(self) -> bool:
        return self._virtual_at(self.endpoint)

    def _virtual_at(self, endpoint: str | None) -> bool:
        if self.options.addressing != "auto":
            return self.options.addressing == "virtual"
        at = endpoint or "https://s3.amazonaws.com"
        return bucket_in_host(self.service, at, self.options.bucket)

    def _find_authorities(self) -> str | None:
        """The PEM file of certificates to trust: by the options, the environment or the profile."""
        profile = self.boto.get_config_variable("ca_bundle")
        found = self.options.ca_bundle or authorities() or profile
        return str(found) if found else None


def _stay(params: dict[str, Any], **_: object) -> None:
    """Keep botocore from following a redirect to another region.

    obstore and the listing would not follow, and a service that redirects everything would have
    botocore ask for ever.
    """
    params["context"].setdefault("s3_redirect", {})["redirected"] = True
