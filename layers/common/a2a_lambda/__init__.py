"""A2A on Lambda: the package behind the five functions. Each folder is a wing, and imports point inwards only.

============ ====================================================================================================
``core``      the protocol's model and rules, and the ports that storage and workflow implement; pure
``dialects``  the wire shapes of A2A 1.0, 0.3 and the first drafts
``net``       guarded HTTP: which addresses may be called, and the libcurl handle that enforces it
``push``      what goes out: push configs, first attempts, redelivery, signing
``agent``     what authors write with, and what runs it
``endpoint``  what comes in: bindings, agent card, operations on tasks
``testing``   run an agent in memory, and the ports that make it possible
``aws``       adapters: the only place that talks to AWS
============ ====================================================================================================

Public for authors: :mod:`a2a_lambda.agent` and :mod:`a2a_lambda.testing`.
"""
