"""The inventory for operators."""

from registry.admin import audit, devices, hardware, measurements, networks, techniques, things

__all__ = ["audit", "devices", "hardware", "measurements", "networks", "techniques", "things"]
