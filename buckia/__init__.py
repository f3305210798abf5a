"""Terraform for buckets: plan, review and apply what moves between folders and buckets."""

__version__ = "0.1.0"
