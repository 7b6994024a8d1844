"""How late the events of a deployed stack's streams are, and which parameter helps: `make probe-stream URL=…`.

    python tools/probe_stream.py URL [--bearer TOKEN | --sigv4]

The stack has AgentModule=probe_agent: it writes ten statuses a second apart, and its endpoint sends after each event
what the request asks for. All ways are tried at once, by HTTP/1.1 and HTTP/2. Delays run from the write to the arrival;
the clocks of the two machines differ, so each is given beyond the shortest of all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import httpx

AFTER = {"none": "nothing", "0": "a comment", "4096": "4 kB", "16384": "16 kB", "102400": "100 kB"}
"""What comes after each event: the value of the header A2A-Probe, and its name in the report."""

ON_TIME = 0.75
"""Seconds beyond the shortest delay that looking at the task accounts for; what is later was held back."""

EVENTS = 10


class ProbeError(Exception):
    """The probe cannot be made. One line that says what to do."""


class Run(NamedTuple):
    """One stream: seconds from each write to its arrival, by the two clocks."""

    http: str
    after: str
    delays: tuple[float, ...]


async def probe(url: str, sign: Callable[[httpx.Request], None], seconds: float = 60.0) -> list[Run]:
    """All ways at once. Raises ProbeError."""
    ways = [(http, after) for http in ("1.1", "2") for after in AFTER]
    runs = await asyncio.gather(*(stream(url, sign, http, after, seconds) for http, after in ways))
    return [run for run in runs if run is not None]


async def stream(url: str, sign: Callable[[httpx.Request], None], http: str, after: str, seconds: float) -> Run | None:
    """One stream to its end; None if the other side does not speak HTTP/2."""
    message = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": "probe"}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": message}}
    headers = {"A2A-Version": "1.0", "A2A-Probe": after, "Accept": "text/event-stream"}
    local = httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")
    try:
        async with httpx.AsyncClient(
            http2=http == "2", http1=http != "2" or local, timeout=seconds, trust_env=not local
        ) as client:
            request = client.build_request("POST", url.rstrip("/") + "/", json=body, headers=headers)
            sign(request)
            answer = await client.send(request, stream=True)
            if http == "2" and answer.http_version != "HTTP/2":
                await answer.aclose()
                return None
            if "text/event-stream" not in answer.headers.get("content-type", ""):
                raise ProbeError(refusal(answer.status_code, (await answer.aread()).decode(errors="replace")))
            delays = [delay async for delay in arrivals(answer.aiter_raw())]
            await answer.aclose()
    except httpx.HTTPError as error:
        raise ProbeError(f"{url} broke off ({type(error).__name__}): check the URL, then the log of rpc") from error
    if len(delays) < EVENTS:
        raise ProbeError("The stream has no statuses: deploy a stack with Streaming=true AgentModule=probe_agent")
    return Run(http, after, tuple(delays))


async def arrivals(pieces: AsyncIterator[bytes]) -> AsyncIterator[float]:
    """Seconds from the write of each status "n/10" to its arrival, by the two clocks."""
    rest = b""
    async for piece in pieces:
        now = time.time()
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            data = next((line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")), b"{}")
            status = json.loads(data).get("result", {}).get("statusUpdate", {}).get("status", {})
            if "message" in status and status["message"]["parts"][0]["text"].endswith(f"/{EVENTS}"):
                yield now - datetime.fromisoformat(status["timestamp"]).timestamp()


def refusal(status: int, body: str) -> str:
    """What to do about an answer that is no stream."""
    if status in (401, 403):
        return f"The stack refuses this caller (HTTP {status}): authorize with --bearer TOKEN or --sigv4"
    if "-32004" in body:
        return "The stack does not stream: deploy it with Streaming=true AgentModule=probe_agent"
    return f"The answer is no stream (HTTP {status}): check that the URL is the stack's Endpoint"


def report(runs: Sequence[Run]) -> list[str]:
    """A line for each run: delays in milliseconds beyond the shortest of all."""
    shortest = min(delay for run in runs for delay in run.delays)
    fastest = f"milliseconds later than the fastest event ({shortest * 1000:.0f} by the clocks)"
    lines = [f"{'HTTP':6}{'after each event':18}{fastest}"]
    for run in runs:
        late = "".join(f"{(delay - shortest) * 1000:7.0f}" for delay in run.delays)
        lines.append(f"{run.http:6}{AFTER[run.after]:18}{late}")
    if not any(run.http == "2" for run in runs):
        lines.append("2     is not spoken there")
    return lines


def verdict(runs: Sequence[Run]) -> str:
    """One line: which parameter to set."""
    shortest = min(delay for run in runs for delay in run.delays)
    prompt: Mapping[str, set[str]] = {
        http: {run.after for run in runs if run.http == http and late(run, shortest) <= ON_TIME}
        for http in ("1.1", "2")
    }
    spoken = [http for http in prompt if any(run.http == http for run in runs)]
    for after in list(AFTER)[1:]:
        if all(after in prompt[http] for http in spoken):
            return f"Set StreamPadding={after}" + (" (the default): events come at once." if after == "0" else ".")
    for http in spoken:
        if fitting := [after for after in list(AFTER)[1:] if after in prompt[http]]:
            return (
                f"Set StreamPadding={fitting[0]}, and let clients use HTTP/{http}: by the other events are held back."
            )
    return "No StreamPadding helps: streams are held back on the way, whatever follows an event. Use webhooks."


def late(run: Run, shortest: float) -> float:
    """The delay beyond the shortest that nine of ten events keep."""
    return statistics.quantiles(run.delays, n=10)[-1] - shortest


def sigv4(url: str) -> Callable[[httpx.Request], None]:
    """Signs with the AWS credentials of the shell. Raises ProbeError."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session
    except ImportError as error:
        raise ProbeError(
            "--sigv4 needs botocore: .venvs/tools/bin/uv pip install --python .venvs/probe botocore"
        ) from error
    session = Session()
    credentials, parts = session.get_credentials(), httpx.URL(url).host.split(".")
    region = parts[2] if "execute-api" in parts[1:2] else session.get_config_variable("region")
    if credentials is None or not region:
        raise ProbeError("--sigv4 found no AWS credentials or no region: log in, or set AWS_PROFILE and AWS_REGION")
    signer = SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region)

    def sign(request: httpx.Request) -> None:
        signed = AWSRequest("POST", str(request.url), {"content-type": "application/json"}, request.content)
        signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))

    return sign


def bearer(token: str | None) -> Callable[[httpx.Request], None]:
    """Sends the token, if there is one."""

    def sign(request: httpx.Request) -> None:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"

    return sign


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How late the events of a stack's streams are.")
    parser.add_argument("url", help="the stack's Endpoint; its AgentModule is probe_agent")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--bearer", metavar="TOKEN", help="for AuthMode=JWT")
    who.add_argument("--sigv4", action="store_true", help="for AuthMode=IAM: sign with your AWS credentials")
    options = parser.parse_args(arguments)
    try:
        if httpx.URL(options.url).scheme not in ("http", "https"):
            raise ProbeError("The URL has to begin with https://")
        sign = sigv4(options.url) if options.sigv4 else bearer(options.bearer)
        print(f"Asking {options.url} for {EVENTS} events a second apart, in every way at once", file=sys.stderr)
        runs = asyncio.run(probe(options.url, sign))
    except (ProbeError, httpx.InvalidURL) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n".join([*report(runs), "", verdict(runs)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
