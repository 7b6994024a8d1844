"""Streaming: a REST API in the place of the HTTP API, and nothing of it where it is not asked for."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from a2a_lambda.endpoint.stream import RESERVE

PUBLIC = {
    "ANY /.well-known/agent-card.json",
    "ANY /.well-known/agent.json",
    "ANY /agentCard",
    "ANY /v1/.well-known/agent-card.json",
    "ANY /.well-known/jwks.json",
}
GUARDED = {"POST /", "ANY /{proxy+}", "ANY /v1", "ANY /v1/{proxy+}"}
PREFLIGHTS = {"OPTIONS /", "OPTIONS /{proxy+}", "OPTIONS /v1", "OPTIONS /v1/{proxy+}"}
GUARD = {"Fn::If": ["UsesIam", "AWS_IAM", {"Fn::If": ["UsesJwt", "JWT", "NONE"]}]}
SNAPSHOT = ("RestApi", "Resource", "Method", "Authorizer", "GatewayResponse")
"""The types of resources of which a deployment keeps a copy."""

streams = pytest.mark.parametrize("streaming", [True], indirect=True, scope="session")
buffers = pytest.mark.parametrize("streaming", [False], indirect=True, scope="session")


def kind(resource) -> str:
    return resource["Type"].removeprefix("AWS::ApiGateway::")


@pytest.fixture(scope="module")
def methods(resources):
    """The properties of each method by verb and path."""

    def path(identity) -> str:
        match identity:
            case {"Fn::GetAtt": ["RestApi", "RootResourceId"]}:
                return ""
            case {"Ref": name}:
                properties = resources[name]["Properties"]
                return f"{path(properties['ParentId'])}/{properties['PathPart']}"
        raise AssertionError(identity)

    found = [each["Properties"] for each in resources.values() if kind(each) == "Method"]
    return {f"{each['HttpMethod']} {path(each['ResourceId']) or '/'}": each for each in found}


# ------------------------------------------------------------------------------------------------------------------ off


def test_it_is_off_unless_it_is_asked_for(template):
    assert template["Parameters"]["Streaming"]["Default"] == "false"


@buffers
def test_without_it_the_stack_has_no_resource_of_a_rest_api(resources):
    assert not [name for name, each in resources.items() if each["Type"].startswith("AWS::ApiGateway::")]
    assert not [name for name in resources if name.startswith("Rest")]


@streams
def test_with_it_the_stack_has_no_resource_of_an_http_api(resources):
    assert not [name for name, each in resources.items() if each["Type"].startswith("AWS::ApiGatewayV2::")]
    assert not [name for name in resources if name.startswith("HttpApi")]


@buffers
def test_without_it_the_functions_run_as_they_did(functions):
    variables = functions["rpc"]["Environment"]["Variables"]

    assert "AWS_LAMBDA_EXEC_WRAPPER" not in variables
    assert functions["rpc"]["ReservedConcurrentExecutions"]["Fn::If"][0] == "LimitsRpc"
    assert functions["rpc"]["Timeout"] == 29


def test_who_writes_tasks_is_told_whether_somebody_watches_them(functions):
    told = {name for name, each in functions.items() if "STREAMING" in each["Environment"]["Variables"]}

    assert told == {"rpc", "executor", "caretaker"}


# -------------------------------------------------------------------------------------------------------------- methods


@streams
def test_the_methods_are_those_of_the_http_api(methods):
    assert set(methods) == PUBLIC | GUARDED | PREFLIGHTS


@streams
def test_only_the_cards_the_keys_and_what_browsers_ask_first_are_public(methods):
    assert {key for key, each in methods.items() if each["AuthorizationType"] == "NONE"} == PUBLIC | PREFLIGHTS


@streams
@pytest.mark.parametrize("key", sorted(GUARDED))
def test_every_other_method_asks_who_is_calling(methods, key):
    assert methods[key]["AuthorizationType"] == GUARD
    assert methods[key]["AuthorizerId"] == {
        "Fn::If": ["UsesJwt", {"Ref": "RestJwtAuthorizer"}, {"Ref": "AWS::NoValue"}]
    }


@streams
def test_every_method_streams_what_rpc_answers(methods):
    (integration,) = {json.dumps(each["Integration"], sort_keys=True) for each in methods.values()}
    read = json.loads(integration)

    assert (read["Type"], read["IntegrationHttpMethod"], read["ResponseTransferMode"]) == (
        "AWS_PROXY",
        "POST",
        "STREAM",
    )
    assert read["TimeoutInMillis"] == 900_000
    assert read["Uri"]["Fn::Sub"].endswith(
        ":lambda:path/2021-11-15/functions/${RpcFunction.Arn}/response-streaming-invocations"
    )


@streams
def test_the_api_may_call_rpc_and_nobody_else_may(of_type):
    (permission,) = of_type("AWS::Lambda::Permission").values()

    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["SourceArn"]["Fn::Sub"][1] == {"Api": {"Ref": "RestApi"}}


@streams
def test_tokens_are_those_of_the_issuer_for_the_audience(resources):
    authorizer = resources["RestJwtAuthorizer"]

    assert authorizer["Condition"] == "StreamsWithJwt"
    assert authorizer["Properties"]["Type"] == "JWT"
    assert authorizer["Properties"]["IdentitySource"] == "method.request.header.Authorization"
    configuration = authorizer["Properties"]["JwtConfiguration"]
    assert configuration["Issuers"] == [
        {"Issuer": {"Ref": "JwtIssuer"}, "Audiences": {"Fn::Split": [",", {"Ref": "JwtAudience"}]}}
    ]
    assert not [name for name in configuration["DefaultAlgorithms"] if not re.fullmatch(r"[RE]S(256|384|512)", name)]


# ---------------------------------------------------------------------------------------------------------- deployments


def deployments(resources) -> dict[str, dict]:
    return {name: each for name, each in resources.items() if kind(each) == "Deployment"}


@streams
def test_what_is_deployed_is_in_the_name_of_its_deployments_so_that_a_change_is_deployed(resources):
    """A deployment is a copy that is made once. If this fails: put the digest that it shows into their names."""
    copied = {name: each["Properties"] for name, each in resources.items() if kind(each) in SNAPSHOT}
    digest = hashlib.sha256(json.dumps(copied, sort_keys=True).encode()).hexdigest()[:8]

    assert set(deployments(resources)) == {f"RestDeployment{digest}{mode}" for mode in ("Iam", "Jwt", "None")}


@streams
def test_each_way_of_authorization_is_deployed_by_itself(resources, template):
    stage = resources["RestStage"]["Properties"]["DeploymentId"]
    iam, jwt, none = sorted(deployments(resources))

    assert stage == {"Fn::If": ["UsesIam", {"Ref": iam}, {"Fn::If": ["UsesJwt", {"Ref": jwt}, {"Ref": none}]}]}
    conditions = {name: each["Condition"] for name, each in deployments(resources).items()}
    assert conditions == {iam: "StreamsWithIam", jwt: "StreamsWithJwt", none: "StreamsWithNone"}
    assert template["Conditions"]["StreamsWithNone"] == {
        "Fn::And": [{"Condition": "Streams"}, {"Fn::Equals": [{"Ref": "AuthMode"}, "NONE"]}]
    }


@streams
def test_a_deployment_waits_for_all_that_it_copies(resources):
    copied = {name for name, each in resources.items() if kind(each) in ("Method", "GatewayResponse")}

    for each in deployments(resources).values():
        assert set(each["DependsOn"]) == copied


@streams
def test_no_condition_but_that_of_authorization_changes_what_is_copied(resources):
    text = json.dumps([each for each in resources.values() if kind(each) in SNAPSHOT])

    assert set(re.findall(r'"Fn::If": \["(\w+)"', text)) == {"UsesIam", "UsesJwt"}
    assert {each["Condition"] for each in resources.values() if kind(each) in SNAPSHOT} == {"Streams", "StreamsWithJwt"}


# ---------------------------------------------------------------------------------------------------------------- stage


@streams
def test_requests_are_throttled_and_logged_without_credentials(resources):
    stage = resources["RestStage"]["Properties"]
    (settings,) = stage["MethodSettings"]
    condition, log, _ = stage["AccessLogSetting"]["Fn::If"]

    assert settings["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "RequestsBurst"}
    assert condition == "LogsRestApi"
    assert "${RestApiLogGroup}" in log["DestinationArn"]["Fn::Sub"]
    logged = json.loads(log["Format"])
    assert {"mode", "headersMs", "firstMs", "status"} <= set(logged)
    assert "header." not in log["Format"]


@streams
def test_the_accounts_role_for_logs_is_set_before_the_stage_and_outlives_the_stack(resources):
    account, role = resources["RestApiLogAccount"], resources["RestApiLogRole"]

    assert "${RestApiLogAccount}" in json.dumps(resources["RestStage"]["Properties"]["Description"])
    for each in (account, role):
        assert each["Condition"] == "SetsApiLogRole"
        assert each["DeletionPolicy"] == "RetainExceptOnCreate"
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
    (policy,) = role["Properties"]["ManagedPolicyArns"]
    assert policy["Fn::Sub"].endswith(":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")


# --------------------------------------------------------------------------------------------------------------- limits


@streams
def test_a_stream_ends_before_its_function_and_its_integration_do(functions, template):
    longest = template["Parameters"]["StreamSeconds"]["MaxValue"]

    assert longest + RESERVE < functions["rpc"]["Timeout"] <= 900


@streams
def test_open_streams_leave_room_for_the_other_functions(functions, template):
    reserved = functions["rpc"]["ReservedConcurrentExecutions"]

    assert reserved == {"Fn::If": ["LimitsStreams", {"Ref": "MaxStreams"}, {"Ref": "AWS::NoValue"}]}
    assert template["Parameters"]["MaxStreams"]["Default"] == "100"


# ------------------------------------------------------------------------------------------------ where the endpoint is


@streams
def test_the_url_has_the_stage_wherever_it_is_named(template, functions):
    own = "https://${RestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/a2a"
    named = {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, {"Fn::Sub": own}]}

    assert template["Outputs"]["Endpoint"]["Value"] == named
    assert template["Outputs"]["AgentCardUrl"]["Value"]["Fn::Sub"][1] == {"Base": named}
    for name in ("notifier", "redelivery"):
        variables = functions[name]["Environment"]["Variables"]
        assert (variables["ISSUER"], variables["API_ID"]) == (named, {"Ref": "RestApi"})


def test_the_alarm_for_errors_looks_at_the_api_that_is_deployed(resources, streaming):
    alarm = resources["ApiErrorsAlarm"]["Properties"]
    names = [each["Name"] for each in alarm["Dimensions"] if each != {"Ref": "AWS::NoValue"}]

    expected = ("5XXError", ["ApiName", "Stage"]) if streaming else ("5xx", ["ApiId"])
    assert (alarm["MetricName"], names) == expected


@pytest.mark.parametrize(
    ("origins", "taken"),
    [
        ("", True),
        ("*", True),
        ("https://a.example", True),
        ("https://a.example,http://localhost:3000", True),
        ("https://a.example/", False),
        ("https://a.example, https://b.example", False),
        ("https://*.example", False),
        ("a.example", False),
        ("*,https://a.example", False),
    ],
)
def test_origins_are_written_as_browsers_write_them(template, origins, taken):
    pattern = template["Parameters"]["CorsAllowOrigins"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, origins)) is taken


def test_nothing_but_the_new_authorizer_is_excused_from_the_linter(resources):
    excused = {
        name: each["Metadata"]["cfn-lint"] for name, each in resources.items() if "cfn-lint" in each.get("Metadata", {})
    }

    assert excused in ({}, {"RestJwtAuthorizer": {"config": {"ignore_checks": ["E3002"]}}})
