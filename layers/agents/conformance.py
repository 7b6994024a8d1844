"""An agent for conformance kits: what it does is said by the beginning of the message's id.

The prefixes are those of the public A2A Technology Compatibility Kit, in its branches of 1.0 and of 0.3. Any other
message is worked on for a moment and then completed.
"""

from base64 import b64encode

from a2a_lambda.agent import Agent, Message, Part, Skill, TaskContext

agent = Agent(
    name="ConformanceAgent",
    version="1.0.0",
    description="Does what conformance kits ask for by the prefix of a message's id.",
    # The kit of 1.0 sends a media type that nobody knows and wants no refusal, whatever its own text says.
    input_modes=["text/plain", "application/json", "*/*"],
    skills=[
        Skill(
            id="conformance",
            name="Conformance",
            description="Completes, rejects, asks for input, or answers directly, as the message's id says.",
            tags=["conformance"],
            examples=["Hello"],
        )
    ],
)

# The first prefix that fits counts: the longer one of two comes first.
ARTIFACTS: dict[str, Part] = {
    "tck-artifact-text": {"text": "Generated text content"},
    "tck-artifact-file-url": {
        "url": "https://example.com/output.txt",
        "filename": "output.txt",
        "mediaType": "text/plain",
    },
    "tck-artifact-file": {
        "raw": b64encode(b"Generated file content\n").decode(),
        "filename": "output.txt",
        "mediaType": "text/plain",
    },
    "tck-artifact-data": {"data": {"key": "value", "count": 42}},
}

# The kit of 0.3 follows up and cancels what it has sent. A send of 0.3 waits for its task, as long as BlockingSeconds
# says; so the task has to be at work for longer than that and all that the kit does with it then.
FOLLOWED_UP = ("test-", "text-", "file-", "data-", "continuation-", "cancel-test-", "mapping-test-")


@agent.on_message
def answer_directly(message: Message) -> str | None:
    return "Direct message response" if message["messageId"].startswith("tck-message-response") else None


@agent.step
def begin(task: TaskContext) -> None:
    message_id = task.message["messageId"]
    artifact = next((part for prefix, part in ARTIFACTS.items() if message_id.startswith(prefix)), None)
    if artifact is not None:
        task.artifact("output", parts=[artifact])
        task.complete()
    elif message_id.startswith("tck-complete-task"):
        task.complete("Hello from TCK")
    elif message_id.startswith("tck-input-required"):
        task.require_input("What next?", then="begin")
    elif message_id.startswith("tck-reject-task"):
        task.reject("rejected")
    else:
        task.goto("end", wait=45 if message_id.startswith(FOLLOWED_UP) else 1)


@agent.step
def end(task: TaskContext) -> None:
    task.artifact("response", text=f"You said: {task.text}")
    task.complete("Done.")
