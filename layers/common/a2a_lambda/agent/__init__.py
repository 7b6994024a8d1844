"""What authors write with: an :class:`Agent` is a card and a list of steps; each step gets a :class:`TaskContext`.

The names of ``__all__`` are public. The other modules of this folder run the steps.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.model import Message, Part
    from ..net.web import Fetched, FetchError
    from .agent import Agent, Extension, Retry, Skill
    from .context import TaskContext
    from .writing import AgentError

__all__ = [
    "Agent",
    "AgentError",
    "Extension",
    "FetchError",
    "Fetched",
    "Message",
    "Part",
    "Retry",
    "Skill",
    "TaskContext",
]

_MODULES = {
    "Agent": ".agent",
    "AgentError": ".writing",
    "Extension": ".agent",
    "FetchError": "..net.web",
    "Fetched": "..net.web",
    "Message": "..core.model",
    "Part": "..core.model",
    "Retry": ".agent",
    "Skill": ".agent",
    "TaskContext": ".context",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the caretaker imports this folder and needs none of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
