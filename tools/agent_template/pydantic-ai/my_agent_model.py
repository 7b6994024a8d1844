"""The Pydantic AI agent: its tools, and its model. Only a step imports this."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def assistant(settings: Mapping[str, Any]) -> Agent:
    """With the model that the setting `model` names, or a stand-in that needs no account."""
    return Agent(settings.get("model") or FunctionModel(stream_function=stand_in), tools=[weather])


def read(messages: Sequence[Any]) -> list[ModelMessage]:
    return ModelMessagesTypeAdapter.validate_python(messages)


def written(messages: Sequence[ModelMessage]) -> list[Any]:
    return ModelMessagesTypeAdapter.dump_python([*messages], mode="json")


async def stand_in(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
    """Calls the first tool for what it is asked, then says what came of it, word by word."""
    prompts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    last = messages[-1].parts[-1]
    if not isinstance(last, ToolReturnPart):
        city = str(prompts[-1].content).strip(" ?").replace('"', "")
        yield {0: DeltaToolCall(info.function_tools[0].name, f'{{"city": "{city}"}}')}
        return
    for word in f"It is {last.content}. (question {len(prompts)})".split():
        yield f"{word} "
