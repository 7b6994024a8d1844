"""The three dialects of A2A spoken on one endpoint, each a translation to and from the canonical model.

``wire`` holds what goes out (responses, errors, webhook bodies): plain functions on JSON, cheap to import.
The ``*_params`` modules read what comes in with pydantic; only ``rpc`` imports them.
"""
