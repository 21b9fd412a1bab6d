"""Why a signed message was not accepted, as a code to report and a sentence to read."""

from __future__ import annotations

from orchestrator.protocol.messages import ResultCode


class Refusal(ValueError):
    """A signed message that must not be followed."""

    def __init__(self, code: ResultCode, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class SignatureError(Refusal):
    """A COSE message that no trusted key vouches for: MALFORMED, UNKNOWN_KEY or BAD_SIGNATURE."""


class ManifestError(Refusal):
    """A manifest that is not to be installed."""


class TaskError(Refusal):
    """A learning task that is not to be started."""
