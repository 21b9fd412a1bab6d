"""What changes in the fleet: rollouts, deployments, telemetry, learning, jobs."""

from orchestrator.models.access import AccessChange
from orchestrator.models.aliases import MlflowAlias, Title
from orchestrator.models.arena import ArenaFinding, ArenaReport
from orchestrator.models.certificates import DeviceCertificate
from orchestrator.models.compression import CompressionOffer, CompressionTrial, OfferStatus
from orchestrator.models.coordination import Lease, SelfTestVector, SequenceCounter
from orchestrator.models.delivery import (
    Deployment,
    DeploymentEvent,
    DeploymentPurpose,
    Rollout,
    RolloutStatus,
    Wave,
    WaveStatus,
)
from orchestrator.models.enrolment import DeviceCredential, EnrolmentToken, KeyRequest, KnownDevice
from orchestrator.models.jobs import Job, JobStatus
from orchestrator.models.learning import DriftAlert, LearningStatus, LearningTask
from orchestrator.models.traffic import DeviceShadow, DroppedMessage, Telemetry

__all__ = [
    "AccessChange",
    "ArenaFinding",
    "ArenaReport",
    "CompressionOffer",
    "CompressionTrial",
    "Deployment",
    "DeploymentEvent",
    "DeploymentPurpose",
    "DeviceCertificate",
    "DeviceCredential",
    "DeviceShadow",
    "DriftAlert",
    "DroppedMessage",
    "EnrolmentToken",
    "Job",
    "JobStatus",
    "KeyRequest",
    "KnownDevice",
    "LearningStatus",
    "LearningTask",
    "Lease",
    "OfferStatus",
    "MlflowAlias",
    "Rollout",
    "RolloutStatus",
    "SelfTestVector",
    "SequenceCounter",
    "Telemetry",
    "Title",
    "Wave",
    "WaveStatus",
]
