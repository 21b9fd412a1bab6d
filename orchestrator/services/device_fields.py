"""What operations know of a device, for filters of devices."""

from __future__ import annotations

from registry.selection.terms import Kind
from registry.services.device_selection import Field

FIELDS = {
    "online": Field(Kind.TRUTH, "shadow__online", "whether it is connected"),
    "last_seen": Field(Kind.MOMENT, "shadow__last_seen_at", "when it last said something"),
}
