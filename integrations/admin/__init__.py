"""For staff: connections, audiences, and users on their way. Tokens are never shown and cannot be searched for."""

from integrations.admin import audiences, batches, connections, counters, users

__all__ = ["audiences", "batches", "connections", "counters", "users"]
