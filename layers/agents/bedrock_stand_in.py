"""In the place of Amazon Bedrock, for tests and the demo: events of ConverseStream, from a very simple model."""

from collections.abc import Iterator
from typing import Any


class StandIn:
    """Calls the tool for the last word of the question, then says word by word what came of it."""

    def converse_stream(self, *, messages: list[Any], **_: Any) -> dict[str, Iterator[Any]]:
        """As the client of boto3 does it."""
        content = messages[-1]["content"][0]
        return {"stream": self._calls(content["text"]) if "text" in content else self._says(content["toolResult"])}

    def _calls(self, question: str) -> Iterator[Any]:
        words = "".join(letter if letter.isalpha() else " " for letter in question).split() or ["nothing"]
        yield {"messageStart": {"role": "assistant"}}
        start = {"toolUse": {"toolUseId": "use-1", "name": "stock"}}
        yield {"contentBlockStart": {"start": start, "contentBlockIndex": 0}}
        for piece in ('{"article": ', f'"{words[-1]}"' + "}"):
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": piece}}, "contentBlockIndex": 0}}
        yield {"contentBlockStop": {"contentBlockIndex": 0}}
        yield {"messageStop": {"stopReason": "tool_use"}}

    def _says(self, result: dict[str, Any]) -> Iterator[Any]:
        found = result["content"][0]["json"]
        text = f"There are {found['count']} of {found['article']}." if "count" in found else "We do not have that."
        yield {"messageStart": {"role": "assistant"}}
        for word in text.split(" "):
            piece = word if word.endswith(".") else f"{word} "
            yield {"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": 0}}
        yield {"contentBlockStop": {"contentBlockIndex": 0}}
        yield {"messageStop": {"stopReason": "end_turn"}}
