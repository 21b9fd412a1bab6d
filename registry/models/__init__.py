"""The inventory of record: what exists, what it can do, what it needs, what fits."""

from registry.models.devices import CapabilityProfile, Device, DeviceStatus, Fleet
from registry.models.graph_change import GraphChange, SubjectKind
from registry.models.hardware import BoardType, FirmwareBuild, OnboardSensor, Runtime
from registry.models.measurements import Measurement
from registry.models.networks import Artifact, NoArtifact, RegisteredModel, Release, Variant

__all__ = [
    "Artifact",
    "BoardType",
    "CapabilityProfile",
    "Device",
    "DeviceStatus",
    "FirmwareBuild",
    "Fleet",
    "GraphChange",
    "Measurement",
    "NoArtifact",
    "OnboardSensor",
    "RegisteredModel",
    "Release",
    "Runtime",
    "SubjectKind",
    "Variant",
]
