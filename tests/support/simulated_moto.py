"""The simulation's tables on moto: the conditions and transactions of the real adapters, under the same faults."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cloud
from simulated_aws import FaultyConfigs, StreamedTasks, item_of
from simulation import Simulation

from a2a_lambda.aws.clients import client
from a2a_lambda.aws.items import config_item
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.core.records import PushConfig, TaskRecord


class MotoTasks(StreamedTasks):
    """TasksTable: each write goes to moto as well, so that registrations meet their tasks there."""

    def __init__(self, simulation: Simulation, table: str, configs_table: str) -> None:
        super().__init__(simulation)
        self._table = table
        self._configs_table = configs_table

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        """See :class:`a2a_lambda.core.ports.TaskStore`."""
        for config in configs:
            client("dynamodb").put_item(TableName=self._configs_table, Item=config_item(config))
        return super().create(record)

    def _put(self, record: TaskRecord) -> None:
        client("dynamodb").put_item(TableName=self._table, Item=item_of(record))
        super()._put(record)


class MotoConfigs(PushConfigTable):
    """PushConfigsTable; an announcement that a registration writes comes down the stream."""

    def __init__(self, tasks: MotoTasks, table: str, tasks_table: str) -> None:
        super().__init__(table, tasks_table)
        self._streamed = tasks

    def register(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """See :class:`a2a_lambda.core.ports.PushConfigStore`."""
        super().register(config, existing, task)
        if task.announcement is not None:
            self._streamed.announce(task)


def move_in(simulation: Simulation) -> None:
    """Give the simulation tables on moto. Its AWS credentials open nothing."""
    os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none")
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    client.cache_clear()
    tasks_table, configs_table = cloud.create_table("TasksTable"), cloud.create_table("PushConfigsTable")
    tasks = MotoTasks(simulation, tasks_table, configs_table)
    simulation.tasks = tasks
    simulation.configs = FaultyConfigs(simulation, MotoConfigs(tasks, configs_table, tasks_table))
