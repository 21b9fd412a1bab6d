"""Operations: what goes on in the fleet."""

from orchestrator.admin import (
    aliases,
    arena,
    compression,
    delivery,
    devices,
    enrolment,
    jobs,
    learning,
    traffic,
)

__all__ = ["aliases", "arena", "compression", "delivery", "devices", "enrolment", "jobs"]
__all__ += ["learning", "traffic"]
