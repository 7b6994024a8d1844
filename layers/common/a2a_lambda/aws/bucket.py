"""The bucket of large contents: the port :class:`~..ports.Blobs` over S3, and links to what is in it."""

from __future__ import annotations

from ..core.blobs import Link, unlinked
from ..settings import Environment
from .clients import client, guarded

LINK_SECONDS = 43_200
"""How long a link is good. Credentials of a function may end sooner, and its links with them: asking for the task
again gives new ones."""


class Bucket:
    """The bucket by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @guarded
    def put(self, key: str, body: bytes, media_type: str) -> None:
        """See :class:`~..ports.Blobs`."""
        client("s3").put_object(Bucket=self._name, Key=key, Body=body, ContentType=media_type)

    def link(self, key: str) -> str:
        """A presigned URL. Made here: S3 is not asked."""
        url: str = client("s3").generate_presigned_url(
            "get_object", Params={"Bucket": self._name, "Key": key}, ExpiresIn=LINK_SECONDS
        )
        return url


def bucket(env: Environment) -> Bucket | None:
    """The stack's bucket, if it has one."""
    name = env.text("ARTIFACTS_BUCKET", "")
    return Bucket(name) if name else None


def link(env: Environment) -> Link:
    """How the stack links to what is in its bucket."""
    ours = bucket(env)
    return ours.link if ours is not None else unlinked
