"""Reading a dialect's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from a2a_lambda.core.errors import InvalidParams
from a2a_lambda.dialects.base import Dialect


class Reader:
    """Reads parameters as a dialect does."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def read(self, method: str, params: dict[str, Any]) -> Any:
        """The operation."""
        return self._dialect.methods[method].read(params)

    def faults(self, method: str, params: dict[str, Any]) -> set[str]:
        """The fields that are at fault."""
        with pytest.raises(InvalidParams) as caught:
            self.read(method, params)
        return {violation.field for violation in caught.value.violations}
