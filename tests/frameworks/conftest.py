"""What runs in the environment of the frameworks only: `make test-frameworks`."""

from __future__ import annotations

import importlib.util

ALL = ["test_templates.py", "test_executors_of_frameworks.py", "test_local.py"]
collect_ignore = [] if importlib.util.find_spec("pydantic_ai") else ALL
