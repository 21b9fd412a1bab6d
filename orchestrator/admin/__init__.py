"""Operations: what goes on in the fleet."""

from orchestrator.admin import aliases, arena, delivery, devices, enrolment, jobs, learning, traffic

__all__ = ["aliases", "arena", "delivery", "devices", "enrolment", "jobs", "learning", "traffic"]
