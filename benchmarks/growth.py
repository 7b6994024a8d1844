"""Units of the task store at ten to a hundred thousand tasks of one owner, as JSON: by operation, [size, units]."""

from __future__ import annotations

import json

from many_tasks import LISTS, OPERATIONS, SIZES, STORE, filled

from a2a_lambda.aws import task_table


def measured() -> dict[str, list[tuple[int, float]]]:
    """Read and write units of each operation at each size."""
    found: dict[str, list[tuple[int, float]]] = {}
    for size in SIZES:
        table = filled(size)
        task_table.client = lambda _, table=table: table  # type: ignore[assignment]
        work = dict(OPERATIONS) | {
            f"list: {name}": lambda at, query=query: STORE.query(query(at)) for name, query in LISTS.items()
        }
        for name, operation in work.items():
            table.reads = table.writes = 0
            operation(size)
            found.setdefault(name, []).append((size, table.reads + table.writes))
    return found


if __name__ == "__main__":
    print(json.dumps(measured()))
