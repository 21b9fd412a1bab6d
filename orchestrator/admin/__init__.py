"""Operations: what goes on in the fleet."""

from orchestrator.admin import delivery, devices, enrolment, jobs, learning, traffic

__all__ = ["delivery", "devices", "enrolment", "jobs", "learning", "traffic"]
