"""The inventory for operators."""

from registry.admin import devices, hardware, measurements, networks, techniques, things

__all__ = ["devices", "hardware", "measurements", "networks", "techniques", "things"]
