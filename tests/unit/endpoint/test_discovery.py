"""The agent card at its four paths (specification sections 8.2 and 8.6)."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from callers import BOB
from cloud_stack import CloudStack
from harness import ENDPOINT

from a2a_lambda.agent import Agent, Skill

ROOT_CARDS = ["/.well-known/agent-card.json", "/.well-known/agent.json"]
STRICT_CARD = "/v1/.well-known/agent-card.json"
LEGACY_CARD = "/agentCard"
ALL = [*ROOT_CARDS, STRICT_CARD, LEGACY_CARD]


@pytest.fixture
def aws_stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


def card(stack: CloudStack, path: str) -> dict[str, Any]:
    reply = stack.http("GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = reply.json
    return found


@pytest.mark.parametrize("path", ALL)
def test_a_card_says_who_the_agent_is_and_what_it_can_do(aws_stack: CloudStack, path: str) -> None:
    found = card(aws_stack, path)
    assert (found["name"], found["version"]) == ("PushAgent", "1.0.0")
    assert found["capabilities"]["streaming"] is False
    assert found["capabilities"]["pushNotifications"] is True
    assert [skill["name"] for skill in found["skills"]] == ["push_demo"]


@pytest.mark.parametrize("path", ROOT_CARDS)
def test_the_card_at_the_root_leads_a_1_0_client_to_1_0_first_and_a_0_3_client_to_its_own(
    aws_stack: CloudStack, path: str
) -> None:
    found = card(aws_stack, path)
    json_rpc = [entry for entry in found["supportedInterfaces"] if entry["protocolBinding"] == "JSONRPC"]
    assert [entry["protocolVersion"] for entry in json_rpc] == ["1.0", "0.3"]
    assert {entry["url"] for entry in json_rpc} == {f"{ENDPOINT}/"}
    assert (found["url"], found["preferredTransport"]) == (f"{ENDPOINT}/", "JSONRPC")
    assert found["protocolVersion"].startswith("0.3")


def test_the_strict_card_has_no_field_that_1_0_does_not_know(aws_stack: CloudStack) -> None:
    found = card(aws_stack, STRICT_CARD)
    assert set(found) <= {
        *("name", "description", "version", "supportedInterfaces", "capabilities", "skills", "provider"),
        *("defaultInputModes", "defaultOutputModes", "documentationUrl", "securitySchemes", "securityRequirements"),
    }
    assert {entry["protocolVersion"] for entry in found["supportedInterfaces"]} == {"1.0"}
    assert all(entry["url"].startswith(f"{ENDPOINT}/v1") for entry in found["supportedInterfaces"])


def test_the_legacy_card_names_its_interface(aws_stack: CloudStack) -> None:
    assert card(aws_stack, LEGACY_CARD)["interfaces"] == [{"type": "json-rpc", "url": f"{ENDPOINT}/", "version": "1.0"}]


@pytest.mark.parametrize("path", [*ROOT_CARDS, STRICT_CARD])
def test_every_json_rpc_interface_of_a_card_answers(aws_stack: CloudStack, path: str) -> None:
    for entry in card(aws_stack, path)["supportedInterfaces"]:
        if entry["protocolBinding"] == "JSONRPC":
            method = "ListTasks" if entry["protocolVersion"] == "1.0" else "tasks/list"
            body = {"jsonrpc": "2.0", "id": 1, "method": method}
            answer = aws_stack.post(body, path=entry["url"].removeprefix(ENDPOINT), version=entry["protocolVersion"])
            assert "result" in answer


@pytest.mark.parametrize("path", ALL)
def test_the_card_names_the_public_url_where_the_operator_gives_one(
    cloud_stack: Callable[..., CloudStack], path: str
) -> None:
    reply = cloud_stack(public_url="https://agent.example.com/{apiId}/").http("GET", path)
    assert "https://agent.example.com/abc123/" in reply.body
    assert "execute-api.us-east-1" not in reply.body


@pytest.mark.parametrize(
    ("mode", "scheme"),
    [("NONE", None), ("IAM", "httpAuthSecurityScheme"), ("JWT", "openIdConnectSecurityScheme")],
)
def test_the_card_says_how_callers_prove_who_they_are(
    cloud_stack: Callable[..., CloudStack], mode: str, scheme: str | None
) -> None:
    found = card(cloud_stack(auth_mode=mode), STRICT_CARD)
    if scheme is None:
        assert "securitySchemes" not in found
        assert "securityRequirements" not in found
    else:
        ((name, declared),) = found["securitySchemes"].items()
        assert list(declared) == [scheme]
        assert found["securityRequirements"] == [{"schemes": {name: {"list": []}}}]


def test_a_jwt_stack_names_the_issuers_configuration(cloud_stack: Callable[..., CloudStack]) -> None:
    found = card(cloud_stack(auth_mode="JWT"), STRICT_CARD)
    expected = {"openIdConnectUrl": "https://issuer.example.com/.well-known/openid-configuration"}
    assert found["securitySchemes"]["jwt"]["openIdConnectSecurityScheme"] == expected


def test_what_the_author_of_an_agent_says_is_on_its_card(cloud_stack: Callable[..., CloudStack]) -> None:
    agent = Agent(
        name="Named",
        version="2.1.0",
        description="Does things.",
        skills=[Skill("s", "S", "Skilled.", tags=["t"], examples=["do it"])],
        input_modes=["text/plain"],
        output_modes=["image/png"],
        provider={"organization": "O", "url": "https://o.example.com"},
        documentation_url="https://docs.example.com",
    )
    found = card(cloud_stack(agent=agent), STRICT_CARD)
    assert (found["name"], found["version"], found["description"]) == ("Named", "2.1.0", "Does things.")
    assert found["skills"] == [
        {"id": "s", "name": "S", "description": "Skilled.", "tags": ["t"], "examples": ["do it"]}
    ]
    assert (found["defaultInputModes"], found["defaultOutputModes"]) == (["text/plain"], ["image/png"])
    assert found["provider"] == {"organization": "O", "url": "https://o.example.com"}
    assert found["documentationUrl"] == "https://docs.example.com"


# ------------------------------------------------------------------------------------------------------------- caching


@pytest.mark.parametrize("path", ALL)
def test_a_card_may_be_cached_and_asked_for_again(aws_stack: CloudStack, path: str) -> None:
    reply = aws_stack.http("GET", path)
    assert reply.headers["cache-control"].startswith("public, max-age=")
    assert parsedate_to_datetime(reply.headers["last-modified"]).tzinfo is not None
    etag = reply.headers["etag"]
    assert etag.startswith('"')
    again = aws_stack.http("GET", path, headers={"If-None-Match": etag})
    assert (again.status, again.body, again.headers["etag"]) == (304, "", etag)


@pytest.mark.parametrize("tags", ['"other"', '"other", W/{etag}', "W/{etag}", "*", "", ","])
def test_a_card_is_sent_again_unless_one_of_the_tags_is_its_own(aws_stack: CloudStack, tags: str) -> None:
    path = ROOT_CARDS[0]
    etag = aws_stack.http("GET", path).headers["etag"]
    known = "{etag}" in tags or tags == "*"
    reply = aws_stack.http("GET", path, headers={"If-None-Match": tags.format(etag=etag)})
    assert reply.status == (304 if known else 200)


def test_a_card_that_says_something_else_has_another_tag(cloud_stack: Callable[..., CloudStack]) -> None:
    tags = {
        cloud_stack(**options).http("GET", path).headers["etag"]
        for options in (
            {},
            {"push_notifications": False},
            {"auth_mode": "IAM"},
            {"public_url": "https://a.example.com"},
        )
        for path in (ROOT_CARDS[0], STRICT_CARD)
    }
    assert len(tags) == 8


@pytest.mark.parametrize("path", ALL)
def test_the_card_is_the_same_for_everybody(aws_stack: CloudStack, path: str) -> None:
    assert aws_stack.http("GET", path).body == aws_stack.http("GET", path, caller=BOB).body


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/agentCard"), ("PUT", "/"), ("GET", "/")])
def test_what_is_neither_card_nor_endpoint_is_not_found(aws_stack: CloudStack, method: str, path: str) -> None:
    reply = aws_stack.http(method, path, "{}", {"Content-Type": "application/json"})
    assert reply.status in (404, 405)
    assert "Traceback" not in reply.body
