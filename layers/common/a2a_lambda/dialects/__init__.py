"""The dialects of A2A spoken on one endpoint, each a translation to and from the canonical model.

``legacy``, ``v0_3`` and ``v1`` write what goes out (answers and webhook bodies): plain functions on JSON, cheap to
import. The ``*_params`` modules read what comes in with pydantic and hold the translation tables; only ``rpc`` imports
them. A test of each way there and back is in ``tests/unit/test_round_trips.py``.
"""
