"""Tables and queues: what makes them durable and keeps order."""

from __future__ import annotations

import pytest

from a2a_lambda.push import schedule

TWO_WEEKS = 14 * 24 * 3600


def keys(schema):
    return {key["KeyType"]: key["AttributeName"] for key in schema}


def indexes(table):
    return {
        index["IndexName"]: (keys(index["KeySchema"]), index["Projection"]) for index in table["GlobalSecondaryIndexes"]
    }


@pytest.mark.parametrize("name", ["TasksTable", "PushConfigsTable", "ContextsTable"])
def test_a_table_is_encrypted_recoverable_paid_by_use_and_forgets(of_type, name):
    table = of_type("AWS::DynamoDB::Table")[name]

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def test_tasks_are_found_by_id_owner_and_context(of_type):
    table = of_type("AWS::DynamoDB::Table")["TasksTable"]
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["state"]}

    assert keys(table["KeySchema"]) == {"HASH": "taskId"}
    assert indexes(table) == {
        "byOwner": ({"HASH": "owner", "RANGE": "updatedAt"}, projection),
        "byContext": ({"HASH": "ownerContext", "RANGE": "updatedAt"}, projection),
    }


def test_the_stream_of_tasks_tells_what_was_and_what_is(of_type):
    tables = of_type("AWS::DynamoDB::Table")

    assert tables["TasksTable"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert "StreamSpecification" not in tables["PushConfigsTable"]


def test_push_configs_are_found_by_task_and_owner_and_their_index_holds_no_secrets(of_type):
    table = of_type("AWS::DynamoDB::Table")["PushConfigsTable"]

    assert keys(table["KeySchema"]) == {"HASH": "taskId", "RANGE": "configId"}
    assert indexes(table) == {"byOwner": ({"HASH": "owner", "RANGE": "taskId"}, {"ProjectionType": "KEYS_ONLY"})}


@pytest.mark.parametrize("name", ["RedeliveryQueue", "DeadLetterQueue"])
def test_a_queue_of_notifications_keeps_order_per_config_and_throughput_over_all(of_type, name):
    queue = of_type("AWS::SQS::Queue")[name]

    assert queue["FifoQueue"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["DeduplicationScope"] == "messageGroup"
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"


def test_every_queue_is_encrypted_and_keeps_for_two_weeks(of_type):
    for queue in of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == TWO_WEEKS


def test_a_message_stays_hidden_for_longer_than_six_times_what_redelivery_may_take(of_type, functions):
    assert of_type("AWS::SQS::Queue")["RedeliveryQueue"]["VisibilityTimeout"] >= 6 * functions["redelivery"]["Timeout"]


def test_the_queue_keeps_a_message_for_the_whole_horizon_though_nobody_can_even_defer_it(of_type):
    queue = of_type("AWS::SQS::Queue")["RedeliveryQueue"]
    receives = queue["RedrivePolicy"]["maxReceiveCount"]

    assert receives == schedule.RECEIVES
    assert receives * queue["VisibilityTimeout"] > schedule.HORIZON + schedule.LONGEST


def test_what_redelivery_cannot_handle_ends_on_the_dead_letter_queue(of_type):
    policy = of_type("AWS::SQS::Queue")["RedeliveryQueue"]["RedrivePolicy"]

    assert policy == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "maxReceiveCount": schedule.RECEIVES,
    }


def test_an_alarm_watches_each_place_where_notifications_could_be_left(of_type):
    metrics = []
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        parts = alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}])
        metrics += [part["MetricStat"]["Metric"] for part in parts if "MetricStat" in part]
    watched = {(metric["MetricName"], str(metric["Dimensions"][0]["Value"])) for metric in metrics}

    assert {metric for metric, value in watched if "DeadLetterQueue" in value} == {"ApproximateNumberOfMessagesVisible"}
    assert {metric for metric, value in watched if "StreamFailuresQueue" in value} == {
        "ApproximateNumberOfMessagesVisible"
    }
    assert {metric for metric, value in watched if "RedeliveryQueue" in value} == {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
    }
    assert {metric for metric, value in watched if "NotifierFunction" in value} == {"IteratorAge", "Throttles"}
    assert {metric for metric, value in watched if "ExecutorFunction" in value} == {"Throttles"}


def test_the_backlog_alarm_counts_what_waits_hidden_for_a_later_attempt(resources):
    metrics = {part["Id"]: part for part in resources["RedeliveryBacklogAlarm"]["Properties"]["Metrics"]}

    assert metrics["waiting"]["Expression"] == "visible + hidden"
    assert [part["ReturnData"] for name, part in metrics.items() if name != "waiting"] == [False, False]


def test_the_bucket_of_large_results_is_private_and_forgets(resources):
    bucket = resources["ArtifactsBucket"]["Properties"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Ref": "ArtifactDays"}


def test_the_bucket_answers_over_tls_only(resources):
    policy = resources["ArtifactsBucketPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert policy["Bucket"] == {"Ref": "ArtifactsBucket"}
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_no_update_and_no_removal_of_the_stack_loses_data(resources):
    keeping = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in resources.items()
        if resource["Type"] in {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}
    }
    assert {"TasksTable", "PushConfigsTable", "ContextsTable", "ArtifactsBucket"} <= set(keeping)
    assert set(keeping.values()) == {("RetainExceptOnCreate", "Retain")}
