"""What a test needs to know of an S3 server, and how it makes a bucket there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class S3Server:
    """Where a server listens, who may use it, which certificate it shows, where it logs."""

    endpoint: str
    access_key: str
    secret_key: str
    ca: Path | None = None
    log: Path | None = None

    @cached_property
    def client(self) -> S3Client:
        """boto3's client, for what a test does behind a store's back."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            verify=str(self.ca) if self.ca else None,
            config=Config(
                s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
            ),
        )

    def make_bucket(self) -> str:
        """A new empty bucket under a name nobody else uses."""
        name = f"bucket-{secrets.token_hex(6)}"
        self.client.create_bucket(Bucket=name)
        return name
