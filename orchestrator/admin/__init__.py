"""Operations: what goes on in the fleet."""

from orchestrator.admin import delivery, devices, jobs, learning, traffic

__all__ = ["delivery", "devices", "jobs", "learning", "traffic"]
