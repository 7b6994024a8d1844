"""The three dialects of A2A spoken on one endpoint, each a translation to and from the canonical model.

``v1``, ``v0_3`` and ``legacy`` write what goes out (responses, webhook bodies): plain functions on JSON, cheap to import.
The ``*_params`` modules read what comes in with pydantic and hold the tables; only ``rpc`` imports them.
"""
