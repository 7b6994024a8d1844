"""The graph: its nodes, and how it is kept between two turns. Only a step imports this."""

import base64
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

CONFIG: RunnableConfig = {"configurable": {"thread_id": "task", "checkpoint_ns": ""}}


class Trip(TypedDict, total=False):
    city: str
    seat: str


def plan(trip: Trip) -> Trip:
    """Where a model would be called."""
    return {"city": trip["city"].strip().title()}


def ask(trip: Trip) -> Trip:
    return {"seat": interrupt(f"Window or aisle, to {trip['city']}?")}


GRAPH = StateGraph(Trip).add_sequence([plan, ask]).add_edge(START, "plan").add_edge("ask", END)


async def go_on(kept: list[str] | None, said: str) -> tuple[str | None, dict[str, Any], list[str] | None]:
    """The question, if the graph asks; its result; and what to keep until it is answered."""
    saver = InMemorySaver()
    if kept is not None:
        restore(saver, kept)
    graph = GRAPH.compile(checkpointer=saver)
    given: Any = {"city": said} if kept is None else Command(resume=said)
    result = await graph.ainvoke(given, CONFIG)
    interrupts = result.pop("__interrupt__", ())
    return (interrupts[0].value, result, keep(saver)) if interrupts else (None, result, None)


def keep(saver: InMemorySaver) -> list[str]:
    """The latest checkpoint as JSON. For a graph whose state is large: a saver on DynamoDB, by task.conversation."""
    found = saver.get_tuple(CONFIG)
    assert found is not None
    kind, content = saver.serde.dumps_typed([found.checkpoint, found.metadata, found.pending_writes])
    return [kind, base64.b64encode(content).decode()]


def restore(saver: InMemorySaver, kept: list[str]) -> None:
    checkpoint, metadata, writes = saver.serde.loads_typed((kept[0], base64.b64decode(kept[1])))
    config = saver.put(CONFIG, checkpoint, metadata, checkpoint["channel_versions"])
    for task_id, channel, value in writes:
        saver.put_writes(config, [(channel, value)], task_id)
