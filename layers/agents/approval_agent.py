"""An agent that asks its client back: it prepares an order, waits for an approval, however long, and goes on."""

from a2a_lambda.agent import Agent, Retry, Skill, TaskContext

agent = Agent(
    name="ApprovalAgent",
    version="1.0.0",
    description="Prepares an order, asks for approval, waits for the cooling-off period and places it.",
    skills=[
        Skill(
            id="order",
            name="order",
            description="Orders what the message says, once somebody has approved it.",
            tags=["demo", "input-required"],
            examples=["3 laptops"],
        )
    ],
)

YES = {"yes", "y", "ok", "approved"}
NO = {"no", "n", "rejected"}
COOLING_OFF = 5  # seconds; days would cost just as much


@agent.step
def prepare(task: TaskContext) -> None:
    task.state["order"] = task.text
    task.artifact("offer", data={"order": task.text, "status": "prepared"})
    task.require_input(f"Order {task.text!r}? Answer yes or no.", then="decide")


@agent.step
def decide(task: TaskContext) -> None:
    answer = task.text.strip().lower()
    if answer in NO:
        task.reject(f"Not ordered: {task.state['order']}")
    elif answer in YES:
        task.status("1/2 approved")
        task.goto("place", wait=COOLING_OFF)
    else:
        task.require_input("Please answer yes or no.", then="decide")


@agent.step(retry=Retry(attempts=3, backoff=1))
def place(task: TaskContext) -> None:
    receipt = order_at_supplier(task.state["order"], key=task.idempotency_key)
    task.artifact("offer", data={"order": task.state["order"], "status": "placed", "receipt": receipt})
    task.status("2/2 placed")
    task.complete(f"Ordered: {task.state['order']}")


def order_at_supplier(order: str, key: str) -> str:
    """Stands for a call to a supplier. The key is the same if this step runs twice, so the supplier orders once."""
    return f"receipt-{key[-12:]}-{len(order)}"
