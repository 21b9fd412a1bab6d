"""The inventory of record: what exists, what it can do, what it needs, what fits."""

from registry.models.audit import AuditChannel, AuditEntry, AuditOutcome
from registry.models.devices import CapabilityProfile, Device, DeviceStatus, Fleet
from registry.models.glob import Glob
from registry.models.graph_change import GraphChange, SubjectKind
from registry.models.hardware import BoardType, FirmwareBuild, OnboardSensor, Runtime
from registry.models.measurements import Measurement, Remark
from registry.models.networks import Artifact, NoArtifact, RegisteredModel, Release, Variant
from registry.models.one_of import OneOf
from registry.models.scopes import FleetScope
from registry.models.techniques import CitedWork, Technique
from registry.models.things import (
    ThingEvent,
    ThingEventCounter,
    ThingEventKind,
    ThingRegistration,
)

__all__ = [
    "Artifact",
    "AuditChannel",
    "AuditEntry",
    "AuditOutcome",
    "BoardType",
    "CapabilityProfile",
    "CitedWork",
    "Device",
    "DeviceStatus",
    "FirmwareBuild",
    "Fleet",
    "FleetScope",
    "Glob",
    "GraphChange",
    "Measurement",
    "NoArtifact",
    "OnboardSensor",
    "OneOf",
    "RegisteredModel",
    "Release",
    "Remark",
    "Runtime",
    "SubjectKind",
    "Technique",
    "ThingEvent",
    "ThingEventCounter",
    "ThingEventKind",
    "ThingRegistration",
    "Variant",
]
