"""The messages as typed values; docs/mqtt-protocol.md is their specification."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class DeploymentStatus(StrEnum):
    """One device's update. The lower half is final; `installed` is not: the soak ends it."""

    PENDING = "pending"
    NOTIFIED = "notified"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    VERIFYING = "verifying"
    INSTALLED = "installed"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    ALREADY_INSTALLED = "already_installed"
    NOT_APPLICABLE = "not_applicable"


class ResultCode(StrEnum):
    """Why a device did what it reports."""

    OK = "ok"
    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    MISSING_SIGNATURE = "missing_signature"
    WRONG_VENDOR = "wrong_vendor"
    WRONG_CLASS = "wrong_class"
    WRONG_DEVICE = "wrong_device"
    OLD_SEQUENCE = "old_sequence"
    EXPIRED = "expired"
    TOO_LARGE = "too_large"
    ARENA_TOO_SMALL = "arena_too_small"
    MISSING_OPERATOR = "missing_operator"
    WRONG_RUNTIME = "wrong_runtime"
    WRONG_SHAPE = "wrong_shape"
    BAD_BLOCK = "bad_block"
    BAD_DIGEST = "bad_digest"
    SELF_TEST_FAILED = "self_test_failed"
    FLASH_ERROR = "flash_error"
    REVERTED = "reverted"


class EnrolmentAnswer(StrEnum):
    """What the server says to an enrolment."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A device asks to join.

    `public_key` is a PEM SubjectPublicKeyInfo (P-256); `verifier` is the salted hash of the secret
    that the device made for itself, in Mosquitto's password-file form ($7$...), so the secret never
    travels; `signature` (base64) proves possession of the private key, over `enrolment_proof`.
    """

    device_id: str
    token: str
    public_key: str
    verifier: str
    signature: str


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """The answer, with a sentence where it is no.

    `certificate` (PEM) comes with a yes where boards sign in over TLS.
    """

    answer: EnrolmentAnswer
    reason: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Online:
    """Presence; its last will too. A will from an older boot is ignored."""

    online: bool
    boot: int


@dataclass(frozen=True, slots=True)
class State:
    """What runs. `digest` is None where nothing is installed."""

    digest: str | None
    slot: int | None
    sequence: int
    boot: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """How much memory a device found that a network needs, and how much it has, in bytes."""

    need_bytes: int
    have_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Progress of one deployment. `deployment` is None where the manifest could not be read.

    `shortage` comes with `arena_too_small` where it is the device's own reckoning, not the
    manifest's figure.
    """

    deployment: UUID | None
    status: DeploymentStatus
    code: ResultCode
    boot: int
    sequence: int | None = None
    progress: float = 0.0
    detail: str = ""
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class TelemetryPack:
    """One SenML pack, resolved (RFC 8428 section 4.6); known names lifted out of `records`.

    `at` is UNIX seconds, None where the device has no clock; `accuracy` a fraction over `labelled`
    of `samples`; `held_from` is the sequence number of the oldest pack that the device still has;
    `records` are the resolved SenML records as JSON objects.
    """

    boot: int
    sequence: int
    at: float | None = None
    digest: str | None = None
    samples: int = 0
    labelled: int = 0
    accuracy: float | None = None
    latency_ms: float | None = None
    arena_used_bytes: int | None = None
    free_heap_bytes: int | None = None
    adapted_samples: int | None = None
    held_from: int | None = None
    records: tuple[dict[str, str | float | bool], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The highest (boot, sequence) that the server has kept."""

    boot: int
    sequence: int


@dataclass(frozen=True, slots=True)
class LearnTask:
    """An order to adapt the last layer on the device, signed like a manifest (COSE_Sign1)."""

    task: UUID
    device_id: str
    digest: str
    method: str
    learning_rate: float
    samples: int
    issued_at: int
    expires_at: int


class LearnStatus(StrEnum):
    """Where a device's learning stands."""

    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LearnUpdate:
    """What came of a task; `weights` are little-endian float32 of `shape`, biases the last row."""

    task: UUID
    status: LearnStatus
    samples: int = 0
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    training_bytes: int | None = None
    shape: tuple[int, int] | None = None
    weights: bytes = b""
    detail: str = ""
