"""Why a network does not run here."""

from __future__ import annotations

from orchestrator.protocol.messages import ResultCode, Shortage


class NetworkRefused(Exception):
    """The file is not for this device; `code` says why in the protocol's terms."""

    def __init__(self, code: ResultCode, detail: str, shortage: Shortage | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.shortage = shortage


class NetworkCrashed(Exception):
    """Running the network has brought the device down: on a board a fault, or the watchdog."""
