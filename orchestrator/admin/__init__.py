"""Operations: what goes on in the fleet."""

from orchestrator.admin import arena, delivery, devices, enrolment, jobs, learning, traffic

__all__ = ["arena", "delivery", "devices", "enrolment", "jobs", "learning", "traffic"]
