"""The inbox of `make smoke`: there when it is asked for, and then for nobody but those whom the stack lets in."""

from __future__ import annotations

import json

import pytest

GUARD = {"Fn::If": ["UsesIam", "AWS_IAM", {"Fn::If": ["UsesJwt", "JWT", "NONE"]}]}
NEW = {
    "InboxApi",
    "InboxApiStage",
    "InboxApiLogGroup",
    "InboxJwtAuthorizer",
    "InboxIntegration",
    "InboxPermission",
    "MakeBoxRoute",
    "ReadBoxRoute",
    "DeleteBoxRoute",
    "PushRoute",
    "InboxFunction",
    "InboxLogGroup",
    "InboxRole",
    "InboxTable",
}


@pytest.fixture
def routes(with_inbox):
    return {
        name: resource["Properties"]
        for name, resource in with_inbox["Resources"].items()
        if resource["Type"] == "AWS::ApiGatewayV2::Route" and resource["Properties"]["ApiId"] == {"Ref": "InboxApi"}
    }


def test_it_is_off_unless_it_is_asked_for(template):
    assert template["Parameters"]["SmokeInbox"]["Default"] == "false"


def test_it_adds_resources_and_changes_none(template, with_inbox):
    without, with_it = template["Resources"], with_inbox["Resources"]

    assert set(with_it) - set(without) == NEW
    assert {name: with_it[name] for name in without} == without
    assert set(with_inbox["Outputs"]) - set(template["Outputs"]) == {"InboxUrl"}


def test_a_stack_without_it_names_none_of_it(template):
    text = json.dumps({"Resources": template["Resources"], "Outputs": template["Outputs"]})

    assert not [name for name in NEW if f'"{name}"' in text or f"{{{name}" in text]


def test_boxes_ask_who_is_calling_as_the_agent_does(routes):
    for name in ("MakeBoxRoute", "ReadBoxRoute", "DeleteBoxRoute"):
        assert routes[name]["AuthorizationType"] == GUARD
        assert routes[name]["AuthorizerId"] == {
            "Fn::If": ["UsesJwt", {"Ref": "InboxJwtAuthorizer"}, {"Ref": "AWS::NoValue"}]
        }


def test_only_pushes_are_public_and_their_path_has_a_token(routes):
    public = {route["RouteKey"] for route in routes.values() if route["AuthorizationType"] == "NONE"}

    assert public == {"POST /push/{token}"}


def test_its_role_allows_its_own_table_and_log_and_nothing_else(with_inbox):
    (policy,) = [
        policy
        for policy in with_inbox["Resources"]["InboxRole"]["Properties"]["Policies"]
        if policy.get("PolicyName") == "inbox"
    ]
    allowed = {
        statement["Resource"]["Fn::GetAtt"][0]: statement["Action"]
        for statement in policy["PolicyDocument"]["Statement"]
    }

    assert allowed == {
        "InboxLogGroup": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "InboxTable": [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        ],
    }


def test_no_other_role_reaches_its_table(with_inbox):
    others = {
        name: resource
        for name, resource in with_inbox["Resources"].items()
        if resource["Type"].startswith("AWS::IAM::") and name != "InboxRole"
    }

    assert "InboxTable" not in json.dumps(others)


def test_its_role_has_the_boundary_and_the_vpc_of_the_others(with_inbox):
    inbox, redelivery = (with_inbox["Resources"][name]["Properties"] for name in ("InboxRole", "RedeliveryRole"))

    for what in ("PermissionsBoundary", "ManagedPolicyArns", "AssumeRolePolicyDocument"):
        assert inbox[what] == redelivery[what]


def test_its_table_forgets(with_inbox):
    table = with_inbox["Resources"]["InboxTable"]["Properties"]

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def test_no_log_has_the_token(with_inbox):
    stage = with_inbox["Resources"]["InboxApiStage"]["Properties"]

    assert "$context.path" not in stage["AccessLogSettings"]["Format"]
