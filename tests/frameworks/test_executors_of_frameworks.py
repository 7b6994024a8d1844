"""Executors that frameworks bring themselves, and graphs behind one, unchanged: with a model that needs no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from a2a.server.agent_execution import AgentExecutor
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, TextPart
from a2a.utils import new_agent_text_message

from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Agent
from a2a_lambda.core.model import dumps
from a2a_lambda.testing import crashed_once, run_agent

TOKENS = 2_000


def agent_of(executor: Any) -> Agent:
    return agent_from(executor, name="Tested", version="1", description="d")


# ----------------------------------------------------------------------------------------------------------- Strands


def strands_executor(model: Any, **options: Any) -> Any:
    from strands import Agent as StrandsAgent
    from strands.multiagent.a2a.executor import StrandsA2AExecutor

    return StrandsA2AExecutor(agent_factory=lambda _: StrandsAgent(model=model, callback_handler=None), **options)


def strands_model(tokens: int) -> Any:
    from strands.models.model import Model

    class Long(Model):
        def update_config(self, **_: Any) -> None:
            pass

        def get_config(self) -> dict[str, Any]:
            return {}

        async def structured_output(self, output_model: Any, prompt: Any, system_prompt: Any = None, **_: Any) -> Any:
            yield {"output": output_model()}

        async def stream(self, messages: Any, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
            asked = sum(message["role"] == "user" for message in messages)
            yield {"messageStart": {"role": "assistant"}}
            yield {"contentBlockStart": {"start": {}}}
            for number in range(tokens):
                await asyncio.sleep(0)
                yield {"contentBlockDelta": {"delta": {"text": f" {asked}.{number}"}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}

    return Long()


@pytest.mark.filterwarnings("ignore:The default A2A response stream")
@pytest.mark.parametrize("compliant", [False, True], ids=["a status for each token", "chunks of an artifact"])
def test_strands_own_executor_completes_with_2000_tokens_in_few_writes(compliant):
    agent = agent_of(lambda: strands_executor(strands_model(TOKENS), enable_a2a_compliant_streaming=compliant))

    run = run_agent(agent, "go")  # in virtual time, in which no second passes

    assert (run.state, run.errors) == ("completed", [])
    assert run.writes <= 0 + 3
    assert len(dumps(run.task).encode()) <= 50_000
    (artifact,) = run.task["artifacts"]
    assert "".join(part["text"] for part in artifact["parts"]).split() == [f"1.{number}" for number in range(TOKENS)]


def test_strands_executor_that_dies_once_anywhere_leaves_one_answer():
    def agent() -> Agent:
        return agent_of(lambda: strands_executor(strands_model(5), enable_a2a_compliant_streaming=True))

    expected = run_agent(agent(), "go")
    for run in crashed_once(agent(), "go"):
        assert run.state == "completed"
        assert len(run.task["artifacts"]) == len(expected.task["artifacts"])


def test_two_callers_in_one_context_have_two_strands_sessions():
    agent = agent_of(lambda: strands_executor(strands_model(1), enable_a2a_compliant_streaming=True))

    def answer(caller: str) -> str:
        run = run_agent(agent, "go", caller=caller, context_id="chat")
        return str(run.task["artifacts"][0]["parts"][0]["text"])

    assert [answer("alice"), answer("bob"), answer("alice")] == [" 1.0", " 1.0", " 2.0"]


# --------------------------------------------------------------------------------------------------------------- ADK


def adk_executor() -> Any:
    from google.adk.a2a.executor.a2a_agent_executor import A2aAgentExecutor
    from google.adk.agents import LlmAgent
    from google.adk.models.base_llm import BaseLlm
    from google.adk.models.llm_response import LlmResponse
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    class Echo(BaseLlm):
        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[Any, None]:
            said = llm_request.contents[-1].parts[0].text
            yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text=f"You said {said}")]))

    return A2aAgentExecutor(runner=InMemoryRunner(agent=LlmAgent(name="echo", model=Echo(model="echo"))))


@pytest.mark.filterwarnings("ignore")  # ADK warns of its own experimental parts
def test_adks_own_executor_completes():
    run = run_agent(agent_of(adk_executor), "hello", caller="alice")

    assert (run.state, run.errors) == ("completed", [])
    (artifact,) = run.task["artifacts"]
    assert artifact["parts"][0]["text"] == "You said hello"
    assert run.task["metadata"]["adk_user_id"] == "alice"


# --------------------------------------------------------------------------------------------------------- LangGraph


def graph_executor(saver: Any) -> AgentExecutor:
    from typing import TypedDict

    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, interrupt

    class Trip(TypedDict, total=False):
        text: str
        booking: str

    def ask(trip: Trip) -> Trip:
        return {"booking": f"{trip['text']}: {interrupt('Window or aisle?')}"}

    graph = StateGraph(Trip).add_node(ask).add_edge(START, "ask").add_edge("ask", END).compile(checkpointer=saver)

    class Graph(AgentExecutor):
        async def execute(self, context: Any, event_queue: Any) -> None:
            updater = TaskUpdater(event_queue, context.task_id, context.context_id)
            config: Any = {"configurable": {"thread_id": context.task_id}}
            said = context.get_user_input()
            state = await graph.aget_state(config)
            if context.current_task is None:
                result = await graph.ainvoke({"text": said}, config)
            elif state.interrupts:
                result = await graph.ainvoke(Command(resume=said), config)
            else:
                result = state.values  # a run that died had come so far: what the graph keeps may be ahead of the task
            if "__interrupt__" in result:
                await updater.requires_input(new_agent_text_message(result["__interrupt__"][0].value))
                return
            await updater.add_artifact([Part(root=TextPart(text=result["booking"]))], name="booking")
            await updater.complete()

        async def cancel(self, context: Any, event_queue: Any) -> None:
            pass

    return Graph()


def test_a_graph_asks_where_it_interrupts_and_goes_on_with_the_answer_whenever_it_dies():
    from langgraph.checkpoint.memory import InMemorySaver

    def agent() -> Agent:
        saver = InMemorySaver()  # stands for one that all environments share
        return agent_of(lambda: graph_executor(saver))

    run = run_agent(agent(), "Lisbon", answers=["aisle"])
    assert (run.state, run.questions, run.text("booking")) == ("completed", ["Window or aisle?"], "Lisbon: aisle")
    for number in range(1, run.writes + 1):
        for side in ("dies_before", "dies_after"):
            again = run_agent(agent(), "Lisbon", answers=["aisle"], **{side: number})  # type: ignore[arg-type]
            assert (again.questions, again.state) == (["Window or aisle?"], "completed")


# ------------------------------------------------------------------------------------------------------- Pydantic AI


def test_a_pydantic_ai_agent_streams_through_an_executor():
    from pydantic_ai import Agent as PydanticAgent
    from pydantic_ai.models.test import TestModel

    class Streams(AgentExecutor):
        async def execute(self, context: Any, event_queue: Any) -> None:
            updater = TaskUpdater(event_queue, context.task_id, context.context_id)
            model = PydanticAgent(TestModel(custom_output_text="one two three"))
            begun = False
            async with model.run_stream(context.get_user_input()) as stream:
                async for piece in stream.stream_text(delta=True, debounce_by=None):
                    await updater.add_artifact([Part(root=TextPart(text=piece))], "answer", "answer", append=begun)
                    begun = True
            await updater.complete()

        async def cancel(self, context: Any, event_queue: Any) -> None:
            pass

    run = run_agent(agent_of(Streams), "go")

    assert (run.state, run.errors) == ("completed", [])
    assert run.artifacts["answer"] == [{"text": "one two three"}]
