"""A2A on Lambda: the runtime shared by the four functions.

The core (``model``, ``lifecycle``, ``changes``, ``delivery``, ``schedule``, ``dialects`` …) is pure and knows no AWS.
The services (``tasks``, ``push_configs``, ``execution``, ``notifier``, ``redelivery``) work on the ports of ``ports``.
The adapters in ``aws`` are the only place that talks to AWS. Imports point inwards.
"""
