"""What a test needs to know of an S3 server, and how it makes a bucket there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class S3Server:
    """Where a server listens, who may use it, and which certificate it shows."""

    endpoint: str
    access_key: str
    secret_key: str
    ca: Path | None = None

    def make_bucket(self) -> str:
        """A new empty bucket under a name nobody else uses."""
        name = f"bucket-{secrets.token_hex(6)}"
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            verify=str(self.ca) if self.ca else None,
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=name)
        client.close()
        return name
