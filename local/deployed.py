"""A function as it is deployed on the emulator: code, layers, variables and role, read by AWS's own APIs."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from pathlib import Path

from emulator import PYTHON, REGION, Emulator, LocalAwsError
from environments import Function, kept_variables
from stack import client, physical_id

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


def deployed(emulator: Emulator, stack: str, logical_id: str, directory: Path) -> Function:
    """The function, unpacked below `directory` as Lambda does it at /var/task and /opt. Raises LocalAwsError."""
    name = physical_id(emulator, stack, logical_id)
    found = client(emulator, "lambda").get_function(FunctionName=name)
    configuration = found["Configuration"]
    task, opt = directory / "task", directory / "opt"
    _unpack(found["Code"]["Location"], task)
    for layer in configuration.get("Layers", []):
        content = client(emulator, "lambda").get_layer_version_by_arn(Arn=layer["Arn"])["Content"]
        _unpack(content["Location"], opt)
    variables = dict(configuration["Environment"]["Variables"])
    if WRAPPER not in variables:
        raise LocalAwsError(f"{name} has no {WRAPPER}: was it deployed with Streaming=true?")
    wrapper = opt / variables[WRAPPER].removeprefix("/opt/")
    credentials = client(emulator, "sts").assume_role(RoleArn=configuration["Role"], RoleSessionName=name)[
        "Credentials"
    ]
    variables |= kept_variables() | {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "LAMBDA_TASK_ROOT": str(task),
        "PYTHONPATH": ":".join(_python_path(emulator)),
    }
    command = (str(wrapper), str(PYTHON), "/var/runtime/bootstrap.py")
    return Function(name, configuration["Handler"], command, task, variables, float(configuration["Timeout"]))


def _python_path(emulator: Emulator) -> list[str]:
    """Where the emulator's functions find modules beside their layers: tests bring agents this way."""
    record = json.loads((emulator.directory / "emulator.json").read_text())
    return [str(path) for path in record.get("python_path", [])]


def _unpack(url: str, directory: Path) -> None:
    """Later archives lie over earlier ones, and files keep their modes, which zipfile would forget."""
    directory.mkdir(parents=True, exist_ok=True)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=30) as response, zipfile.ZipFile(io.BytesIO(response.read())) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, directory))
            if mode := (entry.external_attr >> 16) & 0o777:
                path.chmod(mode | 0o600 if path.is_file() else mode | 0o700)
