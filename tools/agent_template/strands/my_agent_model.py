"""The Strands agent: its tools, and its model. Only a step imports this."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from strands import Agent, tool
from strands.models.model import Model


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def assistant(settings: Mapping[str, Any], messages: list[Any]) -> Agent:
    """With the model of Amazon Bedrock that the setting `model` names, or a stand-in that needs no account."""
    model: Model = StandIn()
    if "model" in settings:
        from strands.models.bedrock import BedrockModel

        model = BedrockModel(model_id=settings["model"])
    return Agent(model=model, tools=[weather], messages=messages, callback_handler=None)


class StandIn(Model):
    """Calls the first tool for what it is asked, then says what came of it, word by word."""

    def update_config(self, **model_config: Any) -> None:
        pass

    def get_config(self) -> dict[str, Any]:
        return {}

    async def structured_output(self, output_model: Any, prompt: Any, system_prompt: Any = None, **_: Any) -> Any:
        yield {"output": output_model()}

    async def stream(self, messages: Any, tool_specs: Any = None, *_: Any, **__: Any) -> AsyncIterator[Any]:
        content = messages[-1]["content"][0]
        yield {"messageStart": {"role": "assistant"}}
        if "toolResult" not in content:
            use = {"toolUseId": f"use-{len(messages)}", "name": tool_specs[0]["name"]}
            yield {"contentBlockStart": {"start": {"toolUse": use}}}
            city = content["text"].strip(" ?").replace('"', "")
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": f'{{"city": "{city}"}}'}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
            return
        yield {"contentBlockStart": {"start": {}}}
        asked = sum("text" in message["content"][0] for message in messages if message["role"] == "user")
        for word in f"It is {content['toolResult']['content'][0]['text']}. (question {asked})".split():
            yield {"contentBlockDelta": {"delta": {"text": f"{word} "}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}
