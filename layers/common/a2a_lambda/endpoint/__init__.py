"""What comes in: HTTP, the JSON-RPC and HTTP+JSON bindings, the agent card, and the operations on tasks."""
