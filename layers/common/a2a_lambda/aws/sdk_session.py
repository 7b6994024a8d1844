"""A session of botocore that starts quickly. Imports botocore: load it when the first client is made.

Most of what a client costs at a cold start is reading the SDK's own descriptions of services (the model of DynamoDB is
a JSON text of 400 kB) and looking through its folders, one for each of 400 services, for their names. boto3 adds
resources to that, which nobody here uses.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session


class _Files(JSONFileLoader):
    """The SDK's files, read by the parser that the functions have loaded anyway."""

    def load_file(self, file_path: str) -> Any:
        """The file of this path without its ending; None if there is none."""
        for ending, read in ((".json.gz", gzip.decompress), (".json", bytes)):
            path = Path(file_path + ending)
            if path.is_file():
                return msgspec.json.decode(read(path.read_bytes()))
        return None


class _Descriptions(Loader):
    """The SDK's loader, which need not look for the names of services that are asked for by name."""

    def __init__(self, services: tuple[str, ...]) -> None:
        super().__init__(file_loader=_Files())
        self._services = services

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """The services of this package, whatever kind of description is asked for: all of them have all kinds."""
        return list(self._services)


@cache
def _descriptions(services: tuple[str, ...]) -> _Descriptions:
    return _Descriptions(services)


@cache
def shared_session(services: tuple[str, ...]) -> Session:
    """The one of this process: making one takes as long as making a client of it."""
    return session(services)


def session(services: tuple[str, ...]) -> Session:
    """A new session that can make clients of ``services``, and of no others. What it reads is read once."""
    made = Session()
    if made.get_config_variable("data_path") is None:  # else somebody brings descriptions of their own
        made.register_component("data_loader", _descriptions(services))
    return made
