"""The inventory for operators."""

from registry.admin import devices, hardware, measurements, networks

__all__ = ["devices", "hardware", "measurements", "networks"]
