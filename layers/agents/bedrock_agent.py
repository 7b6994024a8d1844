"""Asks a model on Amazon Bedrock, which may look into the shop's stock, and streams its answer.

The setting `model` names it: AgentSettings='{"model": "amazon.nova-lite-v1:0"}', with a policy in AgentPolicyArns that
allows bedrock:InvokeModelWithResponseStream. Without it, a stand-in answers that needs no account.
"""

from collections.abc import Callable
from typing import Any

from a2a_lambda.agent import Agent, Retry, Skill, TaskContext

agent = Agent(
    name="ShopAgent",
    version="1.0.0",
    description="Answers questions about what the shop has in stock.",
    skills=[
        Skill(id="stock", name="stock", description="Says how many there are.", tags=["demo"], examples=["chairs?"])
    ],
)

STOCK = {"chair": 12, "lamp": 3, "table": 0}
TOOL = {
    "name": "stock",
    "description": "How many of an article the shop has.",
    "inputSchema": {"json": {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]}},
}
MOST_TURNS = 8
REMEMBERED = 20


@agent.step(rerun="restart", retry=Retry(attempts=3, backoff=5))  # of a model that is throttled
def answer(task: TaskContext) -> None:
    messages = [*task.memory.get("messages", []), {"role": "user", "content": [{"text": task.text or "Hello."}]}]
    with task.stream_text("answer") as out:
        for _ in range(MOST_TURNS):
            said = reply(bedrock(task), task.settings.get("model", "stand-in"), messages, out.write)
            messages.append(said)
            results = [result(block["toolUse"]) for block in said["content"] if "toolUse" in block]
            if not results:
                break
            messages.append({"role": "user", "content": results})
    task.memory["messages"] = recent(messages)


def bedrock(task: TaskContext) -> Any:
    if "model" not in task.settings:
        from bedrock_stand_in import StandIn

        return StandIn()
    import boto3

    return boto3.client("bedrock-runtime")


def reply(client: Any, model: str, messages: list[Any], write: Callable[[str], None]) -> dict[str, Any]:
    """The model's next message; its text goes out piece by piece as it comes."""
    import json

    content: list[dict[str, Any]] = []
    request = {"modelId": model, "messages": messages, "toolConfig": {"tools": [{"toolSpec": TOOL}]}}
    for event in client.converse_stream(**request)["stream"]:
        if "contentBlockStart" in event:
            content.append({"toolUse": {**event["contentBlockStart"]["start"]["toolUse"], "input": ""}})
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]["delta"]
            if "text" in delta:
                write(delta["text"])
                if not content or "text" not in content[-1]:
                    content.append({"text": ""})
                content[-1]["text"] += delta["text"]
            elif "toolUse" in delta:
                content[-1]["toolUse"]["input"] += delta["toolUse"]["input"]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return {"role": "assistant", "content": content}


def result(use: dict[str, Any]) -> dict[str, Any]:
    """What the tool gives for the call of it. The model may call it with anything."""
    article = str(use["input"].get("article", "")).lower().rstrip("s")
    count = STOCK.get(article)
    content = {"article": article, "count": count} if count is not None else {"error": "no such article"}
    return {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"json": content}]}}


def recent(messages: list[Any]) -> list[Any]:
    """The last messages, from a question on: a model refuses a tool's result without its call."""
    kept = messages[-REMEMBERED:]
    while kept and "text" not in kept[0]["content"][0]:
        kept = kept[1:]
    return kept[1:] if kept and kept[0]["role"] == "assistant" else kept
