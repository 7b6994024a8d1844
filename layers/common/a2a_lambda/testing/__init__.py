"""For authors of agents: run a whole task in memory, in virtual time, without AWS. See :func:`run_agent`."""

from ..agent.writing import AgentError
from ..net.web import Fetched, FetchRequest
from .harness import AgentRun, Status, crashed_once, run_agent

__all__ = ["AgentError", "AgentRun", "FetchRequest", "Fetched", "Status", "crashed_once", "run_agent"]
