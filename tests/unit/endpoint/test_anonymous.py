"""A caller whom the authorizer let through without a name is nobody only where everybody is."""

from __future__ import annotations

import json

import pytest

from a2a_lambda.aws.http_api import owner_of
from a2a_lambda.core.operations import TaskList
from a2a_lambda.dialects import v1_params
from a2a_lambda.endpoint.endpoint import Endpoint
from a2a_lambda.endpoint.http import ANONYMOUS, HttpRequest
from a2a_lambda.endpoint.jsonrpc import JsonRpc
from a2a_lambda.endpoint.rest import Rest


def endpoint(anonymous: bool) -> Endpoint:
    def execute(owner: str, request: object) -> TaskList:
        return TaskList([], "", 50, 0)

    return Endpoint(JsonRpc([v1_params.DIALECT], execute), Rest(v1_params.DIALECT, execute), anonymous=anonymous)


def listing(owner: str) -> HttpRequest:
    headers = {"content-type": "application/json", "a2a-version": "1.0"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ListTasks"}).encode()
    return HttpRequest("POST", "/", owner, "https://a.example", headers, body=body)


@pytest.mark.parametrize("claims", [{}, {"iss": "https://i.example", "scope": "a2a"}, {"sub": ""}])
def test_a_token_without_a_subject_is_refused_on_a_stack_with_authorization(claims: dict[str, str]) -> None:
    owner = owner_of({"jwt": {"claims": claims}})
    assert owner == ANONYMOUS
    exchange = endpoint(anonymous=False).answer(listing(owner))
    assert exchange.response.status == 401


def test_a_token_with_a_subject_is_let_in() -> None:
    assert endpoint(anonymous=False).answer(listing(owner_of({"jwt": {"claims": {"sub": "a"}}}))).response.status == 200


def test_everybody_is_let_in_where_there_is_no_authorization() -> None:
    assert endpoint(anonymous=True).answer(listing(ANONYMOUS)).response.status == 200
