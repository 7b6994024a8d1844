"""The agent's secrets in Secrets Manager."""

from __future__ import annotations

from ..agent.secrets import Secrets
from ..agent.writing import AgentError
from ..core.ports import Clock
from ..settings import Environment
from .clients import client, code_of, guarded


def agent_secrets(env: Environment, clock: Clock) -> Secrets:
    """The secrets that the template's parameter ``AgentSecretArns`` names."""
    arns = env.text("AGENT_SECRET_ARNS", "")
    return Secrets([arn for arn in arns.split(",") if arn], _value, clock)


@guarded
def _value(arn: str) -> str:
    """The current version. Raises :class:`AgentError` where it cannot be had, :class:`Unavailable` where not now."""
    from botocore.exceptions import ClientError

    name = arn.partition(":secret:")[2]
    try:
        answer = client("secretsmanager").get_secret_value(SecretId=arn)
    except ClientError as error:
        if code_of(error) in ("AccessDeniedException", "DecryptionFailure", "ResourceNotFoundException"):
            raise AgentError(f"the secret {name} cannot be read: {code_of(error)}") from None
        raise
    if "SecretString" not in answer:
        raise AgentError(f"the secret {name} is binary: keep a text")
    return str(answer["SecretString"])
