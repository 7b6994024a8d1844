"""For authors of agents: run a whole task in memory, in virtual time, without AWS. See :func:`run_agent`."""

from ..agent.context import AgentError
from ..net.web import Fetched, FetchRequest
from .harness import AgentRun, Status, run_agent

__all__ = ["AgentError", "AgentRun", "FetchRequest", "Fetched", "Status", "run_agent"]
