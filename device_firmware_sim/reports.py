"""A device's words about its updates."""

from __future__ import annotations

from uuid import UUID

from device_firmware_sim.actions import Publish
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import encode_report
from orchestrator.protocol.messages import DeploymentStatus, Report, ResultCode, Shortage


class Reporter:
    """Makes the reports of one boot of one device."""

    def __init__(self, device_id: str, boot: int) -> None:
        self._topic = topics.report(device_id)
        self.boot = boot

    def word(
        self,
        deployment: UUID | None,
        sequence: int | None,
        status: DeploymentStatus,
        code: ResultCode = ResultCode.OK,
        detail: str = "",
        progress: float = 0.0,
        shortage: Shortage | None = None,
    ) -> Publish:
        """A report; `deployment` and `sequence` are None where the order could not be read."""
        report = Report(
            deployment=deployment,
            status=status,
            code=code,
            boot=self.boot,
            sequence=sequence,
            progress=progress,
            detail=detail,
            shortage=shortage,
        )
        return Publish(self._topic, encode_report(report))
