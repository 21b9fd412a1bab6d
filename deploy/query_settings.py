"""Settings of questions to the graph and to the directory: what they may take, and who how much."""

from __future__ import annotations

from typing import Any

from deploy.environment import (
    bytes_setting,
    float_setting,
    int_setting,
    query_limits_setting,
)

SPARQL_TIMEOUT_S = float_setting("TINYFLEET_SPARQL_TIMEOUT_S", 10.0)
SPARQL_MEMORY_BYTES = bytes_setting("TINYFLEET_SPARQL_MEMORY_BYTES", 512 * 1024 * 1024)
SPARQL_MAX_ROWS = int_setting("TINYFLEET_SPARQL_MAX_ROWS", 100_000)
SPARQL_MAX_ANSWER_BYTES = bytes_setting("TINYFLEET_SPARQL_MAX_ANSWER_BYTES", 64 * 1024 * 1024)
# What differs from the general limits by who asks; registry.services.query_limits has the roles.
SPARQL_ROLES: dict[str, dict[str, Any]] = {
    "anonymous": query_limits_setting("TINYFLEET_SPARQL_ANONYMOUS", at_once=2),
    "viewer": query_limits_setting("TINYFLEET_SPARQL_VIEWER", at_once=3),
    "operator": query_limits_setting("TINYFLEET_SPARQL_OPERATOR", at_once=4),
    "model engineer": query_limits_setting("TINYFLEET_SPARQL_MODEL_ENGINEER", at_once=4),
    "administrator": query_limits_setting("TINYFLEET_SPARQL_ADMINISTRATOR", at_once=4),
}
SPARQL_READERS = int_setting("TINYFLEET_SPARQL_READERS", 6)
SPARQL_KEPT_READERS = int_setting("TINYFLEET_SPARQL_KEPT_READERS", 2)
SPARQL_WARM_READERS = int_setting("TINYFLEET_SPARQL_WARM_READERS", 6)
SPARQL_WAIT_S = float_setting("TINYFLEET_SPARQL_WAIT_S", 2.0)
SPARQL_LISTED_GRAPHS_MAX = int_setting("TINYFLEET_SPARQL_LISTED_GRAPHS_MAX", 1_000)
# Oxigraph's server ends with a thousand BINDs; our own readers die of such a query one by one.
SPARQL_EXTERNAL_MAX_STEPS = int_setting("TINYFLEET_SPARQL_EXTERNAL_MAX_STEPS", 500)
SPARQL_MAX_QUERY_BYTES = bytes_setting("TINYFLEET_SPARQL_MAX_QUERY_BYTES", 256 * 1024)
THINGS_PAGE_MAX = int_setting("TINYFLEET_THINGS_PAGE_MAX", 1000)
THINGS_EVENTS_KEPT = int_setting("TINYFLEET_THINGS_EVENTS_KEPT", 10_000)
THINGS_EVENTS_POLL_S = float_setting("TINYFLEET_THINGS_EVENTS_POLL_S", 0.5)
THINGS_EVENTS_HEARTBEAT_S = float_setting("TINYFLEET_THINGS_EVENTS_HEARTBEAT_S", 15.0)
THINGS_EVENTS_LIFE_S = float_setting("TINYFLEET_THINGS_EVENTS_LIFE_S", 3600.0)
THINGS_EVENTS_LISTENERS_MAX = int_setting("TINYFLEET_THINGS_EVENTS_LISTENERS_MAX", 1000)
JSONPATH_TIMEOUT_S = float_setting("TINYFLEET_JSONPATH_TIMEOUT_S", 5.0)
JSONPATH_MEMORY_BYTES = bytes_setting("TINYFLEET_JSONPATH_MEMORY_BYTES", 512 * 1024 * 1024)
JSONPATH_MAX_BYTES = bytes_setting("TINYFLEET_JSONPATH_MAX_BYTES", 16 * 1024 * 1024)
JSONPATH_MAX_QUERY_BYTES = bytes_setting("TINYFLEET_JSONPATH_MAX_QUERY_BYTES", 4 * 1024)
JSONPATH_AT_ONCE = int_setting("TINYFLEET_JSONPATH_AT_ONCE", 2)
