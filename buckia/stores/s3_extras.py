"""What goes along with every request that takes it, because the options want it so: how content is
encrypted, and who pays.

Each of the three clients has its own way to say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.hooks import BaseEventHooks

    from buckia.stores.s3_session import S3Options

_PAYS: Final = "x-amz-request-payer"
_PAYER: Final = "requester"

_PRESIGNING: Final = "is_presign_request"
"""How botocore marks the context of a URL that is only signed."""


def accompany(events: BaseEventHooks, options: S3Options) -> None:
    """Have botocore add them to the parameters of each operation that knows them.

    A signed URL says who pays in itself: whoever opens it sends no headers.
    """
    extras = {
        "ServerSideEncryption": options.encryption,
        "SSEKMSKeyId": options.kms_key,
        "RequestPayer": _PAYER if options.requester_pays else None,
    }

    def add(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        known = set(model.input_shape.members if model.input_shape else ())
        known -= {"RequestPayer"} if context.get(_PRESIGNING) else set()
        params.update({n: v for n, v in extras.items() if v and n in known and n not in params})

    def add_to_url(request: AWSRequest, **_: object) -> None:
        if request.context.get(_PRESIGNING):
            url = str(request.url)
            request.url = f"{url}{'&' if '?' in url else '?'}{_PAYS}={_PAYER}"

    events.register("before-parameter-build.s3", add)
    if options.requester_pays:
        events.register("before-sign.s3", add_to_url)


def for_obstore(options: S3Options) -> dict[str, Any]:
    """The same as options of obstore's bucket."""
    extras = {
        "server_side_encryption": options.encryption,
        "sse_kms_key_id": options.kms_key,
        "request_payer": options.requester_pays or None,
    }
    return {name: value for name, value in extras.items() if value}


def for_http(options: S3Options) -> dict[str, str]:
    """The same as headers of a request that writes nothing."""
    return {_PAYS: _PAYER} if options.requester_pays else {}


def for_http_writes(options: S3Options) -> dict[str, str]:
    """What a request that writes has beside those."""
    extras = {
        "x-amz-server-side-encryption": options.encryption,
        "x-amz-server-side-encryption-aws-kms-key-id": options.kms_key,
    }
    return {name: value for name, value in extras.items() if value}


def hides_md5(options: S3Options) -> bool:
    """Whether ETags are no md5 (Amazon S3 API reference, Object: so it is with SSE-KMS)."""
    return (options.encryption or "").startswith("aws:kms")
