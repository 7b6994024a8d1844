"""The peer: an agent on the official SDK's server, on Lambda by way of Mangum, with one boto3 put for each message.

What its author would deploy: the SDK's own routes and request handler, the client made at import as AWS advises.
"""

from __future__ import annotations

import os

import boto3
from a2a.helpers import new_task_from_user_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, TaskState
from google.protobuf.json_format import MessageToJson
from mangum import Mangum
from starlette.applications import Starlette

dynamodb = boto3.client("dynamodb")


class Executor(AgentExecutor):
    """Stores each task."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None
        task = new_task_from_user_message(context.message)
        task.status.state = TaskState.TASK_STATE_COMPLETED
        item = {"id": {"S": task.id}, "doc": {"S": MessageToJson(task)}}
        dynamodb.put_item(TableName=os.environ["TASKS_TABLE"], Item=item)
        await event_queue.enqueue_event(task)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


card = AgentCard(
    name="PushAgent",
    version="1.0.0",
    description="Works through three steps and pushes every change of its task to the client's webhooks.",
    supported_interfaces=[
        AgentInterface(url="https://agent.example.com/", protocol_binding="JSONRPC", protocol_version="1.0")
    ],
    capabilities=AgentCapabilities(push_notifications=True),
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[
        AgentSkill(
            id="push-demo",
            name="push_demo",
            description="Runs a task of three steps and pushes a status update after each.",
            tags=["demo", "push-notifications"],
            examples=["run push demo"],
        )
    ],
)
requests = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore(), agent_card=card)
app = Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(requests, "/")])
handler = Mangum(app, lifespan="off")
