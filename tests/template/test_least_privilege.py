"""Who may do what. The integration tests run with these roles enforced, so what is missing here fails there."""

from __future__ import annotations

from typing import Any

import pytest

# X-Ray's write actions know no resources; the policy is only there when tracing is asked for. Nor does SendTaskSuccess:
# the task token is the permission.
MAY_NAME_ALL_RESOURCES = {
    *(
        (f"{name}Role", "SendTraces")
        for name in ("Rpc", "TaskStateMachine", "Executor", "Caretaker", "Notifier", "Redelivery")
    ),
    ("RpcRole", "ResumeExecutions"),
    ("ExecutorRole", "ResumeExecutions"),
    ("CaretakerRole", "ResumeExecutions"),
}

# Beside a role, because what they allow depends on that role.
EXTRA_POLICIES = {"TaskStateMachineSuccessionPolicy"}

# What only Standard executions can be asked for, and what only Express ones need: (resource, actions) by role.
ONLY_STANDARD = {
    "RpcRole": {"*": {"states:SendTaskSuccess"}, "executions of TaskStateMachine": {"states:StopExecution"}},
    "ExecutorRole": {"*": {"states:SendTaskSuccess"}},
    "CaretakerRole": {
        "*": {"states:SendTaskSuccess"},
        "EndedExecutionsQueue": {
            "sqs:SendMessage",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        },
    },
    "TaskStateMachineSuccessionPolicy": {"TaskStateMachine": {"states:StartExecution"}},
}
ONLY_EXPRESS = {
    "CaretakerRole": {
        "WatchQueue": {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    },
}

ALLOWED = {
    "RpcRole": {
        "RpcLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "ArtifactsBucket/*": {"s3:GetObject"},
        "TasksTable": {
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:ConditionCheckItem",
        },
        "TasksTable/index/byOwner": {"dynamodb:Query"},
        "TasksTable/index/byContext": {"dynamodb:Query"},
        "PushConfigsTable": {
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        },
        "PushConfigsTable/index/byOwner": {"dynamodb:Query"},
        "the state machine": {"states:StartExecution"},
    },
    "ExecutorRole": {
        "ExecutorLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "ArtifactsBucket/*": {"s3:PutObject"},
        "TasksTable": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "ContextsTable": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "those of AgentSecretArns": {"secretsmanager:GetSecretValue"},
    },
    "CaretakerRole": {
        "CaretakerLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "stream of TasksTable": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "TasksTable/stream/*": {"dynamodb:ListStreams"},
        "TasksTable": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "the state machine": {"states:StartExecution"},
        "StreamFailuresQueue": {"sqs:SendMessage"},
        "EndedExecutionsQueue": {"sqs:SendMessage"},
    },
    "NotifierRole": {
        "NotifierLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "ArtifactsBucket/*": {"s3:GetObject"},
        "stream of TasksTable": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "TasksTable/stream/*": {"dynamodb:ListStreams"},
        "PushConfigsTable": {"dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:DeleteItem"},
        "RedeliveryQueue": {"sqs:SendMessage"},
        "DeadLetterQueue": {"sqs:SendMessage"},
        "StreamFailuresQueue": {"sqs:SendMessage"},
    },
    "RedeliveryRole": {
        "RedeliveryLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "ArtifactsBucket/*": {"s3:GetObject"},
        "PushConfigsTable": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"},
        "RedeliveryQueue": {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        },
        "DeadLetterQueue": {"sqs:SendMessage"},
    },
    "TaskStateMachineSuccessionPolicy": {},
    "TaskStateMachineRole": {"ExecutorFunction": {"lambda:InvokeFunction"}},
}


OF_THE_ACCOUNT = "RestApiLogRole"
"""By which API Gateway writes logs, for all REST APIs: with the policy that AWS has for it. See test_streaming.py."""


@pytest.fixture(scope="session")
def of_type(of_type):
    """What is there beside it."""
    return lambda kind: {name: each for name, each in of_type(kind).items() if name != OF_THE_ACCOUNT}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def place(resource: Any) -> str:
    """A short name for the resource of a statement."""
    match resource:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return name
        case {"Fn::Split": [",", {"Ref": name}]}:
            return f"those of {name}"
        case {"Fn::GetAtt": [name, "StreamArn"]}:
            return f"stream of {name}"
        case {"Fn::Sub": text} if ":execution:" in text:
            return "executions of TaskStateMachine" if text.endswith(":execution:${TaskStateMachine.Name}:*") else text
        case {"Fn::Sub": text}:
            return text.replace("${", "").replace(".Arn}", "")
    return str(resource)


def unconditional(policy: Any) -> Any:
    """A policy that a role has under a condition, as it is when the condition holds."""
    return policy["Fn::If"][1] if "Fn::If" in policy else policy


def statements(of_type):
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for name, properties in of_type(kind).items():
            documents = [policy["PolicyDocument"] for policy in map(unconditional, properties.get("Policies", []))]
            for document in [*documents, *as_list(properties.get("PolicyDocument", []))]:
                for statement in map(unconditional, document["Statement"]):
                    yield name, statement


@pytest.mark.parametrize("role", sorted(ALLOWED))
def test_a_role_allows_what_its_function_does_and_nothing_else(of_type, role, workflow_type, machine):
    allowed: dict[str, set[str]] = {}
    for name, statement in statements(of_type):
        if name == role and statement["Sid"] != "SendTraces":
            assert statement["Effect"] == "Allow"
            for resource in as_list(statement["Resource"]):
                allowed.setdefault(place(resource), set()).update(as_list(statement["Action"]))

    only = ONLY_STANDARD if workflow_type == "STANDARD" else ONLY_EXPRESS
    always = {machine if where == "the state machine" else where: actions for where, actions in ALLOWED[role].items()}
    assert allowed == {**always, **only.get(role, {})}


def test_there_are_no_roles_but_these(of_type, workflow_type):
    assert set(of_type("AWS::IAM::Role")) == set(ALLOWED) - EXTRA_POLICIES
    assert set(of_type("AWS::IAM::Policy")) == (EXTRA_POLICIES if workflow_type == "STANDARD" else set())


def test_no_statement_allows_every_action(of_type):
    for _, statement in statements(of_type):
        assert not [action for action in as_list(statement["Action"]) if "*" in action]
        assert "NotAction" not in statement


def test_no_statement_is_about_every_resource(of_type, workflow_type):
    everywhere = {
        (name, statement["Sid"]) for name, statement in statements(of_type) if "*" in as_list(statement["Resource"])
    }

    tokens = workflow_type == "STANDARD"
    assert everywhere == {entry for entry in MAY_NAME_ALL_RESOURCES if tokens or entry[1] != "ResumeExecutions"}


def test_every_statement_names_resources_of_this_stack(of_type):
    for name, statement in statements(of_type):
        if (name, statement["Sid"]) not in MAY_NAME_ALL_RESOURCES:
            for resource in as_list(statement["Resource"]):
                assert not isinstance(resource, str), f"{name} {statement['Sid']} spells out {resource}"


def test_every_role_may_send_traces_and_only_when_tracing_is_asked_for(of_type):
    for properties in of_type("AWS::IAM::Role").values():
        (conditional,) = [policy["Fn::If"] for policy in properties["Policies"] if "Fn::If" in policy]
        condition, tracing, otherwise = conditional
        assert (condition, tracing["PolicyName"], otherwise) == ("TracingIsActive", "tracing", {"Ref": "AWS::NoValue"})


@pytest.mark.parametrize(
    ("policy", "condition", "actions"),
    [
        ("SecretSigningPolicy", "SignsWithSecret", "secretsmanager:GetSecretValue"),
        ("ParameterSigningPolicy", "SignsWithParameter", "ssm:GetParameter"),
        ("KmsSigningPolicy", "SignsWithKms", ["kms:GetPublicKey", "kms:Sign"]),
    ],
)
def test_the_signing_key_is_open_to_those_that_sign_or_publish_and_only_the_way_that_is_asked_for(
    resources, policy, condition, actions
):
    properties = resources[policy]["Properties"]
    statement, *more = properties["PolicyDocument"]["Statement"]

    assert resources[policy]["Condition"] == condition
    assert [each["Fn::If"][0] for each in more] == (
        ["EncryptsParameterWithOwnKey"] if policy == "ParameterSigningPolicy" else []
    )
    assert statement["Action"] == actions
    assert [role["Ref"] for role in properties["Roles"]] == ["RpcRole", "NotifierRole", "RedeliveryRole"]


def test_who_signs_with_a_parameter_may_decrypt_with_its_key_only_and_only_through_ssm(resources):
    statement = resources["ParameterSigningPolicy"]["Properties"]["PolicyDocument"]["Statement"][1]["Fn::If"][1]

    assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", {"Ref": "SigningKeyEncryptionKeyArn"})
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": {"Fn::Sub": "ssm.${AWS::Region}.${AWS::URLSuffix}"}}
    }


def test_the_executor_may_read_secrets_only_if_the_agent_is_given_some(of_type):
    (policy,) = [each for each in of_type("AWS::IAM::Role")["ExecutorRole"]["Policies"] if "PolicyName" in each]
    (conditional,) = [
        each["Fn::If"]
        for each in policy["PolicyDocument"]["Statement"]
        if "Fn::If" in each and each["Fn::If"][1]["Sid"] == "ReadSecretsOfAgent"
    ]
    assert (conditional[0], conditional[2]) == ("AgentHasSecrets", NOTHING)


NOTHING = {"Ref": "AWS::NoValue"}
INTERFACES = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"}


def test_no_role_carries_a_managed_policy_but_those_for_a_vpc_and_those_that_the_agent_is_given(of_type):
    managed = {
        role: properties["ManagedPolicyArns"]
        for role, properties in of_type("AWS::IAM::Role").items()
        if "ManagedPolicyArns" in properties
    }

    in_vpc = {"Fn::If": ["RunsInVpc", [INTERFACES], NOTHING]}
    of_agent = {"Ref": "AgentPolicyArns"}
    both = {"Fn::Split": [",", {"Fn::Join": [",", [INTERFACES, {"Fn::Join": [",", of_agent]}]]}]}
    executor = {
        "Fn::If": [
            "RunsInVpc",
            {"Fn::If": ["AgentHasPolicies", both, [INTERFACES]]},
            {"Fn::If": ["AgentHasPolicies", of_agent, NOTHING]},
        ]
    }
    others = {f"{name}Role": in_vpc for name in ("Rpc", "Caretaker", "Notifier", "Redelivery")}
    assert managed == {"ExecutorRole": executor} | others


def test_every_role_has_the_boundary_that_the_account_asks_for(of_type):
    boundary = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}, NOTHING]}
    assert all(role["PermissionsBoundary"] == boundary for role in of_type("AWS::IAM::Role").values())


@pytest.mark.parametrize(
    ("role", "service"),
    [
        (role, "states" if role == "TaskStateMachineRole" else "lambda")
        for role in sorted(set(ALLOWED) - EXTRA_POLICIES)
    ],
)
def test_a_role_is_for_one_service(of_type, role, service):
    (statement,) = of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_each_function_has_its_own_role(functions):
    roles = {name: properties["Role"]["Fn::GetAtt"] for name, properties in functions.items()}

    assert roles == {name: [f"{name.capitalize()}Role", "Arn"] for name in functions}
