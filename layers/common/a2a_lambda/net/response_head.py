"""The head of an HTTP/1 answer, read line by line as libcurl hands it over (RFC 9112, sections 2.1 to 5)."""

from __future__ import annotations

import re

MAX_BYTES = 16_384
"""Of an answer's heads, interim ones and trailer fields included."""

_STATUS_LINE = re.compile(rb"HTTP/1\.\d ([1-9]\d\d)(?: [^\r\n]*)?\r?\n?")
_START = b"HTTP/"
_BLANK = (b"\r\n", b"\n")
_FIRST_FINAL = 200


class ResponseHead:
    """What is known of an answer so far.

    An answer has any number of interim heads (1xx), one final head, and with a chunked body perhaps trailer fields. A
    head starts with a status line and ends with a blank one; nothing after the final one is part of it.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        """The status of the final head, once that head is complete."""
        self.malformed = False
        """Whether a status line, or the length of the heads, is not as HTTP has it: nothing else is read then."""
        self._current = 0
        self._bytes = 0
        self._fields: list[bytes] = []

    def read(self, line: bytes) -> bool:
        """Take in the next line; whether more may come."""
        self._bytes += len(line)
        if self._bytes > MAX_BYTES:
            self.malformed = self.status is None
            return False
        if self.status is not None:
            return True  # a trailer field
        if line[: len(_START)].upper() == _START:
            return self._begin(line)
        if line in _BLANK:
            if self._current >= _FIRST_FINAL:
                self.status = self._current
        elif line[:1] in (b" ", b"\t") and self._fields:
            self._fields[-1] += b" " + line.strip()  # folded (RFC 9112, section 5.2)
        else:
            self._fields.append(line.strip())
        return True

    def values(self, name: str) -> list[str]:
        """The values of a field of the final head, in their order. ``name`` is in lower case."""
        if self.status is None:
            return []
        pairs = (field.partition(b":") for field in self._fields)
        return [value.strip().decode("latin-1") for found, _, value in pairs if found.strip().lower() == name.encode()]

    def _begin(self, line: bytes) -> bool:
        status_line = _STATUS_LINE.fullmatch(line)
        self.malformed = status_line is None
        self._current = int(status_line[1]) if status_line else 0
        self._fields.clear()
        return not self.malformed
