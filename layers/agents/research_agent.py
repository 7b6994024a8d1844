"""An agent that reads web pages for its client: one page per run, each finding pushed as a chunk of one artifact."""

import re
from html import unescape

from a2a_lambda.agent import Agent, FetchError, Message, Retry, Skill, TaskContext

agent = Agent(
    name="ResearchAgent",
    version="1.0.0",
    description="Reads the pages whose URLs are in the message and answers its question from them.",
    skills=[
        Skill(
            id="research",
            name="research",
            description="Finds the sentences of web pages that say most about a question.",
            tags=["demo", "http", "artifacts"],
            examples=["What does Step Functions cost? https://aws.amazon.com/step-functions/pricing/"],
        )
    ],
    timeout=3600,
)

URL = re.compile(r"https?://[^\s<>\"']+")


@agent.step
def plan(task: TaskContext) -> None:
    urls = urls_in(task.message)
    if not urls:
        task.require_input("Which pages shall I read? Send their URLs.", then="plan")
        return
    questions = [URL.sub("", task_text(message)).strip() for message in task.history if message["role"] == "ROLE_USER"]
    task.state.update(urls=urls, total=len(urls), question=" ".join(filter(None, questions)))


@agent.step(retry=Retry(attempts=3, backoff=2, on=FetchError), timeout=30)
def read(task: TaskContext) -> None:
    url, *rest = task.state["urls"]
    done = task.state["total"] - len(rest)
    page = task.fetch(url)
    text = plain(page.text) if page.ok else f"The page answered with status {page.status}."
    for finding in answer(task.state["question"], text):
        task.artifact("findings", text=f"{finding}\n", append=True, last_chunk=False)
    task.artifact("findings", text=f"({url})\n", append=True, last_chunk=not rest)
    task.status(f"{done}/{task.state['total']} pages read")
    task.state["urls"] = rest
    if rest:
        task.repeat()


def answer(question: str, text: str) -> list[str]:
    """The tool. To ask a model instead, call it here (a step may take minutes) and return what it says, in pieces."""
    words = set(re.findall(r"\w{4,}", question.lower()))
    sentences = re.split(r"(?<=[.!?])\s+", text)
    ranked = sorted(sentences, key=lambda sentence: -len(words & set(re.findall(r"\w{4,}", sentence.lower()))))
    return ranked[:3]


def urls_in(message: Message) -> list[str]:
    linked = [part["url"] for part in message["parts"] if "url" in part]
    return linked + [url.rstrip(".,;:!?)") for url in URL.findall(task_text(message))]


def task_text(message: Message) -> str:
    return "\n".join(part["text"] for part in message["parts"] if "text" in part)


def plain(html: str) -> str:
    html = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
