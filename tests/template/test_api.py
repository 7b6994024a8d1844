"""The routes of the HTTP API: who may call what. Those of the REST API are in test_streaming.py."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.parametrize("streaming", [False], indirect=True, scope="session")

PUBLIC = {
    "ANY /.well-known/agent-card.json",
    "ANY /.well-known/agent.json",
    "ANY /agentCard",
    "ANY /v1/.well-known/agent-card.json",
    "ANY /.well-known/jwks.json",
}
PREFLIGHTS = {"OPTIONS /", "OPTIONS /{proxy+}"}
GUARDED = {"POST /", "ANY /{proxy+}"}
GUARD = {"Fn::If": ["UsesIam", "AWS_IAM", {"Fn::If": ["UsesJwt", "JWT", "NONE"]}]}


def routes(of_type):
    return {properties["RouteKey"]: properties for properties in of_type("AWS::ApiGatewayV2::Route").values()}


def test_the_routes_are_the_cards_the_keys_and_two_that_take_the_rest(of_type):
    assert set(routes(of_type)) == PUBLIC | GUARDED | PREFLIGHTS


def test_only_the_cards_the_keys_and_what_browsers_ask_first_are_public(of_type):
    public = {key for key, properties in routes(of_type).items() if properties["AuthorizationType"] == "NONE"}

    assert public == PUBLIC | PREFLIGHTS


def test_browsers_may_ask_only_where_the_operator_names_origins(resources, template):
    preflights = [each for each in resources.values() if each["Properties"].get("RouteKey") in PREFLIGHTS]

    assert {each["Condition"] for each in preflights} == {"BuffersWithCors"}
    has_origins = {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsAllowOrigins"}, ""]}]}
    assert template["Conditions"]["BuffersWithCors"] == {"Fn::And": [{"Condition": "Buffers"}, has_origins]}


def test_every_other_route_asks_who_is_calling(of_type):
    for key in GUARDED:
        route = routes(of_type)[key]
        assert route["AuthorizationType"] == GUARD
        assert route["AuthorizerId"] == {"Fn::If": ["UsesJwt", {"Ref": "JwtAuthorizer"}, {"Ref": "AWS::NoValue"}]}


def test_authorization_is_on_unless_it_is_turned_off(template):
    mode = template["Parameters"]["AuthMode"]

    assert mode["Default"] == "IAM"
    assert mode["AllowedValues"] == ["IAM", "JWT", "NONE"]


def test_jwt_without_issuer_or_audience_is_refused(template):
    rule = template["Rules"]["JwtIsComplete"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "AuthMode"}, "JWT"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]} for parameter in ("JwtIssuer", "JwtAudience")
    ]


def test_the_api_may_call_rpc_and_nobody_else_may(of_type):
    (permission,) = of_type("AWS::Lambda::Permission").values()

    assert permission["FunctionName"] == {"Ref": "RpcFunction"}
    assert permission["Principal"] == "apigateway.amazonaws.com"
    arn, variables = permission["SourceArn"]["Fn::Sub"]
    assert ":${Api}/" in arn
    assert variables == {"Api": {"Ref": "HttpApi"}}


def test_rpc_gets_events_of_payload_format_2(of_type):
    (integration,) = of_type("AWS::ApiGatewayV2::Integration").values()

    assert integration["PayloadFormatVersion"] == "2.0"


def test_requests_are_throttled_and_logged(of_type):
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()

    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == {"Ref": "RequestsBurst"}
    assert "${HttpApiLogGroup}" in stage["AccessLogSettings"]["DestinationArn"]["Fn::Sub"]


def test_the_access_log_holds_no_credentials(of_type):
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()

    assert "header" not in stage["AccessLogSettings"]["Format"].lower()
