"""Builds the template and deploys it to an emulator, as `sam build && sam deploy` do it on AWS.

The layer is built for the interpreter of the emulator, because that is where the functions run (see layers/Makefile).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import agent_file
import gateways
from emulator import ADMIN, PYTHON, REGION, ROOT, STATE, Emulator, LocalAwsError, tail

SAM = ROOT / ".venvs" / "sam" / "bin" / "sam"
BUILD = STATE / "build"
BUCKET = "a2a-packages"
DEPLOY_SECONDS = 120
SMOKE_SECONDS = 30

# What a laptop needs and a deployment must not have: callers without credentials, webhooks and pages on loopback.
LOCAL_PARAMETERS = {
    "AuthMode": "NONE",
    "AllowInsecureWebhooks": "true",
    "AllowedWebhookCidrs": "127.0.0.0/8,::1/128",
    "AllowedFetchCidrs": "127.0.0.0/8,::1/128",
}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A deployed stack. `endpoint` is the URL for JSON-RPC, without a slash at its end; `outputs` is the template's."""

    name: str
    endpoint: str
    outputs: Mapping[str, str]
    emulator: Emulator

    def client(self, service: str) -> Any:
        """A boto3 client for the AWS service of this name in the emulator."""
        return client(self.emulator, service)


def deploy(
    emulator: Emulator,
    name: str,
    parameters: Mapping[str, str],
    progress: Progress = lambda _: None,
    stream_port: int | None = None,
) -> Stack:
    """Build what changed, deploy it as stack `name`, or update that stack, and ask the result for its agent card.

    `parameters` override the template's, after LOCAL_PARAMETERS. With Streaming a local gateway is the endpoint, on
    `stream_port` or any port. Raises LocalAwsError with the reason.
    """
    streams = parameters.get("Streaming") == "true"
    if streams:
        stream_port = gateways.reserved_port(emulator, name, stream_port)
        endpoint = gateways.url_of(stream_port)
    else:
        gateways.stop(emulator, name)
        endpoint = _api_url(emulator, name)
    with _one_at_a_time():
        _build_if_changed(progress)
        template_url = _package(emulator, progress)
    progress(f"Deploying the stack {name}")
    started = time.monotonic()
    given = agent_file.parameters(client(emulator, "secretsmanager")) | dict(parameters)
    outputs = _create_or_update(emulator, name, template_url, LOCAL_PARAMETERS | {"PublicUrl": endpoint} | given)
    _allow_batches(emulator, name, outputs["RedeliveryQueueUrl"])
    _allow_plain_http(emulator, name)
    if streams and stream_port is not None:
        gateways.restart(emulator, name, stream_port)
    _smoke_test(emulator, name, endpoint)
    progress(f"Deployed in {time.monotonic() - started:.1f} s")
    return Stack(name, endpoint, outputs, emulator)


def describe(emulator: Emulator, name: str) -> Stack | None:
    """The stack `name` if it is deployed and complete, else None."""
    try:
        found = client(emulator, "cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (ClientError, BotoCoreError):
        return None
    if found["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return None
    endpoint = gateways.find(emulator, name) or _api_url(emulator, name)
    return Stack(name, endpoint, _outputs(found), emulator)


def inbox_url(emulator: Emulator, name: str) -> str:
    """Where the inbox of the stack `name` answers, if it has SmokeInbox: its output names a host of AWS."""
    return _api_url(emulator, f"{name}-inbox")


def _api_url(emulator: Emulator, name: str) -> str:
    """Where the emulator's HTTP APIs answer."""
    return f"{emulator.url}/_aws/execute-api/{name}/$default"


def client(emulator: Emulator, service: str) -> Any:
    """A boto3 client for a service of the emulator, whatever AWS settings and proxies the person's shell has."""
    ignored = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = boto3.Session(
        botocore_session=botocore.session.Session(session_vars={"profile": (None, None, None, None)} | ignored),
        aws_access_key_id=ADMIN["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ADMIN["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    return session.client(service, endpoint_url=emulator.url, config=Config(proxies={}))


def environment(emulator: Emulator) -> dict[str, str]:
    """For commands that are to find the emulator, whatever AWS settings and proxies the person's shell has."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("AWS_") and not key.lower().endswith("_proxy")
    }
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "SAM_CLI_TELEMETRY": "0"}
    return kept | ADMIN | nothing | {"AWS_ENDPOINT_URL": emulator.url, "AWS_DEFAULT_REGION": REGION}


def sam(arguments: list[str], emulator: Emulator) -> int:
    """Run the SAM CLI against the emulator with its output on the terminal. Returns its exit code."""
    return subprocess.run([_sam(), *arguments], cwd=ROOT, env=environment(emulator), check=False).returncode


def build(progress: Progress = lambda _: None) -> None:
    """Build the layers into BUILD unless they are there already. deploy() does this by itself."""
    with _one_at_a_time():
        _build_if_changed(progress)


def _build_if_changed(progress: Progress) -> None:
    stamp = BUILD / ".stamp"
    fingerprint = _fingerprint()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    progress("Building the layers (once, until they change)")
    # sam build cannot say that it is for another machine than Lambda; the makefile of the layers can.
    environment = dict(os.environ) | {
        "LAYER_PYTHON": str(PYTHON),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": REGION,
    }
    _run_sam(["build", "--template", str(ROOT / "template.yaml"), "--build-dir", str(BUILD)], environment, "build.log")
    stamp.write_text(fingerprint)


def _package(emulator: Emulator, progress: Progress) -> str:
    """The URL of the template whose functions are uploaded."""
    progress("Packaging the functions")
    s3 = client(emulator, "s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=BUCKET)
    packaged = emulator.directory / "packaged.json"
    arguments = ["package", "--template-file", str(BUILD / "template.yaml"), "--s3-bucket", BUCKET]
    arguments += ["--no-progressbar", "--use-json", "--output-template-file", str(packaged)]
    _run_sam(arguments, environment(emulator), "package.log")
    template = for_the_emulator(json.loads(packaged.read_bytes()))
    # Through the bucket, as sam deploy does it: the template is larger than a request may be.
    body = json.dumps(template).encode()
    key = f"{hashlib.sha256(body).hexdigest()}.template"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"{emulator.url}/{BUCKET}/{key}"


def for_the_emulator(template: dict[str, Any]) -> dict[str, Any]:
    """The built template without what the emulator refuses."""
    resources = template["Resources"]
    # The stack's tag gives the agent's API a known id; the other API needs one of its own.
    resources["InboxApi"]["Properties"]["Tags"] = {"ms-custom-id": {"Fn::Sub": "${AWS::StackName}-inbox"}}
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:  # metric math: one of its metrics
            metric = next(part["MetricStat"] for part in properties.pop("Metrics") if "MetricStat" in part)
            properties |= metric["Metric"] | {"Statistic": metric["Stat"], "Period": metric["Period"]}
    return template


def _create_or_update(
    emulator: Emulator, name: str, template_url: str, parameters: Mapping[str, str]
) -> dict[str, str]:
    cloudformation = client(emulator, "cloudformation")
    request: dict[str, Any] = {
        "StackName": name,
        "TemplateURL": template_url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        # CloudFormation hands this tag on to the API, and the emulator takes its value as the API's id: a known URL.
        "Tags": [{"Key": "ms-custom-id", "Value": name}],
    }
    try:
        known = cloudformation.validate_template(TemplateURL=template_url)["Parameters"]
        if unknown := set(parameters) - {parameter["ParameterKey"] for parameter in known}:  # the emulator ignores them
            raise LocalAwsError(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
        if describe(emulator, name) is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise LocalAwsError(f"CloudFormation refused the stack: {error.response['Error']['Message']}") from error
    except BotoCoreError as error:
        raise LocalAwsError(
            f"The local AWS does not answer: {error}. Its log says:{tail(emulator.directory / 'emulator.log')}"
        ) from error

    deadline = time.monotonic() + DEPLOY_SECONDS
    while True:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if found["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return _outputs(found)
        if not found["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
            reason = found.get("StackStatusReason", "no reason given")
            raise LocalAwsError(f"The stack {name} is {found['StackStatus']}: {reason}")
        time.sleep(0.1)


def _allow_batches(emulator: Emulator, name: str, queue_url: str) -> None:
    """Let the notifier call SendMessageBatch.

    AWS authorizes it as sqs:SendMessage for each message, which the template allows. The emulator asks for an action of
    the call's own name, which AWS does not have and a linter of the template would refuse.
    """
    attributes = client(emulator, "sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])[
        "Attributes"
    ]
    statement = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": attributes["QueueArn"]}
    client(emulator, "iam").put_role_policy(
        RoleName=physical_id(emulator, name, "NotifierRole"),
        PolicyName="emulator",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _allow_plain_http(emulator: Emulator, name: str) -> None:
    """Lift the policy that the bucket answers over TLS only: the emulator enforces it, and has no TLS on loopback."""
    client(emulator, "s3").delete_bucket_policy(Bucket=physical_id(emulator, name, "ArtifactsBucket"))


def physical_id(emulator: Emulator, name: str, logical_id: str) -> str:
    """The name by which AWS knows a resource of the stack."""
    found = client(emulator, "cloudformation").describe_stack_resource(StackName=name, LogicalResourceId=logical_id)
    physical: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return physical


def _smoke_test(emulator: Emulator, name: str, endpoint: str) -> None:
    # A stack may be complete and answer nothing. The first request also starts the rpc function.
    url = f"{endpoint}/.well-known/agent-card.json"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=SMOKE_SECONDS) as response:
            json.load(response)["name"]
    except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError) as error:
        raise LocalAwsError(
            f"The stack is deployed, but {url} gives no agent card ({error}). The logs say:{_why(emulator, name)}"
        ) from error


def _why(emulator: Emulator, name: str) -> str:
    """What rpc logged, and what the emulator logged when the function did not even start."""
    try:
        events = client(emulator, "logs").filter_log_events(logGroupName=f"/aws/lambda/{name}-rpc")["events"]
    except (ClientError, BotoCoreError):
        events = []
    lines = [line for event in events for line in event["message"].rstrip().splitlines()]
    lines = [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))]
    log = emulator.directory / "emulator.log"
    lines += [line for line in log.read_text(errors="replace").splitlines() if " ERROR " in line][-1:]
    return "".join(f"\n    {line}" for line in lines[-15:])


def _outputs(found: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _sam() -> str:
    if not SAM.exists():
        raise LocalAwsError("The environment of the SAM CLI is missing. Run: make up")
    return str(SAM)


def _run_sam(arguments: list[str], environment: Mapping[str, str], log_name: str) -> None:
    log = STATE / log_name
    with log.open("wb") as output:
        command = [_sam(), *arguments]
        code = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        ).returncode
    if code != 0:
        raise LocalAwsError(
            f"sam {arguments[0]} failed with code {code}; all of it is in {log.relative_to(ROOT)}:{tail(log)}"
        )


def _fingerprint() -> str:
    """Of everything that goes into the build, so that an unchanged tree is not built again."""
    digest = hashlib.sha256(f"{sys.platform} {PYTHON.resolve()}".encode())
    files = [
        ROOT / "template.yaml",
        *(path for path in (ROOT / "layers").rglob("*") if path.is_file() and "__pycache__" not in path.parts),
    ]
    for path in sorted(files):
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests and a person may deploy at once; the build directory is one."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
